"""What an asyncio handler knows of its call and can do to it (`grpc.aio.ServicerContext`).

What cannot be sent is refused by the method that is given it, so that ending a call never fails. A context may outlive
its call: what would send then says that the call is over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from clarion.aio import interfaces
from clarion.aio.errors import AbortError, UsageError
from clarion.method import Compression
from clarion.protocol.compression import get_compressor
from clarion.protocol.metadata import encode_metadata
from clarion.server_core.serving import auth_properties
from clarion.status import STATUS_CODES, Status, StatusCode

if TYPE_CHECKING:
    from clarion.aio.server_call import AioServerCall

__all__ = ["ServicerContext"]


class ServicerContext(interfaces.ServicerContext[Any, Any]):
    """The context of one call, passed to its handler."""

    __slots__ = (
        "_aborted",
        "_call",
        "_callbacks",
        "_code",
        "_compress_next",
        "_details",
        "_odd_code",
        "_trailing",
    )

    def __init__(self, call: AioServerCall) -> None:
        self._call = call
        self._code: StatusCode | None = None
        # What was given to `set_code` where that is no status.
        self._odd_code: Any = None
        self._details = ""
        self._trailing: Any = None
        self._callbacks: list[Callable[[ServicerContext], Any]] | None = None
        self._compress_next = True
        self._aborted = False

    def __repr__(self) -> str:
        call = self._call
        path = call.head.path if call.head is not None else "an unknown method"
        return f"<clarion.aio.ServicerContext of {path}, from {self.peer()}>"

    # Messages

    async def read(self) -> Any:
        """Receive the next request.

        Returns:
            The message, or `EOF` when the client has sent all.

        Raises:
            UsageError: the method takes a single request, or the call is over.
            AbortError: the call was aborted.
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
            UsageError: the method has a single response, or the call is over.
            AbortError: the call was aborted.
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
            UsageError: it was sent already, by this method or with the first response, or the call is over.
            AbortError: the call was aborted.
            ValueError: it is no metadata.
        """
        call = self._call
        fields = encode_metadata(initial_metadata)
        if call.over:
            raise call.over_error()
        if call.headers_sent:
            raise UsageError(
                "initial metadata was sent already, by this method or with the first response"
            )
        call.send_initial_metadata(fields)
        call.link.flush_soon()

    # The end

    async def abort(
        self, code: StatusCode, details: str = "", trailing_metadata: Any = ()
    ) -> NoReturn:
        """End the call with a status, and leave the handler. The status goes out even if the handler goes on.

        Args:
            code: any status but OK, which ends the call with UNKNOWN.
            details: the status message.
            trailing_metadata: `(key, value)` pairs; replaces what was set before if it has any.

        Raises:
            AbortError: always; do not catch it.
            UsageError: abort was called before.
        """
        if self._aborted:
            raise UsageError("abort was called already")
        if trailing_metadata:
            self.set_trailing_metadata(trailing_metadata)
        self.set_details(details)
        self.set_code(code)
        status = self._code or StatusCode.UNKNOWN
        if status is StatusCode.OK:
            status = self._code = StatusCode.UNKNOWN
            self._details = f"abort with OK: {self._details}"
        self._aborted = True
        call = self._call
        call.finish(status, self._details, self.trailing_fields())
        call.link.flush_soon()
        raise AbortError(f"the call was aborted: {status.name}, {self._details}")

    async def abort_with_status(self, status: Status) -> NoReturn:
        """End the call with a status, and leave the handler; see `abort`.

        Args:
            status: code, details and trailing metadata.

        Raises:
            AbortError: always; do not catch it.
        """
        await self.abort(status.code, status.details, status.trailing_metadata)

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        """Set the metadata that goes with the status, in place of what was set before.

        Args:
            trailing_metadata: `(key, value)` pairs, or None for none.

        Raises:
            ValueError: it is no metadata.
        """
        trailing = trailing_metadata
        if trailing is not None and not isinstance(trailing, (tuple, str, bytes, Mapping)):
            # It is read twice.
            trailing = tuple(trailing)
        encode_metadata(trailing)
        self._trailing = () if trailing is None and self._call.metrics is not None else trailing

    def record_metrics(self, make: Callable[[], Any]) -> Any:
        """What records the call's load; made by `make` the first time. For `clarion.orca`."""
        if self._call.metrics is None:
            self._call.metrics = make()
            # Calls without trailing metadata take a shorter way.
            self._trailing = self._trailing or ()
        return self._call.metrics

    def trailing_fields(self) -> tuple[tuple[bytes, bytes], ...]:
        """The trailing metadata as header fields."""
        fields = encode_metadata(self._trailing)
        return fields if self._call.metrics is None else fields + self._call.metrics.fields()

    def set_code(self, code: StatusCode) -> None:
        """Set the status with which the call ends when the handler returns.

        Args:
            code: a `StatusCode`. A number stands for the status that has it; anything else for UNKNOWN.
        """
        given: Any = code
        if given is None or isinstance(given, StatusCode):
            self._code = given
            self._odd_code = None
            return
        known = isinstance(given, int) and 0 <= given < len(STATUS_CODES)
        self._code = STATUS_CODES[given] if known else StatusCode.UNKNOWN
        self._odd_code = given

    def set_details(self, details: str) -> None:
        """Set the status message with which the call ends when the handler returns.

        Raises:
            TypeError: it is no text.
        """
        given: Any = details
        if given is not None and not isinstance(given, str):
            raise TypeError(f"the details of a status must be str, not {type(given).__name__}")
        self._details = given or ""

    def code(self) -> Any:
        """The status as it was set; None if it was not."""
        return self._code if self._odd_code is None else self._odd_code

    def details(self) -> str:
        """The status message as it was set; empty if it was not."""
        return self._details

    def trailing_metadata(self) -> Any:
        """The trailing metadata as it was set; empty if it was not."""
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
        """The client's proven identities, as bytes; None if it has none, as without a client certificate."""
        auth = self._call.link.auth
        return None if auth is None else auth.identities

    def peer_identity_key(self) -> str | None:
        """The auth-context key of the identities; None if there are none."""
        auth = self._call.link.auth
        return None if auth is None else auth.key

    def auth_context(self) -> dict[str, list[bytes]]:
        """What is known of the client, by key; each value is a list of bytes."""
        return auth_properties(self._call)

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

    def set_compression(self, compression: Compression | None) -> None:
        """Compress this call's responses, if the client can read it.

        Args:
            compression: how; None leaves it at the server's.

        Raises:
            RuntimeError: initial metadata, which names the compression, was sent already.
        """
        call = self._call
        if call.headers_sent:
            raise RuntimeError("compression must be set before initial metadata is sent")
        if compression is None:
            return
        name = Compression(compression).encoding
        accepts = call.head.accepts if call.head is not None else ()
        wanted = compression and name in accepts and call.core.options.compress
        call.encoder = get_compressor(name) if wanted else None

    def disable_next_message_compression(self) -> None:
        """Send the next message as it is."""
        self._compress_next = False
