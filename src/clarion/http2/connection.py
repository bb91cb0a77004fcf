"""An HTTP/2 connection (RFC 9113), either role, without I/O.

`receive_data` takes bytes in any pieces and calls `Stream` methods; every sending method puts bytes into the
outbox for the driver to write.

A connection is one object made of rooms, each a class that builds on the one before:

    Lifecycle       how the connection and its streams end
    Outgoing        what we send: frames, the peer's flow control, what has to wait
    ReceiveWindow   what we allow the peer: our SETTINGS and credit
    ControlFrames   frames without request or response
    HeaderBlocks    HEADERS and CONTINUATION
    Incoming        the loop over received bytes, and DATA
    Connection      how streams begin
"""

from __future__ import annotations

from collections.abc import Callable

from clarion.errors import LocalError
from clarion.http2 import frames
from clarion.http2.config import Config
from clarion.http2.errors import ErrorCode, StreamFault
from clarion.http2.incoming import Incoming
from clarion.http2.lifecycle import ConnectionObserver
from clarion.http2.stream import Stream

__all__ = ["Connection", "ConnectionObserver", "StreamFactory"]

StreamFactory = Callable[["Connection", int], Stream]


class Connection(Incoming):
    """One connection.

    Args:
        observer: who hears about the connection as a whole.
        now: a monotonic clock in seconds, for flood budgets.
        config: limits and sizes.
        stream_factory: makes the `Stream` for a request that arrives; its presence makes this the server's
            side of the connection.
    """

    __slots__ = ("_stream_factory",)

    def __init__(
        self,
        observer: ConnectionObserver,
        now: Callable[[], float],
        config: Config | None = None,
        stream_factory: StreamFactory | None = None,
    ) -> None:
        super().__init__(observer, now, config or Config(), is_client=stream_factory is None)
        self._stream_factory = stream_factory

    def ping(self, data: bytes) -> None:
        """Send PING with eight bytes of data; `observer.ping_acknowledged` gets them back.

        Raises:
            LocalError: `data` has another size.
        """
        if len(data) != 8:
            raise LocalError(f"a PING carries 8 bytes, not {len(data)}")
        self.outbox.append(frames.ping(data))

    def open_stream(
        self,
        stream: Stream,
        block: bytes,
        prefix: bytes = b"",
        payload: bytes | None = None,
        *,
        end_stream: bool = False,
    ) -> None:
        """Open `stream` with a header block and, at once, the first message if there is one.

        Raises:
            LocalError: `can_open` is false. Ask before encoding `block`, which changes HPACK's state.
        """
        if not self.can_open:
            raise LocalError("no stream can be opened on this connection now; see can_open")
        sid = self._next_id
        self._next_id = sid + 2
        stream.stream_id = sid
        stream.send_window = self.peer_initial_window
        self.streams[sid] = stream
        self.opened += 1
        if payload is None:
            self.send_headers(stream, block, end_stream=end_stream)
        elif not self._open_with(stream, block, prefix, payload, end_stream):
            self.send_headers(stream, block)
            self.send_message(stream, prefix, payload, end_stream=end_stream)
        if sid == frames.MAX_STREAM_ID:
            # §5.1.1: identifiers cannot be used again, so new streams need a new connection.
            self.drain()
            self.observer.goaway_received(ErrorCode.NO_ERROR, b"stream identifiers are used up")

    def _accept_stream(self, sid: int) -> Stream | None:
        self._last_peer_id = sid
        if sid > self._refuse_above:
            # §6.8: the peer knows from our final GOAWAY that it is not taken.
            self._expect_leftovers(sid)
            return None
        limit = self.config.max_concurrent_streams
        if len(self.streams) >= limit:
            raise StreamFault(
                sid, ErrorCode.REFUSED_STREAM, f"max_concurrent_streams={limit} are open"
            )
        assert self._stream_factory is not None
        self.opened += 1
        stream = self.streams[sid] = self._stream_factory(self, sid)
        return stream
