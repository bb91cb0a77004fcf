"""A thread that waits for sockets, timers and work posted by other threads.

It is what a program without an event loop has in the background: it connects, accepts, keeps time, and reads
connections that no calling thread is reading. It starts with the first channel or server and is a daemon, so
it keeps no interpreter alive.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

__all__ = ["IoThread", "Timer", "Watched"]

_LOG = logging.getLogger(__name__)

_LONGEST_WAIT = 3600.0

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE


class Watched(Protocol):
    """Whoever owns a socket that the thread watches."""

    def io_ready(self, events: int) -> None:
        """The socket is readable or writable (`READ`, `WRITE`)."""


class Timer:
    """A callback that is due at a time."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Let it not happen."""
        self.callback = None


class IoThread:
    """The thread. `watch` and what it calls back run on it; `post` and the timers work from any thread."""

    now = staticmethod(time.monotonic)

    def __init__(self, name: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._posted: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._timer_lock = threading.Lock()
        self._dead_timers = 0
        self._order = itertools.count()
        self._reader, self._waker = socket.socketpair()
        self._reader.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._reader, READ)
        self._awake = False
        self._running = True
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    # From any thread

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on this thread."""
        return threading.get_ident() == self._thread.ident

    def post(self, callback: Callable[[], None]) -> None:
        """Call `callback` on the thread, after what it is doing now."""
        self._posted.append(callback)
        self._wake()

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` on the thread after `delay` seconds."""
        return self.call_at(time.monotonic() + delay, callback)

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` on the thread when `time.monotonic()` is `when`."""
        timer = Timer(callback)
        with self._timer_lock:
            timers = self._timers
            if len(timers) > 1000 and len(timers) > 2 * self._dead_timers:
                # Most timers are cancelled long before they are due. Look for them as the heap doubles.
                self._timers = timers = [entry for entry in timers if entry[2].callback is not None]
                heapq.heapify(timers)
                self._dead_timers = max(len(timers), 500)
            heapq.heappush(timers, (when, next(self._order), timer))
            first = timers[0][2] is timer
        if first:
            self._wake()
        return timer

    def stop(self) -> None:
        """End the thread, after what was posted."""
        self.post(self._stop)

    def _wake(self) -> None:
        if not self._awake and threading.get_ident() != self._thread.ident:
            self._awake = True
            try:
                self._waker.send(b"\0")
            except OSError:
                # Full: it wakes anyway. Closed: nobody is there to wake.
                pass

    # On the thread

    def watch(self, sock: socket.socket, events: int, owner: Watched) -> None:
        """Call `owner.io_ready(events)` when `sock` is ready; no events means no longer."""
        known = sock in self._selector.get_map()
        if not events:
            if known:
                self._selector.unregister(sock)
        elif known:
            self._selector.modify(sock, events, owner)
        else:
            self._selector.register(sock, events, owner)

    def _run(self) -> None:
        select = self._selector.select
        posted = self._posted
        while self._running:
            for key, events in select(0 if posted else self._until_next_timer()):
                owner: Watched | None = key.data
                if owner is None:
                    self._drain()
                else:
                    self._guard(owner.io_ready, events)
                # What is over must not be kept until the next event.
                del key, owner
            # Only what is there now: a callback that posts itself again must not starve the sockets.
            for _ in range(len(posted)):
                self._guard(posted.popleft())
            if self._timers:
                self._run_timers()

    def _drain(self) -> None:
        try:
            self._reader.recv(4096)
        except OSError:
            pass
        # Cleared before the posted work is looked at, so nothing posted later goes unnoticed.
        self._awake = False

    def _until_next_timer(self) -> float | None:
        with self._timer_lock:
            timers = self._timers
            while timers and timers[0][2].callback is None:
                heapq.heappop(timers)
            if not timers:
                return None
            # The system call takes no wait of years.
            return min(max(timers[0][0] - time.monotonic(), 0.0), _LONGEST_WAIT)

    def _run_timers(self) -> None:
        now = time.monotonic()
        while True:
            with self._timer_lock:
                if not self._timers or self._timers[0][0] > now:
                    return
                timer = heapq.heappop(self._timers)[2]
            if timer.callback is not None:
                self._guard(timer.callback)

    def _guard(self, callback: Callable[..., None], *args: int) -> None:
        try:
            callback(*args)
        except BaseException:
            # Whatever it is, the other connections need the thread.
            _LOG.exception("internal error on the I/O thread")

    def _stop(self) -> None:
        self._running = False
        self._selector.close()
        self._reader.close()
        self._waker.close()

    def abandon(self) -> None:
        """In a forked child, where the thread does not exist: close what it had open."""
        self._running = False
        for closable in (self._selector, self._reader, self._waker):
            closable.close()
