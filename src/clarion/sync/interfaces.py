"""What sync calls, contexts and servers offer, as abstract classes that applications may implement too.

Interceptors return calls of their own (`class Cached(grpc.Call, grpc.Future)`), tests make contexts and servers. So
these classes ask for no more than grpcio's of the same name do: what is abstract there is abstract here, and a
method added later is never abstract. Whatever Clarion hands out is an instance of them.

They import nothing of the front end, so that everything in it can build on them.
"""

from __future__ import annotations

import abc
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from clarion.credentials import ChannelCredentials, ServerCredentials
from clarion.generics import Generic, ResponseOut
from clarion.metadata import Metadatum
from clarion.method import Compression, GenericRpcHandler, RpcMethodHandler
from clarion.status import Status, StatusCode

if TYPE_CHECKING:
    from clarion.sync.channel_interface import Channel

__all__ = [
    "Call",
    "CallFuture",
    "CallIterator",
    "Future",
    "MetadataPairs",
    "RpcContext",
    "Server",
    "ServicerContext",
]

MetadataPairs = Iterable[tuple[str, str | bytes]]
"""Metadata as it is given: `(key, value)` pairs, with bytes under keys that end in `-bin` and text otherwise."""


class Future(abc.ABC, Generic[ResponseOut]):
    """A result that will be there later. Calls that were started with `future` are such."""

    @abc.abstractmethod
    def cancel(self) -> bool:
        """Try to cancel the computation.

        Returns:
            Whether it is cancelled; False where it was over already.
        """

    @abc.abstractmethod
    def cancelled(self) -> bool:
        """Whether the computation was cancelled before it had a result."""

    @abc.abstractmethod
    def running(self) -> bool:
        """Whether the computation goes on."""

    @abc.abstractmethod
    def done(self) -> bool:
        """Whether the computation is over: with a result, an exception, or cancelled."""

    @abc.abstractmethod
    def result(self, timeout: float | None = None) -> ResponseOut:
        """Wait for the result.

        Args:
            timeout: seconds to wait; None waits for ever.

        Raises:
            FutureTimeoutError: there was no result in time.
            FutureCancelledError: the computation was cancelled.
            Exception: what the computation raised; an `RpcError` if it is a call.
        """

    @abc.abstractmethod
    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end, and return what the computation raised; None if it has a result.

        Args:
            timeout: seconds to wait; None waits for ever.

        Raises:
            FutureTimeoutError: it was not over in time.
            FutureCancelledError: the computation was cancelled.
        """

    @abc.abstractmethod
    def traceback(self, timeout: float | None = None) -> TracebackType | None:
        """Wait for the end, and return the traceback of what the computation raised; None if it has a result.

        Args:
            timeout: seconds to wait; None waits for ever.

        Raises:
            FutureTimeoutError: it was not over in time.
            FutureCancelledError: the computation was cancelled.
        """

    @abc.abstractmethod
    def add_done_callback(self, fn: Callable[[Future[ResponseOut]], Any]) -> None:
        """Call `fn(self)` when the computation is over; at once if it is.

        Args:
            fn: what to call. What it raises is logged.
        """


class RpcContext(abc.ABC):
    """A call, as either side sees it."""

    @abc.abstractmethod
    def is_active(self) -> bool:
        """Whether the call goes on."""

    @abc.abstractmethod
    def time_remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; None if there is none."""

    @abc.abstractmethod
    def cancel(self) -> Any:
        """Cancel the call. Does nothing if it is over."""

    @abc.abstractmethod
    def add_callback(self, callback: Callable[[], Any]) -> bool:
        """Call `callback()` when the call is over.

        Returns:
            Whether it will be called; False where the call was over already.
        """


class Call(RpcContext):
    """A call, as its client sees it."""

    @abc.abstractmethod
    def initial_metadata(self) -> tuple[Metadatum, ...]:
        """The metadata before the response. Waits until it is there."""

    @abc.abstractmethod
    def trailing_metadata(self) -> tuple[Metadatum, ...]:
        """The metadata after the response. Waits for the end of the call."""

    @abc.abstractmethod
    def code(self) -> StatusCode:
        """The status. Waits for the end of the call."""

    @abc.abstractmethod
    def details(self) -> str:
        """The status message. Waits for the end of the call."""


class CallFuture(Call, Future[ResponseOut]):
    """What starting a call with one response returns: the call, which is the future of its response too."""

    if TYPE_CHECKING:

        def add_done_callback(self, fn: Callable[[CallFuture[ResponseOut]], Any]) -> None: ...


