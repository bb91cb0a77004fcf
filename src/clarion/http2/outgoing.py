"""The sending half of a connection: frames, flow control, and what has to wait.

Rules it keeps:
- HEADERS go to the outbox in the order they are encoded, because HPACK is stateful. Trailers that follow
  parked data are therefore encoded when the data is gone, not before.
- DATA leaves only within the stream's window, the connection's window (§6.9) and `room`, which is how much the
  transport takes before it must drain. The rest is parked on its stream; a writer that waits until nothing of
  its own is parked keeps at most one message here, so memory is bounded and a peer that stops reading stops
  the writer.
- Streams with parked data take turns, `_TURN` bytes at a time.
- While the transport is congested the peer can still make us answer, by frames that flow control does not
  cover. `Config.max_unsent` bounds that.
- Small frames are joined, large payloads are never copied: the outbox then holds the payload's own memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice

from clarion.hpack import Encoder
from clarion.http2 import frames
from clarion.http2.config import Config
from clarion.http2.errors import ErrorCode
from clarion.http2.lifecycle import ConnectionObserver, Lifecycle
from clarion.http2.stream import Stream

__all__ = ["Outgoing"]

Fields = tuple[tuple[bytes, bytes], ...]

_TURN = 1 << 16
# Up to this size one copy is cheaper than another buffer for the transport to gather.
_JOIN = 1 << 13
# Smaller pieces than this earn the peer nothing that its WINDOW_UPDATE frames could be paid with.
_WORTHY = 512

_pack = frames.FRAME_HEADER.pack


class Outgoing(Lifecycle):
    """Outbox, send windows and parked data of one connection.

    Attributes:
        room: bytes of DATA the transport still takes in this turn.
        send_window: the connection's send window.
        peer_initial_window, peer_max_frame_size, peer_max_header_list_size: what the peer's SETTINGS say.
        encoder: HPACK for what we send.
    """

    __slots__ = (
        "_congested",
        "_counted",
        "_pumping",
        "_unsent",
        "encoder",
        "peer_initial_window",
        "peer_max_frame_size",
        "peer_max_header_list_size",
        "room",
        "send_window",
    )

    def __init__(
        self,
        observer: ConnectionObserver,
        now: Callable[[], float],
        config: Config,
        *,
        is_client: bool,
    ) -> None:
        super().__init__(observer, now, config, is_client=is_client)
        self.room = config.send_buffer
        self.send_window = frames.DEFAULT_WINDOW
        self.peer_initial_window = frames.DEFAULT_WINDOW
        self.peer_max_frame_size = frames.DEFAULT_MAX_FRAME_SIZE
        self.peer_max_header_list_size: int | None = None
        self.encoder = Encoder(config.encoder_table_size)
        self._congested = False
        self._pumping = False
        # Bytes that became due while the transport is congested, and how much of the outbox is counted in.
        self._unsent = 0
        self._counted = 0

    # The transport's side

    def take_output(self) -> list[bytes | memoryview]:
        """Everything to write now. Call `output_sent` when the transport has taken it."""
        if self._congested:
            self._count_unsent()
            self._counted = 0
        output = self.outbox
        self.outbox = []
        return output

    def output_sent(self) -> bool:
        """The transport took what `take_output` gave; return whether that brought out more to write."""
        if not self._congested:
            self.room = self.config.send_buffer
            if self.turns:
                self.pump()
        return bool(self.outbox)

    def pause(self) -> None:
        """The transport is congested: park all DATA until `resume`."""
        if not self._congested:
            self._congested = True
            self.room = 0
            self._unsent = 0
            self._counted = len(self.outbox)

    def resume(self) -> None:
        """The transport drained."""
        self._congested = False
        self.room = self.config.send_buffer
        self.pump()

    def _count_unsent(self) -> None:
        outbox = self.outbox
        for piece in islice(outbox, self._counted, None):
            self._unsent += len(piece)
        self._counted = len(outbox)

    def _check_unsent(self) -> None:
        """Bound what a peer that does not read can make us answer; called while congested."""
        self._count_unsent()
        if self._unsent > self.config.max_unsent:
            self.fail(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"more than max_unsent={self.config.max_unsent} bytes of answers wait for a peer "
                f"that does not read",
            )

    # A stream's side

    def send_headers(self, stream: Stream, block: bytes, *, end_stream: bool = False) -> None:
        """Send an encoded header block that nothing parked precedes."""
        self.outbox.append(
            frames.header_frames(
                stream.stream_id, block, self.peer_max_frame_size, end_stream=end_stream
            )
        )
        if end_stream:
            self._local_end(stream)

    def send_message(
        self, stream: Stream, prefix: bytes, payload: bytes, *, end_stream: bool = False
    ) -> None:
        """Send `prefix` and `payload` as DATA, or park what does not fit.

        On a stream that has ended, for which its owner heard `aborted`, nothing happens.
        """
        size = len(prefix) + len(payload)
        if (
            size <= self.room
            and size <= stream.send_window
            and size <= self.send_window
            and size <= self.peer_max_frame_size
            and stream.parked is None
            and not stream.local_closed
        ):
            stream.send_window -= size
            self.send_window -= size
            self.room -= size
            self.messages_sent += 1
            header = _pack(size << 8, 1 if end_stream else 0, stream.stream_id)
            if size <= _JOIN:
                self.outbox.append(header + prefix + payload)
            else:
                self.outbox.append(header + prefix)
                self.outbox.append(payload)
            if end_stream:
                self._local_end(stream)
            return
        if stream.local_closed:
            return
        if stream.parked is None:
            stream.parked = deque()
        stream.parked.append(prefix)
        if payload:
            stream.parked.append(payload)
        stream.parked_size += size
        # It is work when it leaves.
        self.messages_sent += 1
        self._work -= 1
        if end_stream:
            stream.parked_end = True
        self._enqueue(stream)
        self.pump()

    def send_end(self, stream: Stream) -> None:
        """Half-close without trailers, after whatever is parked."""
        if stream.local_closed:
            return
        if stream.parked is not None:
            stream.parked_end = True
            return
        self.outbox.append(frames.frame_header(0, frames.DATA, frames.END_STREAM, stream.stream_id))
        self._local_end(stream)

    def send_trailers(self, stream: Stream, trailers: Fields) -> None:
        """Half-close with trailers, after whatever is parked."""
        if stream.local_closed:
            return
        if stream.parked is not None:
            stream.parked_trailers = trailers
            self._check_parked()
            return
        self.send_headers(stream, self.encoder.encode(trailers), end_stream=True)

    def _open_with(
        self, stream: Stream, block: bytes, prefix: bytes, payload: bytes, end_stream: bool
    ) -> bool:
        """Send a new stream's headers and first message at once; return False if they do not fit now."""
        size = len(prefix) + len(payload)
        if (
            size > _JOIN
            or size > self.room
            or size > self.send_window
            or size > stream.send_window
            or len(block) > self.peer_max_frame_size
        ):
            return False
        self.send_window -= size
        self.room -= size
        stream.send_window -= size
        self.messages_sent += 1
        sid = stream.stream_id
        self.outbox.append(
            _pack(len(block) << 8 | 1, 4, sid)
            + block
            + _pack(size << 8, 1 if end_stream else 0, sid)
            + prefix
            + payload
        )
        if end_stream:
            self._local_end(stream)
        return True

    def respond(
        self, stream: Stream, head: bytes, prefix: bytes, payload: bytes, end: bytes
    ) -> bool:
        """Send headers, one message and trailers at once; return False if they do not fit now.

        `head` and `end` are stateless header blocks (without dynamic table references), made once.
        """
        size = len(prefix) + len(payload)
        if (
            size > self.room
            or size > stream.send_window
            or size > self.send_window
            or size > self.peer_max_frame_size
            or stream.local_closed
        ):
            return stream.local_closed
        self.send_window -= size
        self.room -= size
        self.messages_sent += 1
        sid = stream.stream_id
        self.outbox.append(
            _pack(len(head) << 8 | 1, 4, sid)
            + head
            + _pack(size << 8, 0, sid)
            + prefix
            + payload
            + _pack(len(end) << 8 | 1, 5, sid)
            + end
        )
        self._local_end(stream)
        return True

    # Flow control towards the peer

    def pump(self) -> None:
        """Send parked data as far as windows and room allow."""
        if self._pumping:
            # `writable` led here: the loop below goes on with what it parked, without recursion.
            return
        turns = self.turns
        self._pumping = True
        try:
            while turns and self.room > 0 and self.send_window > 0:
                stream = turns.popleft()
                stream.pump_queued = False
                self._send_parked(stream)
        finally:
            self._pumping = False

    def _enqueue(self, stream: Stream) -> None:
        if not stream.pump_queued and stream.send_window > 0 and stream.parked is not None:
            stream.pump_queued = True
            self.turns.append(stream)

    def _send_parked(self, stream: Stream) -> None:
        parked = stream.parked
        assert parked is not None
        budget = min(_TURN, stream.send_window, self.send_window, self.room)
        outbox = self.outbox
        while budget > 0 and parked:
            limit = min(budget, self.peer_max_frame_size)
            at = len(outbox)
            size = 0
            while parked and size < limit:
                piece = parked[0]
                free = limit - size
                if len(piece) <= free:
                    outbox.append(piece)
                    size += len(piece)
                    parked.popleft()
                else:
                    view = memoryview(piece)
                    outbox.append(view[:free])
                    parked[0] = view[free:]
                    size = limit
            last = not parked and stream.parked_end and stream.parked_trailers is None
            outbox.insert(at, _pack(size << 8, 1 if last else 0, stream.stream_id))
            budget -= size
            stream.parked_size -= size
            stream.send_window -= size
            self.send_window -= size
            self.room -= size
            if size >= _WORTHY or not parked:
                self._work += 1
        if parked:
            self._enqueue(stream)
            return
        stream.parked = None
        if stream.parked_trailers is not None:
            block = self.encoder.encode(stream.parked_trailers)
            self.send_headers(stream, block, end_stream=True)
        elif stream.parked_end:
            self._local_end(stream)
        else:
            stream.writable()

    def _check_parked(self) -> None:
        """Bound what finished calls leave behind for a peer that gives no credit."""
        held = [s.parked_size for s in self.streams.values() if s.parked_trailers is not None]
        if len(held) > 1 and sum(held) > self.config.max_parked:
            self.fail(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"more than max_parked={self.config.max_parked} bytes of finished responses "
                f"wait for flow-control credit",
            )
