"""What asyncio channels, calls, servers and contexts offer, as abstract classes that applications may implement too.

Tests make channels and contexts of their own (`class FakeChannel(grpc.aio.Channel)`), interceptors return calls of
their own, and all of them ask `isinstance`. So these classes ask for no more than grpcio's of the same name do: what
is abstract there is abstract here, and a method added later is never abstract. Whatever Clarion hands out is an
instance of them.

They are generic in the types of request and response, for type checkers. They have no fields and import nothing of
the front end but its errors, so that everything in it can build on them and pays nothing for it.
"""

from __future__ import annotations

import abc
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)
from types import TracebackType
from typing import Any, NoReturn, Self

from clarion.aio.errors import EOFType
from clarion.connectivity import ChannelConnectivity
from clarion.credentials import CallCredentials, ChannelCredentials, ServerCredentials
from clarion.generics import Generic, In, Out, Request, Response
from clarion.metadata import Metadata, Metadatum
from clarion.method import Compression, GenericRpcHandler, RpcMethodHandler
from clarion.status import Status, StatusCode

__all__ = [
    "Call",
    "Channel",
    "ChannelArgumentType",
    "MetadataType",
    "RpcContext",
    "Server",
    "ServicerContext",
    "StreamStreamCall",
    "StreamStreamMultiCallable",
    "StreamUnaryCall",
    "StreamUnaryMultiCallable",
    "UnaryStreamCall",
    "UnaryStreamMultiCallable",
    "UnaryUnaryCall",
    "UnaryUnaryMultiCallable",
]

ChannelArgumentType = Sequence[tuple[str, Any]]
"""Channel arguments: `(name, value)` pairs."""

MetadataType = Metadata | Sequence[tuple[str, str | bytes]]
"""What is taken as metadata: `Metadata`, or `(key, value)` pairs."""