class CallIterator(Call, Future[Any], Generic[ResponseOut]):
    """What starting a call with a stream of responses returns: iterate over it for the responses."""

    if TYPE_CHECKING:

        def add_done_callback(self, fn: Callable[[CallIterator[ResponseOut]], Any]) -> None: ...

    @abc.abstractmethod
    def __iter__(self) -> Iterator[ResponseOut]: ...

    @abc.abstractmethod
    def __next__(self) -> ResponseOut:
        """The next response. Waits for it.

        Raises:
            StopIteration: the call ended with status OK.
            RpcError: the call ended with another status.
        """


class ServicerContext(RpcContext):
    """A call, as its handler sees it."""

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

    # Metadata and compression

    @abc.abstractmethod
    def send_initial_metadata(self, initial_metadata: MetadataPairs) -> None:
        """Send the metadata before the first response. It may be sent once.

        Args:
            initial_metadata: `(key, value)` pairs.
        """

    @abc.abstractmethod
    def set_trailing_metadata(self, trailing_metadata: MetadataPairs) -> None:
        """Set the metadata that goes with the status, in place of what was set before.

        Args:
            trailing_metadata: `(key, value)` pairs.
        """

    def trailing_metadata(self) -> Any:
        """The trailing metadata as it was set; None if it was not."""
        raise NotImplementedError(f"{type(self).__name__} does not tell its trailing metadata")

    def set_compression(self, compression: Compression) -> None:
        """Compress the responses of this call, if the client can read it.

        Args:
            compression: how; overrides the server's.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot compress")

    def disable_next_message_compression(self) -> None:
        """Send the next response as it is, whatever the compression of the call."""
        raise NotImplementedError(f"{type(self).__name__} cannot compress")

    # The end

    @abc.abstractmethod
    def abort(self, code: StatusCode, details: str) -> NoReturn:
        """End the call with a status, and leave the handler.

        Args:
            code: any status but OK.
            details: the status message.

        Raises:
            Exception: always; do not catch it.
        """

    @abc.abstractmethod
    def abort_with_status(self, status: Status) -> NoReturn:
        """End the call with a status, and leave the handler; see `abort`.

        Args:
            status: code, details and trailing metadata.

        Raises:
            Exception: always; do not catch it.
        """

    @abc.abstractmethod
    def set_code(self, code: StatusCode) -> None:
        """Set the status with which the call ends when the handler returns."""

    @abc.abstractmethod
    def set_details(self, details: str) -> None:
        """Set the status message with which the call ends when the handler returns."""

    def code(self) -> Any:
        """The status as it was set; None if it was not."""
        raise NotImplementedError(f"{type(self).__name__} does not tell its status")

    def details(self) -> Any:
        """The status message as it was set."""
        raise NotImplementedError(f"{type(self).__name__} does not tell its status message")


class Server(abc.ABC):
    """Serves calls."""

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
    def start(self) -> None:
        """Begin to serve. May be called once."""

    @abc.abstractmethod
    def stop(self, grace: float | None) -> threading.Event:
        """Stop taking calls, and end those in progress.

        Args:
            grace: seconds that calls in progress may take to finish. None ends them at once, with UNAVAILABLE.

        Returns:
            An event that is set when the server has stopped.
        """

    def wait_for_termination(self, timeout: float | None = None) -> bool:
        """Wait until the server has stopped.

        Args:
            timeout: seconds to wait; None waits for ever.

        Returns:
            Whether the time ran out before the server stopped.
        """
        raise NotImplementedError(f"{type(self).__name__} does not tell when it has stopped")

    def in_process_channel(
        self,
        options: Sequence[tuple[str, Any]] | None = None,
        compression: Compression | None = None,
        *,
        credentials: ChannelCredentials | None = None,
        server_credentials: ServerCredentials | None = None,
    ) -> Channel:
        """Make a channel to this server that needs no port, for tests and for use within the process.

        It is a channel like any other, over a pair of connected sockets. It may be made, and used, before the server
        starts: its calls wait until then. It keeps the server alive.

        Args:
            options: channel arguments, `(name, value)` pairs.
            compression: how requests are compressed by default.
            credentials: the channel's, as `secure_channel` takes them; None: none.
            server_credentials: those of the port that it would connect to; None: none.
        """
        raise NotImplementedError(f"{type(self).__name__} has no connections within the process")
