"""What the two sides of an HTTP/1.1 connection do alike: bodies leave as the transport takes them, and reading rests.

Rules it keeps:
- A piece of a body is given to `h11` when it leaves, and not before: what is parked is whole, and may still be dropped.
- Bodies leave within `room` only. There is one stream at a time, so what is parked waits for the transport and for nobody else.
- While the socket is not read (`held`), nothing that came before is worked off either, until `go_on`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

import h11

from clarion.http2 import Config, ErrorCode
from clarion.http2.lifecycle import ConnectionObserver
from clarion.http2.outgoing import Outgoing
from clarion.http2.stream import Stream
from clarion.web.http1.plain_encoder import PlainEncoder

__all__ = ["Http1Observer", "Http1Side"]

_TURN = 1 << 16
# Up to this size one copy is cheaper than another chunk.
_JOIN = 1 << 13
# HTTP/1.1 has no windows.
_UNLIMITED = 1 << 60


class Http1Observer(ConnectionObserver, Protocol):
    """What the owner of the connection hears beside what all do. Called while the connection works."""

    def hold_reading(self) -> None:
        """Read no more of the socket until `go_on_reading`."""

    def go_on_reading(self) -> None:
        """Call `go_on` soon, where received bytes are worked off, for some may be waiting; then read again, if it is not
        `held` any more."""


class Http1Side(Outgoing):
    """One side of a connection; `Http1Connection` and `Http1ClientConnection` are the two.

    Args:
        observer: who hears about it.
        now: a monotonic clock in seconds.
        config: what is common to all connections of the server or the channel.
        is_client: which side it is.
        max_head: bytes that a head may have, to `h11`.

    Attributes:
        bytes_received: all bytes that ever came.
        held: the socket is not to be read now.
    """

    __slots__ = (
        "_bodiless",
        "_h11",
        "_in_loop",
        "_piece",
        "_stream",
        "_uncredited",
        "bytes_received",
        "held",
        "recv_stream_window",
        "recv_window",
    )

    observer: Http1Observer

    def __init__(
        self,
        observer: Http1Observer,
        now: Callable[[], float],
        config: Config,
        *,
        is_client: bool,
        max_head: int,
    ) -> None:
        super().__init__(observer, now, config, is_client=is_client)
        self.send_window = self.peer_initial_window = _UNLIMITED
        self.recv_stream_window = self.recv_window = 0
        self.encoder = cast(Any, PlainEncoder())
        self.bytes_received = 0
        self.held = False
        role = h11.CLIENT if is_client else h11.SERVER
        self._h11 = h11.Connection(role, max_incomplete_event_size=max_head)
        self._stream: Stream | None = None
        # The last piece of a body that comes, until it is known whether it was the last.
        self._piece: bytes | None = None
        # The body that goes has no bytes, whatever is given for it.
        self._bodiless = False
        # Bytes that the stream has not consumed.
        self._uncredited = 0
        self._in_loop = False

    # What comes

    def go_on(self) -> None:
        """Work off what was received and had to wait."""
        if self.closed or self._in_loop:
            return
        self._in_loop = True
        try:
            self._events()
        except Exception:
            self.fail(ErrorCode.INTERNAL_ERROR, "internal error")
            raise
        finally:
            self._in_loop = False

    @abstractmethod
    def _events(self) -> None:
        """Work off what `h11` finds in the bytes that came, until reading is held."""

    def _hold(self) -> None:
        if not self.held and not self.closed:
            self.held = True
            self.observer.hold_reading()

    def _release(self) -> None:
        if self.held and not self.closed:
            self.held = False
            self.observer.go_on_reading()

    # What goes

    def send_message(
        self, stream: Stream, prefix: bytes, payload: bytes, *, end_stream: bool = False
    ) -> None:
        if stream is not self._stream or stream.local_closed:
            return
        size = len(prefix) + len(payload)
        self.messages_sent += 1
        if size <= self.room and stream.parked is None:
            self.room -= size
            if size <= _JOIN:
                self._send_piece(prefix + payload)
            else:
                self._send_piece(prefix)
                self._send_piece(payload)
            if end_stream:
                self._end_body(stream)
            return
        if stream.parked is None:
            stream.parked = deque()
        stream.parked += (prefix, payload) if prefix else (payload,)
        stream.parked_size += size
        stream.parked_end = end_stream
        self._enqueue(stream)
        self.pump()

    def _send_piece(self, piece: bytes | memoryview) -> None:
        if piece and not self._bodiless:
            data = h11.Data(data=cast(bytes, piece))
            self.outbox += self._h11.send_with_data_passthrough(data) or ()

    def _send_parked(self, stream: Stream) -> None:
        parked = stream.parked
        assert parked is not None
        budget = min(_TURN, self.room)
        while parked and budget > 0:
            piece = parked.popleft()
            if len(piece) > budget:
                view = memoryview(piece)
                parked.appendleft(view[budget:])
                piece = view[:budget]
            size = len(piece)
            budget -= size
            self.room -= size
            stream.parked_size -= size
            self._send_piece(piece)
        if parked:
            self._enqueue(stream)
            return
        stream.parked = None
        if stream.parked_end:
            self._end_body(stream)
        else:
            stream.writable()

    @abstractmethod
    def _end_body(self, stream: Stream) -> None:
        """All of the body was given to `h11`."""
