"""One direction of a connection through a chaos proxy.

Rules it keeps: bytes leave in the order in which they came; at most `_MOST_HELD` bytes are held, then the sender has to
wait as it would for a slow network; nothing blocks. It has no thread and no selector: whoever has those calls
`receive` when the source is readable and `send` when bytes are due or the sink is writable again.
"""

from __future__ import annotations

import math
import random
import socket
from collections import deque

from clarion.testing.faults import Ending, Faults

__all__ = ["Pipe"]

_MOST_HELD = 1 << 18
_READ = 1 << 16
# A throttled direction moves in steps of this many seconds, so that bytes trickle.
_STEP = 0.05


class Pipe:
    """Moves bytes from `source` to `sink`.

    Args:
        source: a non-blocking socket.
        sink: another one.
        faults: what is done to the bytes.
        rng: where chance comes from.

    Attributes:
        due: when the first held bytes leave; infinite if there are none.
        blocked: the sink took no more; `send` when it is writable.
        passed: bytes that left so far.
        over: the direction has ended, and nothing more will pass.
        ended: the ending of the faults that came to pass, until the owner has seen to it.
    """

    def __init__(
        self, source: socket.socket, sink: socket.socket, faults: Faults, rng: random.Random
    ) -> None:
        self.source = source
        self.sink = sink
        self.blocked = False
        self.passed = 0
        self.over = False
        self.ended: Ending | None = None
        self._rng = rng
        # None is the end: what follows it is dropped, or is not read.
        self._held: deque[tuple[float, bytes | None]] = deque()
        self._size = 0
        self._last_due = 0.0
        self._free_at = 0.0
        self._left: int | None = None
        # The faults' ending, once its bytes have come. It is final, whatever the faults are later.
        self._cut: Ending | None = None
        self._eof = False
        self.change(faults)

    def change(self, faults: Faults) -> None:
        """From now on do this to bytes that come. Bytes that are held leave as they would have."""
        self.faults = faults
        self._left = None if faults.ending is None else self._rng.randint(*faults.ends_after)

    @property
    def due(self) -> float:
        return self._held[0][0] if self._held else math.inf

    @property
    def wants_bytes(self) -> bool:
        """Whether the source is to be read."""
        if self._eof or self._size >= _MOST_HELD:
            return False
        return self._cut is not Ending.STALL

    @property
    def is_kept_open(self) -> bool:
        """Whether the connection has to stay, although nothing will pass in this direction."""
        return self._cut in (Ending.SWALLOW, Ending.STALL) and not self._eof

    def drop(self) -> None:
        """Let nothing more pass: what is held is forgotten, what comes is read and forgotten."""
        self._held.clear()
        self._size = 0
        self.over = True
        self.blocked = False
        self._cut = Ending.TRUNCATE

    @property
    def finished(self) -> bool:
        """Whether the source has ended, too."""
        return self._eof

    def receive(self, now: float) -> None:
        """Read the source, which is readable. Raises OSError if the connection is lost."""
        try:
            data = self.source.recv(_READ)
        except (BlockingIOError, InterruptedError):
            return
        if self._cut is not None or self.over:
            self._eof = self._eof or not data
            return
        if not data:
            self._eof = True
            self._hold(now, None)
            return
        if self._left is not None:
            data, self._left = data[: self._left], max(self._left - len(data), 0)
        self._hold_pieces(now, data)
        if self._left == 0:
            self._cut = self.faults.ending
            self._hold(now, None)

    def begin(self, now: float) -> None:
        """The connection is there: an ending after no bytes takes place at once."""
        if self._left == 0:
            self._cut = self.faults.ending
            self._hold(now, None)

    def _hold_pieces(self, now: float, data: bytes) -> None:
        faults = self.faults
        low, high = faults.chunk or (_READ, _READ)
        if faults.rate:
            step = max(int(faults.rate * _STEP), 1)
            low, high = min(low, step), min(high, step)
        if low >= len(data):
            if data:
                self._hold(now, data)
            return
        start = 0
        while start < len(data):
            end = start + (low if low == high else self._rng.randint(low, high))
            self._hold(now, data[start:end])
            start = end

    def _hold(self, now: float, piece: bytes | None) -> None:
        faults = self.faults
        due = now + faults.latency
        if faults.jitter:
            due += self._rng.random() * faults.jitter
        if faults.gather:
            due = math.ceil(due / faults.gather) * faults.gather
        if piece and faults.rate:
            due = max(due, self._free_at)
            self._free_at = due + len(piece) / faults.rate
        # TCP delivers in order, so nobody overtakes.
        self._last_due = due = max(due, self._last_due)
        self._held.append((due, piece))
        self._size += len(piece or b"")

    def send(self, now: float) -> None:
        """Send what is due, as far as the sink takes it. Raises OSError if the connection is lost."""
        self.blocked = False
        held = self._held
        while held and held[0][0] <= now:
            due, piece = held.popleft()
            if piece is None:
                self._end()
                return
            if self.faults.gather:
                piece = self._join(now, piece)
            try:
                sent = self.sink.send(piece)
            except (BlockingIOError, InterruptedError):
                sent = 0
            self.passed += sent
            self._size -= sent
            if sent < len(piece):
                held.appendleft((due, piece[sent:]))
                self.blocked = True
                return

    def _join(self, now: float, piece: bytes) -> bytes:
        pieces = [piece]
        held = self._held
        while held and held[0][0] <= now and held[0][1] is not None:
            pieces.append(held.popleft()[1] or b"")
        return b"".join(pieces)

    def _end(self) -> None:
        """The last byte has left: the source ended, or the faults' ending is due."""
        self.over = True
        self.ended = self._cut
        if self.ended is None or self.ended is Ending.HALF_CLOSE:
            self.sink.shutdown(socket.SHUT_WR)
