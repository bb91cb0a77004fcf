"""One HTTP/2 stream as its connection sees it (RFC 9113 §5).

The layer above subclasses `Stream`, and the connection calls the subclass's methods directly: no event
objects, no queues. The methods are called while the connection reads or writes, so they must not block and
must not raise anything but `StreamFault`.

    idle ──(HEADERS)──> open ──(END_STREAM)──> half-closed ──(END_STREAM)──> closed
                          └───────────── RST_STREAM, GOAWAY, connection lost ────┘
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from clarion.http2.errors import error_name
from clarion.settled_attributes import SettledAttributes

if TYPE_CHECKING:
    from clarion.hpack import HeaderList
    from clarion.http2.connection import Connection

__all__ = ["Abort", "Stream"]


class Abort(NamedTuple):
    """Why a stream ended before both sides finished it.

    Attributes:
        code: the HTTP/2 error code.
        message: what happened, for an error text.
        remote: the peer said so (RST_STREAM, GOAWAY) rather than this side or the network.
        unprocessed: the peer certainly did not act on the stream, so that its request is safe to repeat
            (REFUSED_STREAM, above GOAWAY's last stream, or never sent).
        connection_lost: the whole connection went, not this stream alone.
    """

    code: int
    message: str
    remote: bool = False
    unprocessed: bool = False
    connection_lost: bool = False

    def describe(self) -> str:
        """One line for an error text."""
        return f"{self.message} ({error_name(self.code)})"


class Stream(SettledAttributes):
    """State of a stream that flow control and the state machine need.

    Attributes:
        connection: the connection the stream is on.
        stream_id: 0 until the stream is opened.
        send_window: bytes the peer lets us send (may be negative, §6.9.2).
        recv_window: bytes we let the peer send.
        recv_credit: bytes consumed and not yet announced to the peer.
        local_closed, remote_closed: END_STREAM was sent or received (or the stream was reset).
        content_left: bytes that content-length still promises, or None.
        parked: data accepted for sending that flow control or the transport holds back, `parked_size` bytes
            of it; `parked_end` and `parked_trailers` are what follows it.
        pump_queued: the stream stands in the connection's queue of streams that may send.
    """

    # What most streams never change stays on the class: making a stream is part of every call.
    recv_credit = 0
    local_closed = False
    remote_closed = False
    content_left: int | None = None
    parked: deque[bytes | memoryview] | None = None
    parked_size = 0
    parked_end = False
    parked_trailers: tuple[tuple[bytes, bytes], ...] | None = None
    pump_queued = False

    _set_later: ClassVar[tuple[str, ...]] = ("local_closed", "remote_closed", "content_left")

    def __init__(self, connection: Connection, stream_id: int = 0) -> None:
        self.connection = connection
        self.stream_id = stream_id
        self.send_window = connection.peer_initial_window
        self.recv_window = connection.recv_stream_window

    def headers_received(self, headers: HeaderList, end_stream: bool) -> None:
        """A header list arrived: the initial one, an informational one, or trailers."""
        raise NotImplementedError

    def data_received(self, data: bytes | memoryview, end_stream: bool) -> None:
        """A piece of a DATA payload arrived. Pieces end anywhere. The layer above credits what it consumed
        with `Connection.consumed`."""
        raise NotImplementedError

    def aborted(self, reason: Abort) -> None:
        """The stream is over, before both sides finished it. The last call on this object."""
        raise NotImplementedError

    def writable(self) -> None:
        """All that was parked has been sent; a waiting writer may go on."""
        raise NotImplementedError
