"""What an asyncio handler knows of its call and can do to it (`grpc.aio.ServicerContext`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from clarion.aio.errors import AbortError, UsageError
from clarion.method import Compression
from clarion.protocol.compression import get_compressor
from clarion.protocol.metadata import encode_metadata
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.aio.server_call import AioServerCall

__all__ = ["ServicerContext"]


class ServicerContext:
    """The context of one call, passed to its handler."""

    __slots__ = (
        "_aborted",
        "_call",
        "_callbacks",
        "_code",
        "_compress_next",
        "_details",
        "_initial",
        "_trailing",
    )

    def __init__(self, call: AioServerCall) -> None:
        self._call = call
        self._code: StatusCode | None = None
        self._details = ""
        self._initial: Any = None
        self._trailing: Any = None
        self._callbacks: list[Callable[[ServicerContext], Any]] | None = None
        self._compress_next = True
        self._aborted = False

    # Messages

    async def read(self) -> Any:
        """Receive the next request.

        Returns:
            The message, or `EOF` when the client has sent all.

        Raises:
            UsageError: the method takes a single request.
        """
        method = self._call.method
        if method is None or not method.request_streaming:
            raise UsageError("read() needs a method with a stream of requests")
        return await self._call.next_request()

    async def write(self, message: Any) -> None:
        """Send a response. Returns when flow control has taken it.

        Args:
            message: a response message.

        Raises:
            UsageError: the method has a single response.
        """
        method = self._call.method
        if method is None or not method.response_streaming:
            raise UsageError("write() needs a method with a stream of responses")
        await self._call.write(message)

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        """Send the metadata before the first response.

        Args:
            initial_metadata: `(key, value)` pairs.

        Raises:
            UsageError: it was sent already.
        """
        if self._call.headers_sent:
            raise UsageError("initial metadata was sent already")
        self._call.send_initial_metadata(encode_metadata(initial_metadata))
        self._call.link.flush_soon()

    # The end

    async def abort(
        self, code: StatusCode, details: str = "", trailing_metadata: Any = ()
    ) -> NoReturn:
        """End the call with a status, and leave the handler.

        Args:
            code: any status but OK.
            details: the status message.
            trailing_metadata: `(key, value)` pairs.

        Raises:
            AbortError: always; do not catch it.
        """
        if self._aborted:
            raise UsageError("abort was called already")
        self._aborted = True
        if code is StatusCode.OK:
            self._code, self._details = StatusCode.UNKNOWN, f"abort with OK: {details}"
        else:
            self._code, self._details = code, details
        if trailing_metadata:
            self.set_trailing_metadata(trailing_metadata)
        raise AbortError(f"the call was aborted: {self._code.name}, {details}")

    async def abort_with_status(self, status: Any) -> NoReturn:
        """End the call with a `Status` (code, details, trailing metadata); see `abort`."""
        await self.abort(status.code, status.details, status.trailing_metadata)

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        """Set the metadata that goes with the status: `(key, value)` pairs."""
        encode_metadata(trailing_metadata)
        self._trailing = tuple(trailing_metadata)

    def set_code(self, code: StatusCode) -> None:
        """Set the status for when the handler returns."""
        self._code = code

    def set_details(self, details: str) -> None:
        """Set the status message for when the handler returns."""
        self._details = details

    def code(self) -> Any:
        """The status set so far, or 0 (OK) as grpcio has it."""
        return self._code if self._code is not None else 0

    def details(self) -> str:
        """The status message set so far."""
        return self._details

    def trailing_metadata(self) -> Any:
        """The trailing metadata set so far."""
        return self._trailing or ()

    # The call

    def invocation_metadata(self) -> Any:
        """The client's metadata as `(key, value)` pairs."""
        head = self._call.head
        return head.metadata if head is not None else ()

    def peer(self) -> str:
        """The client's address, such as `ipv4:127.0.0.1:50051`."""
        return self._call.link.peer()

    def peer_identities(self) -> Any:
        """The client's proven identities; None on a connection without TLS client certificates."""
        return None

    def peer_identity_key(self) -> str | None:
        """The auth-context key of the identities; None without TLS client certificates."""
        return None

    def auth_context(self) -> dict[str, Any]:
        """What the transport proved about the client; empty without TLS."""
        return {}

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; None if there is none."""
        call = self._call
        if call.deadline is None:
            return None
        return max(call.deadline - call.link.loop.time(), 0.0)

    def cancelled(self) -> bool:
        """Whether the call was cut off by the client or its deadline."""
        return self._call.was_cancelled()

    def done(self) -> bool:
        """Whether the call is over."""
        return self._call.over

    def is_active(self) -> bool:
        """Whether the call still goes on."""
        return not self._call.over

    def add_done_callback(self, callback: Callable[[ServicerContext], Any]) -> None:
        """Call `callback(context)` when the call is over."""
        if self._call.finished:
            self._call.link.loop.call_soon(callback, self)
            return
        if self._callbacks is None:
            self._callbacks = []
        self._callbacks.append(callback)

    def set_compression(self, compression: Compression) -> None:
        """Compress this call's responses, if the client can read it.

        Raises:
            UsageError: initial metadata, which names the compression, was sent already.
        """
        call = self._call
        if call.headers_sent:
            raise UsageError("compression must be set before initial metadata is sent")
        name = Compression(compression).encoding
        accepts = call.head.accepts if call.head is not None else ()
        call.encoder = get_compressor(name) if compression and name in accepts else None

    def disable_next_message_compression(self) -> None:
        """Send the next message as it is."""
        self._compress_next = False
