"""How a server describes its methods: handlers by path.

These are grpcio's names and shapes, because generated code calls them.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from clarion.generics import Generic, In, Out, Request, Response

__all__ = [
    "Compression",
    "GenericRpcHandler",
    "HandlerCallDetails",
    "MethodsHandler",
    "RpcMethodHandler",
    "ServiceRpcHandler",
    "method_handlers_generic_handler",
    "stream_stream_rpc_method_handler",
    "stream_unary_rpc_method_handler",
    "unary_stream_rpc_method_handler",
    "unary_unary_rpc_method_handler",
]

Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]
Behavior = Callable[..., Any]


@enum.unique
class Compression(enum.IntEnum):
    """How messages are compressed on the way out."""

    NoCompression = 0
    Deflate = 1
    Gzip = 2

    @property
    def encoding(self) -> str:
        """The name on the wire."""
        return ("identity", "deflate", "gzip")[self.value]


@runtime_checkable
class HandlerCallDetails(Protocol):
    """What is known of a call when its handler is looked up.

    Attributes:
        method: `/package.Service/Method`.
        invocation_metadata: the client's metadata, `(key, value)` pairs.
    """

    # Variables and not properties, so that what implements it may set them.
    method: str
    invocation_metadata: Any


if TYPE_CHECKING:

    class CallDetails(HandlerCallDetails):
        method = ""
        invocation_metadata = None

        def __init__(self, method: str, invocation_metadata: Any) -> None: ...

else:

    class CallDetails(NamedTuple):
        """The server's own `HandlerCallDetails`."""

        method: str
        invocation_metadata: Any


class EncodedCallDetails(CallDetails):
    """Of a call whose content-type has a subtype.

    Attributes:
        content_subtype: `json` of `application/grpc+json`.
    """

    content_subtype = ""


class RpcMethodHandler(abc.ABC, Generic[Request, Response]):
    """One method of a service.

    Attributes:
        request_streaming, response_streaming: which of the four patterns the method has.
        request_deserializer: bytes to request message; None passes bytes through.
        response_serializer: response message to bytes; None passes bytes through.
        unary_unary, unary_stream, stream_unary, stream_stream: the behaviour, in the one that fits.
    """

    if TYPE_CHECKING:
        # Variables and not properties, so that named tuples, data classes and plain classes can be one.
        request_streaming: bool
        response_streaming: bool
        request_deserializer: Callable[[bytes], Request] | None
        response_serializer: Callable[[Response], bytes] | None
        # Contexts and results differ between sync and asyncio.
        unary_unary: Callable[[Request, Any], Any] | None
        unary_stream: Callable[[Request, Any], Any] | None
        stream_unary: Callable[[Any, Any], Any] | None
        stream_stream: Callable[[Any, Any], Any] | None


class _MethodFields(NamedTuple):
    request_streaming: bool
    response_streaming: bool
    request_deserializer: Deserializer | None
    response_serializer: Serializer | None
    unary_unary: Behavior | None = None
    unary_stream: Behavior | None = None
    stream_unary: Behavior | None = None
    stream_stream: Behavior | None = None


class _MethodHandler(_MethodFields, RpcMethodHandler[Any, Any]):
    """A named tuple, because interceptors change handlers with `_replace`."""

    def __repr__(self) -> str:
        return "RpcMethodHandler" + super().__repr__().removeprefix(type(self).__name__)


class GenericRpcHandler(abc.ABC):
    """Finds the handler of a call by whatever rule."""

    @abc.abstractmethod
    def service(self, handler_call_details: HandlerCallDetails) -> RpcMethodHandler | None:
        """Return the handler that serves the call, or None if this object does not serve it."""


class ServiceRpcHandler(GenericRpcHandler, metaclass=abc.ABCMeta):
    """Serves the methods of one service."""

    @abc.abstractmethod
    def service_name(self) -> str:
        """The service's full name, such as `package.Service`."""