class RpcContext(abc.ABC):
    """A call, as its client sees it, without its result."""

    __slots__ = ()

    @abc.abstractmethod
    def cancelled(self) -> bool:
        """Whether the call ended with status CANCELLED."""

    @abc.abstractmethod
    def done(self) -> bool:
        """Whether the call is over."""

    @abc.abstractmethod
    def time_remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; None if there is none."""

    @abc.abstractmethod
    def cancel(self) -> bool:
        """Cancel the call.

        Returns:
            Whether it was still going on.
        """

    @abc.abstractmethod
    def add_done_callback(self, callback: Callable[[Any], Any]) -> None:
        """Call `callback(call)` when the call is over.

        Args:
            callback: what to call, on the event loop.
        """


class Call(RpcContext):
    """A call, as its client sees it."""

    __slots__ = ()

    @abc.abstractmethod
    async def initial_metadata(self) -> Metadata:
        """The metadata before the response. Waits until it is there."""

    @abc.abstractmethod
    async def trailing_metadata(self) -> Metadata:
        """The metadata after the response. Waits for the end of the call."""

    @abc.abstractmethod
    async def code(self) -> StatusCode:
        """The status. Waits for the end of the call."""

    @abc.abstractmethod
    async def details(self) -> str:
        """The status message. Waits for the end of the call."""

    @abc.abstractmethod
    async def wait_for_connection(self) -> None:
        """Wait until the call is on a connection.

        Raises:
            AioRpcError: it ended before.
        """


class UnaryUnaryCall(Generic[Request, Response], Call):
    """A call with one request and one response: `response = await call`."""

    __slots__ = ()

    @abc.abstractmethod
    def __await__(self) -> Generator[Any, None, Response]:
        """Wait for the response.

        Raises:
            AioRpcError: the call ended with another status than OK.
            asyncio.CancelledError: the call was cancelled by this program.
        """


class UnaryStreamCall(Generic[Request, Response], Call):
    """A call with one request and a stream of responses: `async for response in call`, or `read`."""

    __slots__ = ()

    @abc.abstractmethod
    def __aiter__(self) -> AsyncIterator[Response]:
        """Iterate over the responses.

        Raises:
            AioRpcError: from the iteration, if the call ended with another status than OK.
            asyncio.CancelledError: from the iteration, if the call was cancelled by this program.
        """

    @abc.abstractmethod
    async def read(self) -> Response | EOFType:
        """Receive the next response.

        Returns:
            The message, or `clarion.aio.EOF` after the last one of a call that ended with OK.

        Raises:
            AioRpcError: the call ended with another status.
            asyncio.CancelledError: the call was cancelled by this program.
        """


class StreamUnaryCall(Generic[Request, Response], Call):
    """A call with a stream of requests and one response."""

    __slots__ = ()

    @abc.abstractmethod
    async def write(self, request: Request) -> None:
        """Send a request. Returns when flow control has taken it.

        Args:
            request: a request message.

        Raises:
            UsageError: the call was given a request iterator.
            asyncio.InvalidStateError: the call is over, or `done_writing` was called.
            AioRpcError: the call ended meanwhile.
        """

    @abc.abstractmethod
    async def done_writing(self) -> None:
        """No more requests follow. May be called again.

        Raises:
            UsageError: the call was given a request iterator.
        """

    @abc.abstractmethod
    def __await__(self) -> Generator[Any, None, Response]:
        """Wait for the response.

        Raises:
            AioRpcError: the call ended with another status than OK.
            asyncio.CancelledError: the call was cancelled by this program.
        """


class StreamStreamCall(Generic[Request, Response], Call):
    """A call with streams both ways. `write` and `read` may be awaited by different tasks."""

    __slots__ = ()

    @abc.abstractmethod
    def __aiter__(self) -> AsyncIterator[Response]:
        """Iterate over the responses; see `UnaryStreamCall`."""

    @abc.abstractmethod
    async def read(self) -> Response | EOFType:
        """Receive the next response; see `UnaryStreamCall`."""

    @abc.abstractmethod
    async def write(self, request: Request) -> None:
        """Send a request; see `StreamUnaryCall`."""

    @abc.abstractmethod
    async def done_writing(self) -> None:
        """No more requests follow; see `StreamUnaryCall`."""


class UnaryUnaryMultiCallable(abc.ABC, Generic[Request, Response]):
    """Calls a method with one request and one response."""

    __slots__ = ()

    @abc.abstractmethod
    def __call__(
        self,
        request: Request,
        *,
        timeout: float | None = None,
        metadata: MetadataType | None = None,
        credentials: CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> UnaryUnaryCall[Request, Response]:
        """Start a call; await the result for the response.

        Args:
            request: the request message.
            timeout: seconds that the call may take.
            metadata: `(key, value)` pairs.
            credentials: call credentials; they need a secure channel.
            wait_for_ready: wait through failures to connect, instead of failing with UNAVAILABLE.
            compression: overrides the channel's.

        Raises:
            UsageError: the channel is closed.
        """


class UnaryStreamMultiCallable(abc.ABC, Generic[Request, Response]):
    """Calls a method with one request and a stream of responses."""

    __slots__ = ()

    @abc.abstractmethod
    def __call__(
        self,
        request: Request,
        *,
        timeout: float | None = None,
        metadata: MetadataType | None = None,
        credentials: CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> UnaryStreamCall[Request, Response]:
        """Start a call; iterate over the result for the responses. See `UnaryUnaryMultiCallable`."""


class StreamUnaryMultiCallable(abc.ABC, Generic[Request, Response]):
    """Calls a method with a stream of requests and one response."""

    __slots__ = ()

    @abc.abstractmethod
    def __call__(
        self,
        request_iterator: Iterable[Request] | AsyncIterable[Request] | None = None,
        timeout: float | None = None,
        metadata: MetadataType | None = None,
        credentials: CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> StreamUnaryCall[Request, Response]:
        """Start a call; await the result for the response. See `UnaryUnaryMultiCallable`.

        Args:
            request_iterator: an iterable or async iterable of requests; None to use `write`.
        """


class StreamStreamMultiCallable(abc.ABC, Generic[Request, Response]):
    """Calls a method with streams both ways."""

    __slots__ = ()

    @abc.abstractmethod
    def __call__(
        self,
        request_iterator: Iterable[Request] | AsyncIterable[Request] | None = None,
        timeout: float | None = None,
        metadata: MetadataType | None = None,
        credentials: CallCredentials | None = None,
        wait_for_ready: bool | None = None,
        compression: Compression | None = None,
    ) -> StreamStreamCall[Request, Response]:
        """Start a call; iterate over the result for the responses. See `StreamUnaryMultiCallable`."""


class Channel(abc.ABC):
    """Calls methods of the server at a target. An `async with` block closes it at its end."""

    __slots__ = ()

    @abc.abstractmethod
    async def __aenter__(self) -> Self:
        """Begin a block at whose end the channel is closed."""

    @abc.abstractmethod
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        """Close the channel, without a grace period."""

    @abc.abstractmethod
    async def close(self, grace: float | None = None) -> None:
        """Close the channel.

        Args:
            grace: seconds that calls in progress may take to finish; then, or with None at once, they are
                cancelled.
        """

    @abc.abstractmethod
    def get_state(self, try_to_connect: bool = False) -> ChannelConnectivity:
        """The connectivity state.

        Args:
            try_to_connect: leave IDLE.
        """

    @abc.abstractmethod
    async def wait_for_state_change(self, last_observed_state: ChannelConnectivity) -> None:
        """Wait until the state is another one than `last_observed_state`."""

    @abc.abstractmethod
    async def channel_ready(self) -> None:
        """Connect, and wait until the channel is READY."""

    @abc.abstractmethod
    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[Out], bytes] | None = None,
        response_deserializer: Callable[[bytes], In] | None = None,
        _registered_method: bool | None = False,
    ) -> UnaryUnaryMultiCallable[Out, In]:
        """Make the callable for a method with one request and one response.

        Args:
            method: `/package.Service/Method`.
            request_serializer: request to bytes; None passes bytes through.
            response_deserializer: bytes to response; None passes bytes through.
        """

    @abc.abstractmethod
    def unary_stream(
        self,
        method: str,
        request_serializer: Callable[[Out], bytes] | None = None,
        response_deserializer: Callable[[bytes], In] | None = None,
        _registered_method: bool | None = False,
    ) -> UnaryStreamMultiCallable[Out, In]:
        """Make the callable for a method with one request and a stream of responses; see `unary_unary`."""

    @abc.abstractmethod
    def stream_unary(
        self,
        method: str,
        request_serializer: Callable[[Out], bytes] | None = None,
        response_deserializer: Callable[[bytes], In] | None = None,
        _registered_method: bool | None = False,
    ) -> StreamUnaryMultiCallable[Out, In]:
        """Make the callable for a method with a stream of requests and one response; see `unary_unary`."""

    @abc.abstractmethod
    def stream_stream(
        self,
        method: str,
        request_serializer: Callable[[Out], bytes] | None = None,
        response_deserializer: Callable[[bytes], In] | None = None,
        _registered_method: bool | None = False,
    ) -> StreamStreamMultiCallable[Out, In]:
        """Make the callable for a method with streams both ways; see `unary_unary`."""


class Server(abc.ABC):
    """Serves calls on an event loop."""

    __slots__ = ()

    @abc.abstractmethod
    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[GenericRpcHandler]) -> None:
        """Register handlers, behind those there are.

        Args:
            generic_rpc_handlers: asked in this order who serves a call.
        """

    def add_registered_method_handlers(  # noqa: B027 - to override it is a choice
        self, service_name: str, method_handlers: Mapping[str, RpcMethodHandler]
    ) -> None:
        """Register the handlers of one service. They come before generic ones.

        Args:
            service_name: full name, such as `package.Service`.
            method_handlers: handlers by method name.
        """

    @abc.abstractmethod
    def add_insecure_port(self, address: str) -> int:
        """Listen without TLS.

        Args:
            address: `host:port`; port 0 picks a free one.

        Returns:
            The port.
        """

    def add_secure_port(self, address: str, server_credentials: ServerCredentials) -> int:
        """Listen with TLS.

        Args:
            address: `host:port`; port 0 picks a free one.
            server_credentials: key and certificates.

        Returns:
            The port.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not do TLS; use add_insecure_port, behind a proxy that does"
        )

    @abc.abstractmethod
    async def start(self) -> None:
        """Begin to serve. May be called once."""

    @abc.abstractmethod
    async def stop(self, grace: float | None) -> None:
        """Stop taking calls, and end those in progress.

        Args:
            grace: seconds that calls in progress may take to finish; then they end with UNAVAILABLE. None
                ends them at once.
        """

    @abc.abstractmethod
    async def wait_for_termination(self, timeout: float | None = None) -> bool:
        """Wait until the server has stopped.

        Args:
            timeout: seconds to wait at most.

        Returns:
            Whether the time ran out before the server stopped.
        """

    def in_process_channel(
        self,
        options: Iterable[tuple[str, Any]] | None = None,
        compression: Compression | None = None,
        interceptors: Iterable[Any] | None = None,
        *,
        credentials: ChannelCredentials | None = None,
        server_credentials: ServerCredentials | None = None,
    ) -> Channel:
        """Make a channel to this server that needs no port, for tests and for use within the process.

        It is a channel like any other, over a pair of connected sockets, and may be used on any event loop. It may be
        made, and used, before the server starts: its calls wait until then. It keeps the server alive.

        Args:
            options: channel arguments, `(name, value)` pairs.
            compression: how requests are compressed by default.
            interceptors: of the channel.
            credentials: the channel's, as `secure_channel` takes them; None: none.
            server_credentials: those of the port that it would connect to; None: none.
        """
        raise NotImplementedError(f"{type(self).__name__} has no connections within the process")


