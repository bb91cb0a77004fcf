"""A thread that hands things on, so that nobody who has something to tell waits for a disk or a terminal.

Rules it keeps:

- `put` never blocks and never raises. What does not fit is dropped and counted: memory is bounded. It may come in the middle
  of itself: the garbage collector ends calls, and so do handlers of signals.
- What the receiver raises is logged, once in a while, and goes no further.
- The thread starts with the first item, and anew in a forked child. At the interpreter's exit what is queued is handed on.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

__all__ = ["BackgroundWriter"]

_LOG = logging.getLogger(__name__)

_T = TypeVar("_T")

# How many items are handed on at a time, and how often a receiver that raises is complained about, in seconds.
_BATCH = 256
_COMPLAIN = 60.0
# How long the interpreter's exit waits for what is queued, in seconds.
_LAST_MOMENT = 2.0


class BackgroundWriter(Generic[_T]):
    """Hands items to `write`, in order, on a thread of its own.

    Args:
        write: gets lists of items. It may block; what it raises is logged.
        most: how many items may be queued.
        name: the thread's.

    Attributes:
        dropped: how many items did not fit.
    """

    def __init__(
        self, write: Callable[[list[_T]], object], most: int = 10_000, name: str = "clarion-writer"
    ) -> None:
        self.dropped = 0
        self._write = write
        self._most = most
        self._name = name
        self._complained = -_COMPLAIN
        self._renew()
        _writers.add(self)

    def _renew(self) -> None:
        self._items: deque[_T] = deque()
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None
        self._busy = False
        self._closed = False

    def put(self, item: _T) -> bool:
        """Queue `item`; from any thread. Returns False if it was dropped."""
        with self._changed:
            if self._closed or len(self._items) >= self._most:
                self.dropped += 1
                return False
            self._items.append(item)
            if self._thread is None:
                self._start()
            elif not self._busy:
                self._changed.notify_all()
            return True

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # The interpreter exits, and starts no more threads; `flush` does the rest.
            self._thread = None

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                while not self._items:
                    if self._closed:
                        return
                    self._changed.wait()
                items = self._take()
            self._hand_on(items)
            # Nothing of it may live on while the thread waits.
            del items

    def _take(self) -> list[_T]:
        self._busy = True
        items = self._items
        return [items.popleft() for _ in range(min(len(items), _BATCH))]

    def _hand_on(self, items: list[_T]) -> None:
        try:
            self._write(items)
        except Exception:
            now = time.monotonic()
            if now - self._complained >= _COMPLAIN:
                self._complained = now
                _LOG.exception("%s: what receives the items raised", self._name)

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all that was queued is handed on.

        Args:
            timeout: in seconds.

        Returns:
            False if it was not in time, or if it is the receiver that asks.
        """
        if threading.current_thread() is self._thread:
            return False
        deadline = time.monotonic() + timeout
        while True:
            with self._changed:
                if not self._items and not self._busy:
                    return True
                alive = self._thread is not None and self._thread.is_alive()
                if alive:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return False
                    self._changed.notify_all()
                    self._changed.wait(min(left, 0.5))
                    continue
                # The interpreter exits, and starts no more threads.
                items = self._take()
            self._hand_on(items)
            with self._changed:
                self._busy = False

    def close(self, timeout: float = 10.0) -> bool:
        """Take no more, and wait for what is queued; see `flush`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        done = self.flush(timeout)
        _writers.discard(self)
        return done

    def forget_fork(self) -> None:
        """In a forked child: what is queued is the parent's, and the thread is not here."""
        closed = self._closed
        self._renew()
        self._closed = closed


_writers: weakref.WeakSet[BackgroundWriter[Any]] = weakref.WeakSet()


def _forget_fork() -> None:
    for writer in list(_writers):
        writer.forget_fork()


def _flush_all() -> None:
    deadline = time.monotonic() + _LAST_MOMENT
    for writer in list(_writers):
        writer.flush(max(deadline - time.monotonic(), 0.0))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_fork)
atexit.register(_flush_all)