class MethodsHandler(ServiceRpcHandler):
    """Serves methods by their names.

    Attributes:
        methods: handlers by full path, for servers that look up without asking.
    """

    def __init__(self, service: str, method_handlers: Mapping[str, RpcMethodHandler]) -> None:
        self._name = service
        self.methods = {
            f"/{service}/{method}": handler for method, handler in method_handlers.items()
        }

    def __repr__(self) -> str:
        methods = ", ".join(path.rpartition("/")[2] for path in self.methods) or "nothing"
        return f"<generic handler of {self._name}: {methods}>"

    def service_name(self) -> str:
        return self._name

    def service(self, handler_call_details: HandlerCallDetails) -> RpcMethodHandler | None:
        return self.methods.get(handler_call_details.method)


def unary_unary_rpc_method_handler(
    behavior: Callable[[Out, Any], In | Awaitable[In]],
    request_deserializer: Callable[[bytes], Out] | None = None,
    response_serializer: Callable[[In], bytes] | None = None,
) -> RpcMethodHandler[Any, Any]:
    """Describe a method with one request and one response.

    Args:
        behavior: `(request, context) -> response`; on an asyncio server possibly `async`.
        request_deserializer: bytes to request; None passes bytes through.
        response_serializer: response to bytes; None passes bytes through.
    """
    return _MethodHandler(
        False, False, request_deserializer, response_serializer, unary_unary=behavior
    )


def unary_stream_rpc_method_handler(
    behavior: Callable[[Out, Any], Iterable[In] | AsyncIterable[In] | Awaitable[None] | None],
    request_deserializer: Callable[[bytes], Out] | None = None,
    response_serializer: Callable[[In], bytes] | None = None,
) -> RpcMethodHandler[Any, Any]:
    """Describe a method with one request and a stream of responses.

    Args:
        behavior: `(request, context) -> iterator of responses`; on an asyncio server an async generator,
            or a coroutine that calls `context.write`.
        request_deserializer: bytes to request; None passes bytes through.
        response_serializer: response to bytes; None passes bytes through.
    """
    return _MethodHandler(
        False, True, request_deserializer, response_serializer, unary_stream=behavior
    )


def stream_unary_rpc_method_handler(
    behavior: Callable[[Any, Any], In | Awaitable[In]],
    request_deserializer: Callable[[bytes], Out] | None = None,
    response_serializer: Callable[[In], bytes] | None = None,
) -> RpcMethodHandler[Any, Any]:
    """Describe a method with a stream of requests and one response.

    Args:
        behavior: `(iterator of requests, context) -> response`.
        request_deserializer: bytes to request; None passes bytes through.
        response_serializer: response to bytes; None passes bytes through.
    """
    return _MethodHandler(
        True, False, request_deserializer, response_serializer, stream_unary=behavior
    )


def stream_stream_rpc_method_handler(
    behavior: Callable[[Any, Any], Iterable[In] | AsyncIterable[In] | Awaitable[None] | None],
    request_deserializer: Callable[[bytes], Out] | None = None,
    response_serializer: Callable[[In], bytes] | None = None,
) -> RpcMethodHandler[Any, Any]:
    """Describe a method with a stream of requests and a stream of responses.

    Args:
        behavior: `(iterator of requests, context) -> iterator of responses`.
        request_deserializer: bytes to request; None passes bytes through.
        response_serializer: response to bytes; None passes bytes through.
    """
    return _MethodHandler(
        True, True, request_deserializer, response_serializer, stream_stream=behavior
    )


def method_handlers_generic_handler(
    service: str, method_handlers: Mapping[str, RpcMethodHandler]
) -> GenericRpcHandler:
    """Make a handler for a service out of handlers for its methods.

    Args:
        service: full name, such as `package.Service`.
        method_handlers: handlers by method name.
    """
    return MethodsHandler(service, method_handlers)
