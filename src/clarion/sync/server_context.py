"""What a sync handler knows of its call and can do to it (`grpc.ServicerContext`)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from clarion.method import Compression
from clarion.protocol.compression import get_compressor
from clarion.protocol.metadata import encode_metadata
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.sync.server_call import SyncServerCall

__all__ = ["Aborted", "ServicerContext"]


class Aborted(Exception):
    """Raised by `ServicerContext.abort`, to leave the handler."""


class ServicerContext:
    """The context of one call, passed to its handler. Its methods may be called from any thread."""

    __slots__ = (
        "_aborted",
        "_call",
        "_callbacks",
        "_code",
        "_compress_next",
        "_details",
        "_trailing",
    )

    def __init__(self, call: SyncServerCall) -> None:
        self._call = call
        self._code: StatusCode | None = None
        self._details = ""
        self._trailing: Any = None
        self._callbacks: list[Callable[[], Any]] | None = None
        self._compress_next = True
        self._aborted = False

    # The call

    def invocation_metadata(self) -> Any:
        """The client's metadata as `(key, value)` pairs."""
        head = self._call.head
        return head.metadata if head is not None else ()

    def peer(self) -> str:
        """The client's address, such as `ipv4:127.0.0.1:50051`."""
        return self._call.link.peer

    def peer_identities(self) -> Any:
        """The client's proven identities; None on a connection without TLS client certificates."""
        return None

    def peer_identity_key(self) -> str | None:
        """The auth-context key of the identities; None without TLS client certificates."""
        return None

    def auth_context(self) -> dict[str, Any]:
        """What the transport proved about the client; empty without TLS."""
        return {}

    def is_active(self) -> bool:
        """Whether the call still goes on."""
        return not self._call.over

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; None if there is none."""
        deadline = self._call.deadline
        return None if deadline is None else max(deadline - time.monotonic(), 0.0)

    def cancel(self) -> None:
        """Cancel the call; the client sees CANCELLED."""
        # On the I/O thread, for this may be a signal handler whose thread has the connection's lock.
        self._call.link.io.post(self._call.cancelled_by_server)

    def add_callback(self, callback: Callable[[], Any]) -> bool:
        """Call `callback()` when the call is over, from a thread of Clarion's.

        Returns:
            False if the call is over already; the callback is not called then.
        """
        call = self._call
        with call.link.lock:
            if call.over:
                return False
            if self._callbacks is None:
                self._callbacks = []
            self._callbacks.append(callback)
            return True

    # Metadata and compression

    def send_initial_metadata(self, initial_metadata: Any) -> None:
        """Send the metadata before the first response.

        Args:
            initial_metadata: `(key, value)` pairs.

        Raises:
            ValueError: it was sent already.
        """
        fields = encode_metadata(initial_metadata)
        call = self._call
        with call.link.lock:
            if call.headers_sent:
                raise ValueError("initial metadata was sent already")
            call.send_initial_metadata(fields)
            call.link.flush_soon()

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        """Set the metadata that goes with the status: `(key, value)` pairs."""
        encode_metadata(trailing_metadata)
        self._trailing = tuple(trailing_metadata)

    def trailing_metadata(self) -> Any:
        """The trailing metadata set so far."""
        return self._trailing or ()

    def set_compression(self, compression: Compression) -> None:
        """Compress this call's responses, if the client can read it.

        Raises:
            ValueError: initial metadata, which names the compression, was sent already.
        """
        call = self._call
        with call.link.lock:
            if call.headers_sent:
                raise ValueError("compression must be set before initial metadata is sent")
            name = Compression(compression).encoding
            accepts = call.head.accepts if call.head is not None else ()
            call.encoder = get_compressor(name) if compression and name in accepts else None

    def disable_next_message_compression(self) -> None:
        """Send the next message as it is."""
        self._compress_next = False

    # The end

    def abort(self, code: StatusCode, details: str = "", trailing_metadata: Any = ()) -> NoReturn:
        """End the call with a status, and leave the handler.

        Args:
            code: any status but OK.
            details: the status message.
            trailing_metadata: `(key, value)` pairs.

        Raises:
            Exception: always; do not catch it.
        """
        self._aborted = True
        if code is StatusCode.OK:
            self._code, self._details = StatusCode.UNKNOWN, f"abort with OK: {details}"
        else:
            self._code, self._details = code, details
        if trailing_metadata:
            self.set_trailing_metadata(trailing_metadata)
        raise Aborted(f"the call was aborted: {self._code.name}, {details}")

    def abort_with_status(self, status: Any) -> NoReturn:
        """End the call with a `Status` (code, details, trailing metadata); see `abort`."""
        self.abort(status.code, status.details, status.trailing_metadata)

    def set_code(self, code: StatusCode) -> None:
        """Set the status for when the handler returns."""
        self._code = code

    def set_details(self, details: str) -> None:
        """Set the status message for when the handler returns."""
        self._details = details

    def code(self) -> StatusCode | None:
        """The status set so far."""
        return self._code

    def details(self) -> str:
        """The status message set so far."""
        return self._details
