"""Choices out of bytes, so that a fuzzer's bytes can steer more than the parser they reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["Reader"]

T = TypeVar("T")


class Reader:
    """Takes bytes from the front. At the end every number is 0 and every piece empty."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes there still are."""
        return len(self._data) - self._at

    def byte(self) -> int:
        """The next byte."""
        if not self.left:
            return 0
        self._at += 1
        return self._data[self._at - 1]

    def choose(self, options: Sequence[T]) -> T:
        """One of `options`, by the next byte."""
        return options[self.byte() % len(options)]

    def take(self, size: int) -> bytes:
        """Up to `size` bytes."""
        taken = self._data[self._at : self._at + size]
        self._at += len(taken)
        return taken

    def piece(self) -> bytes:
        """A piece that says its length first: in one byte, or after 255 in two more."""
        size = self.byte()
        if size == 255:
            size = self.byte() << 8 | self.byte()
        return self.take(size)

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.left)
