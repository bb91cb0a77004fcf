"""gRPC messages out of the DATA frames of a stream (PROTOCOL-HTTP2, "Length-Prefixed-Message"), for who looks on. gRPC-Web and
the streams of Connect have the same, with more flags.

Of a message no more is kept than `KEPT` bytes, and of all messages that are under way on a connection no more than its budget:
what is above that is counted, and not shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["KEPT", "Budget", "MessageReader", "SeenMessage"]

KEPT = 1 << 16
_CONNECTION_KEPT = 1 << 22


class SeenMessage(NamedTuple):
    """One message.

    Attributes:
        compressed: its flag says so.
        length: in bytes, as on the wire.
        data: as much of it as was kept.
        end: it is no message, but how the call ended, as gRPC-Web and Connect say it.
    """

    compressed: bool
    length: int
    data: bytes
    end: bool = False


class Budget:
    """What may be kept of the messages that are under way."""

    def __init__(self, left: int = _CONNECTION_KEPT) -> None:
        self.left = left

    def take(self, size: int) -> int:
        """Take as much of `size` as there is; return that."""
        taken = min(size, self.left)
        self.left -= taken
        return taken

    def give(self, size: int) -> None:
        """Give it back."""
        self.left += size


class MessageReader:
    """One direction of one stream."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._prefix = b""
        self._data = bytearray()
        self._left = 0
        self._wanted = 0
        self._length = -1
        self._compressed = self._end = False
        self._lost = False

    def feed(self, data: bytes, missing: int = 0) -> Iterator[SeenMessage]:
        """Take what a DATA frame carries.

        Args:
            data: as much as is there.
            missing: how many bytes at its end are not.
        """
        at = 0
        while not self._lost:
            if self._length < 0:
                need = 5 - len(self._prefix)
                self._prefix += data[at : at + need]
                at += need
                if len(self._prefix) < 5:
                    # A prefix that was not kept: where messages begin is not known any more.
                    self._lost = missing > 0
                    return
                self._begin()
            here = min(self._left, len(data) - at)
            if here > 0:
                self._keep(data[at : at + here])
                at += here
            if self._left and missing:
                unseen = min(self._left, missing)
                self._left -= unseen
                missing -= unseen
                self._wanted = 0
            if self._left:
                return
            yield self._complete()
            if at >= len(data) and not missing:
                return

    def _begin(self) -> None:
        self._compressed = bool(self._prefix[0] & 1)
        self._end = self._prefix[0] > 1
        self._length = self._left = int.from_bytes(self._prefix[1:], "big")
        self._wanted = self._budget.take(min(self._length, KEPT))
        self._data = bytearray()
        self._reserved = self._wanted
        self._prefix = b""

    _reserved = 0

    def _keep(self, piece: bytes) -> None:
        self._left -= len(piece)
        if self._wanted:
            kept = piece[: self._wanted]
            self._wanted -= len(kept)
            self._data += kept

    def _complete(self) -> SeenMessage:
        message = SeenMessage(self._compressed, self._length, bytes(self._data), self._end)
        self.close()
        return message

    def close(self) -> None:
        """Forget what is under way."""
        self._budget.give(self._reserved)
        self._reserved = 0
        self._data = bytearray()
        self._length = -1
