"""What a sync handler knows of its call and can do to it (`grpc.ServicerContext`).

What cannot be sent is refused by the method that is given it, so that ending a call never fails.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from clarion.metadata import Metadata
from clarion.method import Compression
from clarion.protocol.compression import get_compressor
from clarion.protocol.metadata import encode_metadata
from clarion.server_core.serving import auth_properties
from clarion.status import Status, StatusCode
from clarion.sync import interfaces
from clarion.sync.errors import CallOver

if TYPE_CHECKING:
    from clarion.sync.server_call import SyncServerCall

__all__ = ["Aborted", "ServicerContext"]

_LOG = logging.getLogger(__name__)


class Aborted(Exception):
    """Raised by `ServicerContext.abort`, to leave the handler."""


class _State(NamedTuple):
    """`client` is "cancelled" if the call ended before its handler did, and "open" otherwise."""

    client: str
    code: Any
    details: str
    trailing_metadata: Any


class ServicerContext(interfaces.ServicerContext):
    """The context of one call, passed to its handler. Its methods may be called from any thread.

    Applications may add attributes of their own; interceptors use that to tell handlers something.
    """

    # Further attributes go to the instance's dictionary, which is not made before the first of them.
    __slots__ = (
        "_aborted",
        "_call",
        "_callbacks",
        "_code",
        "_compress_next",
        "_details",
        "_trailing",
    )

    # What was given to `set_code` where that is no status; the call ends with UNKNOWN then, as with grpcio.
    _odd_code: Any = None

    # What the handler records of the call's load, if it does (`clarion.orca`).
    _metrics: Any = None

    def __init__(self, call: SyncServerCall) -> None:
        self._call = call
        self._code: StatusCode | None = None
        self._details = ""
        self._trailing: Any = None
        self._callbacks: list[Callable[[], Any]] | None = None
        self._compress_next = True
        self._aborted = False

    def __repr__(self) -> str:
        call = self._call
        path = call.head.path if call.head is not None else "an unknown method"
        return f"<clarion.ServicerContext of {path}, from {self.peer()}>"

    # The call

    def invocation_metadata(self) -> Any:
        """The client's metadata as `(key, value)` pairs."""
        head = self._call.head
        return head.metadata if head is not None else ()

    def peer(self) -> str:
        """The client's address, such as `ipv4:127.0.0.1:50051`."""
        return self._call.link.peer

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

    def is_active(self) -> bool:
        """Whether the call still goes on."""
        return not self._call.over

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; None if there is none."""
        deadline = self._call.deadline
        return None if deadline is None else max(deadline - time.monotonic(), 0.0)

    def cancel(self) -> None:
        """Cancel the call; the client sees CANCELLED."""
        if not self._aborted:
            # The handler may return before the I/O thread comes to it.
            self._code, self._details = StatusCode.CANCELLED, "the server cancelled the call"
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
            ValueError: it was sent already, or is no metadata.
            RpcError: the call is over.
        """
        fields = encode_metadata(_pairs(initial_metadata))
        call = self._call
        with call.link.lock:
            if call.over:
                raise CallOver("the call is over; initial metadata can no longer be sent")
            if call.headers_sent:
                raise ValueError(
                    "initial metadata was sent already, by this method or with the first response"
                )
            call.send_initial_metadata(fields)
            call.link.flush_soon()

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        """Set the metadata that goes with the status, in place of what was set before.

        Args:
            trailing_metadata: `(key, value)` pairs, or None for none.

        Raises:
            ValueError: it is no metadata.
        """
        trailing = _pairs(trailing_metadata)
        encode_metadata(trailing)
        self._trailing = () if trailing is None and self._metrics is not None else trailing

    def record_metrics(self, make: Callable[[], Any]) -> Any:
        """What records the call's load; made by `make` the first time. For `clarion.orca`."""
        if self._metrics is None:
            self._metrics = make()
            # Calls without trailing metadata take a shorter way.
            self._trailing = self._trailing or ()
        return self._metrics

    def trailing_fields(self) -> tuple[tuple[bytes, bytes], ...]:
        """The trailing metadata as header fields."""
        fields = encode_metadata(self._trailing)
        return fields if self._metrics is None else fields + self._metrics.fields()

    def trailing_metadata(self) -> Any:
        """The trailing metadata as it was set; None if it was not."""
        return self._trailing

    def set_compression(self, compression: Compression | None) -> None:
        """Compress this call's responses, if the client can read it.

        Does nothing once initial metadata, which names the compression, was sent.

        Args:
            compression: how; None leaves it at the server's.
        """
        if compression is None:
            return
        name = Compression(compression).encoding
        call = self._call
        with call.link.lock:
            if not call.headers_sent:
                accepts = call.head.accepts if call.head is not None else ()
                wanted = compression and name in accepts and call.core.options.compress
                call.encoder = get_compressor(name) if wanted else None

    def disable_next_message_compression(self) -> None:
        """Send the next message as it is."""
        self._compress_next = False

    # The end

    def abort(self, code: StatusCode, details: str) -> NoReturn:
        """End the call with a status, and leave the handler.

        Args:
            code: any status but OK, which ends the call with UNKNOWN.
            details: the status message.

        Raises:
            Exception: always; do not catch it.
        """
        if code is StatusCode.OK:
            _LOG.error("abort was called with the status OK; the call ends with UNKNOWN")
            code, details = StatusCode.UNKNOWN, ""
        self.set_code(code)
        self.set_details(details)
        self._aborted = True
        raise Aborted(f"the call was aborted: {self._code and self._code.name}, {self._details}")

    def abort_with_status(self, status: Status) -> NoReturn:
        """End the call with a status, and leave the handler; see `abort`.

        Args:
            status: code, details, and trailing metadata that replaces what was set before.

        Raises:
            Exception: always; do not catch it.
        """
        self.set_trailing_metadata(status.trailing_metadata)
        self.abort(status.code, status.details)

    def set_code(self, code: StatusCode) -> None:
        """Set the status with which the call ends when the handler returns.

        Args:
            code: a `StatusCode`. Anything else, numbers too, ends the call with UNKNOWN, as with grpcio.
        """
        given: Any = code
        if given is None or isinstance(given, StatusCode):
            self._code = given
        else:
            self._code, self._odd_code = StatusCode.UNKNOWN, given

    def set_details(self, details: str) -> None:
        """Set the status message with which the call ends when the handler returns.

        Raises:
            TypeError: it is no text.
        """
        given: Any = details
        if isinstance(given, bytes):
            given = given.decode("utf-8", "replace")
        elif given is not None and not isinstance(given, str):
            raise TypeError(f"the details of a status must be str, not {type(given).__name__}")
        self._details = given or ""

    def code(self) -> Any:
        """The status as it was set; None if it was not."""
        if self._code is StatusCode.UNKNOWN and self._odd_code is not None:
            return self._odd_code
        return self._code

    def details(self) -> str:
        """The status message as it was set; empty if it was not."""
        return self._details

    @property
    def _state(self) -> _State:
        """What libraries that count and trace calls read from grpcio's contexts: how the call stands."""
        over = self._call.over
        return _State("cancelled" if over else "open", self.code(), self._details, self._trailing)


def _pairs(metadata: Any) -> Any:
    """Metadata as something that can be read twice."""
    if metadata is None or isinstance(metadata, tuple | str | bytes):
        return metadata
    if isinstance(metadata, Metadata) or not isinstance(metadata, Mapping):
        return tuple(metadata)
    return metadata
