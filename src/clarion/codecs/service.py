"""Services without generated code: methods with the types of their messages, for clients and servers alike.

greeter = Service("hello.Greeter", JSONCodec())
say_hello = greeter.unary_unary("SayHello", HelloRequest, HelloReply)

reply = say_hello.on(channel)(HelloRequest("Alice"))            # sync or asyncio, as the channel is
greeter.add_to_server(server, say_hello.served_by(function))    # sync or asyncio, as the server is
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from clarion.codecs.codec import Codec, labelled
from clarion.generics import Generic, In, Out
from clarion.method import (
    GenericRpcHandler,
    HandlerCallDetails,
    MethodsHandler,
    RpcMethodHandler,
    ServiceRpcHandler,
    stream_stream_rpc_method_handler,
    stream_unary_rpc_method_handler,
    unary_stream_rpc_method_handler,
    unary_unary_rpc_method_handler,
)

if TYPE_CHECKING:
    from clarion.aio import interfaces as aio
    from clarion.sync import channel_interface as sync
    from clarion.sync.interfaces import Server

__all__ = [
    "Served",
    "Service",
    "ServiceMethod",
    "StreamStream",
    "StreamUnary",
    "UnaryStream",
    "UnaryUnary",
]

_HANDLERS: dict[str, Callable[..., RpcMethodHandler]] = {
    "unary_unary": unary_unary_rpc_method_handler,
    "unary_stream": unary_stream_rpc_method_handler,
    "stream_unary": stream_unary_rpc_method_handler,
    "stream_stream": stream_stream_rpc_method_handler,
}


class Served(NamedTuple):
    """A method and the function that serves it.

    Attributes:
        method: the method.
        behavior: `(request or requests, context) -> response or responses`.
    """

    method: ServiceMethod[Any, Any]
    behavior: Callable[[Any, Any], Any]


class Service:
    """A service whose methods are stated in Python.

    Args:
        name: the full name, such as `package.Service`.
        codecs: how messages are encoded. Clients use the first. A server with several takes the one that the request's
            content-type names, and the first if it names none of them.

    Attributes:
        name, codecs: the arguments.
        methods: by name.

    Raises:
        ValueError: no codec, or two of one name.
    """

    def __init__(self, name: str, *codecs: Codec) -> None:
        if not codecs:
            raise ValueError(
                f"the service {name} has no codec; name one, such as clarion.codecs.JSONCodec()"
            )
        if len({codec.name for codec in codecs}) < len(codecs):
            raise ValueError(f"two codecs of the service {name} have the same name")
        self.name = name
        self.codecs = codecs
        self.methods: dict[str, ServiceMethod[Any, Any]] = {}

    def unary_unary(self, name: str, request: type[Out], response: type[In]) -> UnaryUnary[Out, In]:
        """State a method with one request and one response.

        Args:
            name: the method's name.
            request, response: the types of messages.
        """
        return UnaryUnary(self, name, request, response)

    def unary_stream(
        self, name: str, request: type[Out], response: type[In]
    ) -> UnaryStream[Out, In]:
        """State a method with one request and a stream of responses; see `unary_unary`."""
        return UnaryStream(self, name, request, response)

    def stream_unary(
        self, name: str, request: type[Out], response: type[In]
    ) -> StreamUnary[Out, In]:
        """State a method with a stream of requests and one response; see `unary_unary`."""
        return StreamUnary(self, name, request, response)

    def stream_stream(
        self, name: str, request: type[Out], response: type[In]
    ) -> StreamStream[Out, In]:
        """State a method with a stream of requests and a stream of responses; see `unary_unary`."""
        return StreamStream(self, name, request, response)

    def handler(self, *served: Served) -> GenericRpcHandler:
        """Make the generic handler that serves methods; clients of others get UNIMPLEMENTED.

        Args:
            served: what `served_by` of each method returns.

        Raises:
            ValueError: a method of another service.
        """
        for method, _ in served:
            if method.service is not self:
                raise ValueError(f"{method.path} is no method of this service, {self.name}")
        tables = {
            codec.name: {
                method.name: method.handler(behavior, codec) for method, behavior in served
            }
            for codec in self.codecs
        }
        first = MethodsHandler(self.name, tables[self.codecs[0].name])
        if len(tables) == 1:
            return first
        return _ByCodec(
            first, {name: MethodsHandler(self.name, table) for name, table in tables.items()}
        )

    def servicer(self, servicer: object) -> tuple[Served, ...]:
        """The methods that an object has under their names: what `served_by` would return for each.

        Raises:
            TypeError: it has none of them.
        """
        served = tuple(
            Served(method, getattr(servicer, name))
            for name, method in self.methods.items()
            if callable(getattr(servicer, name, None))
        )
        if not served:
            raise TypeError(
                f"{servicer!r} has none of the methods of {self.name}: {', '.join(self.methods) or 'it has none'}"
            )
        return served

    def add_to_server(self, server: Server | aio.Server, *served: Served) -> None:
        """Serve methods on a sync or an asyncio server.

        Args:
            server: the server.
            served: see `handler`.
        """
        server.add_generic_rpc_handlers((self.handler(*served),))


class _ByCodec(ServiceRpcHandler):
    """Takes the handler of the codec that the request's content-type names."""

    def __init__(self, first: MethodsHandler, others: dict[str, MethodsHandler]) -> None:
        self._first = first
        self._others = others

    def service_name(self) -> str:
        return self._first.service_name()

    def service(self, handler_call_details: HandlerCallDetails) -> RpcMethodHandler | None:
        subtype = getattr(handler_call_details, "content_subtype", "")
        return self._others.get(subtype, self._first).service(handler_call_details)