class ServicerContext(abc.ABC, Generic[Request, Response]):
    """A call, as its handler sees it."""

    __slots__ = ()

    # Messages

    @abc.abstractmethod
    async def read(self) -> Request | EOFType:
        """Receive the next request.

        Returns:
            The message, or `clarion.aio.EOF` when the client has sent all.
        """

    @abc.abstractmethod
    async def write(self, message: Response) -> None:
        """Send a response. Returns when flow control has taken it.

        Args:
            message: a response message.
        """

    @abc.abstractmethod
    async def send_initial_metadata(self, initial_metadata: MetadataType) -> None:
        """Send the metadata before the first response. It may be sent once.

        Args:
            initial_metadata: `(key, value)` pairs.
        """

    # The end

    @abc.abstractmethod
    async def abort(
        self, code: StatusCode, details: str = "", trailing_metadata: MetadataType = ()
    ) -> NoReturn:
        """End the call with a status, and leave the handler.

        Args:
            code: any status but OK.
            details: the status message.
            trailing_metadata: `(key, value)` pairs.

        Raises:
            AbortError: always; do not catch it.
        """

    @abc.abstractmethod
    async def abort_with_status(self, status: Status) -> NoReturn:
        """End the call with a status, and leave the handler; see `abort`.

        Args:
            status: code, details and trailing metadata.

        Raises:
            AbortError: always; do not catch it.
        """

    @abc.abstractmethod
    def set_trailing_metadata(self, trailing_metadata: MetadataType) -> None:
        """Set the metadata that goes with the status, in place of what was set before.

        Args:
            trailing_metadata: `(key, value)` pairs.
        """

    @abc.abstractmethod
    def set_code(self, code: StatusCode) -> None:
        """Set the status with which the call ends when the handler returns."""

    @abc.abstractmethod
    def set_details(self, details: str) -> None:
        """Set the status message with which the call ends when the handler returns."""

    def trailing_metadata(self) -> MetadataType:
        """The trailing metadata as it was set; empty if it was not."""
        raise NotImplementedError(f"{type(self).__name__} does not tell its trailing metadata")

    def code(self) -> StatusCode | None:
        """The status as it was set; None if it was not."""
        raise NotImplementedError(f"{type(self).__name__} does not tell its status")

    def details(self) -> str:
        """The status message as it was set; empty if it was not."""
        raise NotImplementedError(f"{type(self).__name__} does not tell its status message")

    # The call

    @abc.abstractmethod
    def invocation_metadata(self) -> tuple[Metadatum, ...]:
        """The client's metadata, as `(key, value)` pairs that have these names, too."""

    @abc.abstractmethod
    def peer(self) -> str:
        """The client's address, such as `ipv4:127.0.0.1:50051`."""

    @abc.abstractmethod
    def peer_identities(self) -> Iterable[bytes] | None:
        """What the client proved to be: `auth_context()[peer_identity_key()]`; None if it proved nothing."""

    @abc.abstractmethod
    def peer_identity_key(self) -> str | None:
        """Which entry of `auth_context` identifies the client, such as `x509_common_name`; None if none does."""

    @abc.abstractmethod
    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """What the transport knows of the client, by property."""

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; None if there is none."""
        raise NotImplementedError(f"{type(self).__name__} does not tell its deadline")

    def cancelled(self) -> bool:
        """Whether the call was cut off by the client or its deadline."""
        raise NotImplementedError(f"{type(self).__name__} does not tell whether it was cancelled")

    def done(self) -> bool:
        """Whether the call is over."""
        raise NotImplementedError(f"{type(self).__name__} does not tell whether it is over")

    def add_done_callback(self, callback: Callable[[Any], Any]) -> None:
        """Call `callback(context)` when the call is over.

        Args:
            callback: what to call, on the event loop.
        """

    # Compression

    @abc.abstractmethod
    def set_compression(self, compression: Compression) -> None:
        """Compress the responses of this call, if the client can read it.

        Args:
            compression: how; overrides the server's.
        """

    @abc.abstractmethod
    def disable_next_message_compression(self) -> None:
        """Send the next response as it is, whatever the compression of the call."""
