"""How long to wait between attempts to connect, or to look up a name
(https://github.com/grpc/grpc/blob/master/doc/connection-backoff.md)."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Backoff"]

_MULTIPLIER = 1.6
_JITTER = 0.2


class Backoff:
    """Exponential backoff with jitter.

    Args:
        initial: seconds before the second attempt.
        maximum: seconds that the wait never exceeds, before jitter.
        random: a number from 0 up to 1.
    """

    def __init__(self, initial: float, maximum: float, random: Callable[[], float]) -> None:
        self._initial = initial
        self._maximum = maximum
        self._random = random
        self._next = initial

    def next(self) -> float:
        """The seconds from the start of the attempt that failed to the start of the next."""
        delay = min(self._next, self._maximum)
        self._next = min(delay * _MULTIPLIER, self._maximum)
        return delay * (1 + _JITTER * (2 * self._random() - 1))

    def reset(self) -> None:
        """A connection worked."""
        self._next = self._initial