class ServiceMethod(Generic[Out, In]):
    """One method of a service.

    Attributes:
        service: the service.
        name: the method's name.
        path: `/package.Service/Method`.
        request, response: the types of messages.

    Raises:
        TypeError: a codec of the service cannot encode or decode a message.
        ValueError: the service has a method of this name.
    """

    PATTERN = ""

    def __init__(self, service: Service, name: str, request: type[Out], response: type[In]) -> None:
        if name in service.methods:
            raise ValueError(f"the service {service.name} has a method {name} already")
        self.service = service
        self.name = name
        self.path: str = f"/{service.name}/{name}"
        self.request = request
        self.response = response
        for codec in service.codecs:
            for message in (request, response):
                codec.serializer(message)
                codec.deserializer(message)
        service.methods[name] = self

    def __repr__(self) -> str:
        return f"<{self.PATTERN} method {self.path}>"

    def handler(
        self, behavior: Callable[[Any, Any], Any], codec: Codec | None = None
    ) -> RpcMethodHandler:
        """Make the handler that serves the method by a function.

        Args:
            behavior: the function.
            codec: of messages; the service's first if it is None.
        """
        codec = codec or self.service.codecs[0]
        return _HANDLERS[self.PATTERN](
            behavior,
            codec.deserializer(self.request),
            labelled(codec, codec.serializer(self.response)),
        )

    def _callable(self, channel: Any, codec: Codec | None) -> Any:
        codec = codec or self.service.codecs[0]
        return getattr(channel, self.PATTERN)(
            self.path,
            request_serializer=labelled(codec, codec.serializer(self.request)),
            response_deserializer=codec.deserializer(self.response),
        )


class UnaryUnary(ServiceMethod[Out, In]):
    """A method with one request and one response."""

    PATTERN = "unary_unary"

    @overload
    def on(
        self, channel: sync.Channel, codec: Codec | None = None
    ) -> sync.UnaryUnaryMultiCallable[Out, In]: ...
    @overload
    def on(
        self, channel: aio.Channel, codec: Codec | None = None
    ) -> aio.UnaryUnaryMultiCallable[Out, In]: ...
    def on(self, channel: Any, codec: Codec | None = None) -> Any:
        """Make the callable for this method on a sync or an asyncio channel. Make it once, and call it often.

        Args:
            channel: the channel.
            codec: of messages; the service's first if it is None.
        """
        return self._callable(channel, codec)

    def served_by(self, behavior: Callable[[Out, Any], In | Awaitable[In]]) -> Served:
        """The method served by `(request, context) -> response`; on an asyncio server possibly `async`."""
        return Served(self, behavior)


class UnaryStream(ServiceMethod[Out, In]):
    """A method with one request and a stream of responses."""

    PATTERN = "unary_stream"

    @overload
    def on(
        self, channel: sync.Channel, codec: Codec | None = None
    ) -> sync.UnaryStreamMultiCallable[Out, In]: ...
    @overload
    def on(
        self, channel: aio.Channel, codec: Codec | None = None
    ) -> aio.UnaryStreamMultiCallable[Out, In]: ...
    def on(self, channel: Any, codec: Codec | None = None) -> Any:
        """Make the callable for this method; see `UnaryUnary.on`."""
        return self._callable(channel, codec)

    def served_by(
        self, behavior: Callable[[Out, Any], Iterable[In] | AsyncIterable[In] | Awaitable[None]]
    ) -> Served:
        """The method served by `(request, context) -> responses`, a generator or an async generator."""
        return Served(self, behavior)


class StreamUnary(ServiceMethod[Out, In]):
    """A method with a stream of requests and one response."""

    PATTERN = "stream_unary"

    @overload
    def on(
        self, channel: sync.Channel, codec: Codec | None = None
    ) -> sync.StreamUnaryMultiCallable[Out, In]: ...
    @overload
    def on(
        self, channel: aio.Channel, codec: Codec | None = None
    ) -> aio.StreamUnaryMultiCallable[Out, In]: ...
    def on(self, channel: Any, codec: Codec | None = None) -> Any:
        """Make the callable for this method; see `UnaryUnary.on`."""
        return self._callable(channel, codec)

    def served_by(self, behavior: Callable[[Any, Any], In | Awaitable[In]]) -> Served:
        """The method served by `(requests, context) -> response`; requests are an iterator, async on asyncio."""
        return Served(self, behavior)


class StreamStream(ServiceMethod[Out, In]):
    """A method with a stream of requests and a stream of responses."""

    PATTERN = "stream_stream"

    @overload
    def on(
        self, channel: sync.Channel, codec: Codec | None = None
    ) -> sync.StreamStreamMultiCallable[Out, In]: ...
    @overload
    def on(
        self, channel: aio.Channel, codec: Codec | None = None
    ) -> aio.StreamStreamMultiCallable[Out, In]: ...
    def on(self, channel: Any, codec: Codec | None = None) -> Any:
        """Make the callable for this method; see `UnaryUnary.on`."""
        return self._callable(channel, codec)

    def served_by(
        self, behavior: Callable[[Any, Any], Iterable[In] | AsyncIterable[In] | Awaitable[None]]
    ) -> Served:
        """The method served by `(requests, context) -> responses`; see `UnaryStream` and `StreamUnary`."""
        return Served(self, behavior)
