"""A clock that stands still until a test moves it, for real servers and channels.

While a `FakeClock` is in use, all of Clarion in this process reads it: deadlines, keepalive, idleness, backoff, retry
delays, grace periods. Threads, sockets and event loops are the real ones, so nothing is simulated but the time.

Rules it keeps: time moves in `advance` alone; what is due runs in the order of its times, and each time what it caused
on I/O threads and attached event loops has come to rest before the next; the hot paths know nothing of it, for it
replaces where they look (`time` in a few modules), and puts that back.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Protocol

__all__ = ["FakeClock"]

# More steps than that without the time moving: a timer that sets itself anew.
_MOST_STEPS = 10_000
# How long a thread may take to come to rest, in real seconds. Only a failure gets there.
_PATIENCE = 60.0
# What a thread that has read gets to take the lock, in real seconds.
_A_MOMENT = 0.0005

_in_use = threading.Lock()


class _Source(Protocol):
    """Something with timers and a thread."""

    def due(self) -> float | None:
        """When its first timer is due, or None."""

    def first(self) -> str:
        """What its first timer is for, in words."""

    def wake(self) -> None:
        """Have it look at the clock."""

    def at_rest(self, done: Callable[[bool], None]) -> None:
        """Call `done` on its thread with whether it has nothing to do before its next timer."""

    def shift(self, seconds: float) -> None:
        """Have its timers be due so much sooner."""


class FakeClock:
    """Time by hand. A context manager; there is one at a time in a process.

    Enter it before the servers and channels are made that are to live by it, and close them before it ends::

        with FakeClock() as clock:
            ...
            future = stub.SayHello.future(request, timeout=5)
            clock.advance(5)
            assert future.code() is StatusCode.DEADLINE_EXCEEDED

    An asyncio program's event loop has to be attached; then everything on it lives by the clock, `asyncio.sleep` and
    `asyncio.wait_for` too. Code of the application that asks `time` itself does not.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._undo: ExitStack | None = None
        self._loops: dict[asyncio.AbstractEventLoop, _Loop] = {}

    # Its use

    def __enter__(self) -> FakeClock:
        if not _in_use.acquire(blocking=False):
            raise RuntimeError("a FakeClock is in use already; there is one at a time in a process")
        with ExitStack() as stack:
            stack.callback(_in_use.release)
            self._now = time.monotonic()
            stack.callback(self._shift_timers)
            self._patch(stack)
            stack.callback(self._detach)
            self._undo = stack.pop_all()
        for source in self._sources():
            source.wake()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        undo, self._undo = self._undo, None
        if undo is not None:
            undo.close()

    def now(self) -> float:
        """The time in seconds; where it began means nothing."""
        return self._now

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have an event loop live by this clock, until it ends. Again for the same loop does nothing.

        Args:
            loop: one of asyncio's own; before channels and servers are used on it.

        Raises:
            TypeError: it is another library's, whose time cannot be set.
            RuntimeError: the clock is not in use.
        """
        if self._undo is None:
            raise RuntimeError(
                "the clock is not in use; enter it first (with FakeClock() as clock)"
            )
        if not isinstance(loop, asyncio.BaseEventLoop):
            raise TypeError(
                f"the time of {type(loop).__module__}.{type(loop).__name__} cannot be set; run the test on "
                "asyncio's own event loop"
            )
        if loop not in self._loops:
            self._loops[loop] = _Loop(loop, self.now)

    def detach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give an event loop its own time back. Nothing if it has that; from any thread."""
        attached = self._loops.pop(loop, None)
        if attached is None:
            return
        attached.detach()
        if loop.is_closed():
            return
        ahead = self._now - time.monotonic()
        if loop.is_running() and loop is not _running_loop():
            loop.call_soon_threadsafe(attached.shift, ahead)
        else:
            attached.shift(ahead)
            attached.wake()

    def advance(self, seconds: float) -> None:
        """Let time pass. What is due meanwhile is done when this returns, in so far as Clarion does it.

        What handlers and other threads of the application do because of it is not waited for; wait for its result.

        Args:
            seconds: how many.

        Raises:
            ValueError: they are negative.
            RuntimeError: this is the thread of an attached event loop (see `advance_aio`), or there is no rest.
        """
        running = _running_loop()
        if running in self._loops:
            raise RuntimeError("on an event loop of this clock, use: await clock.advance_aio(...)")
        for _ in self._steps(seconds):
            for _ in self._unrest():
                pass

    async def advance_aio(self, seconds: float) -> None:
        """`advance`, on an attached event loop.

        Args:
            seconds: how many.

        Raises:
            ValueError: they are negative.
            RuntimeError: there is no rest.
        """
        for _ in self._steps(seconds):
            for _ in self._unrest():
                await asyncio.sleep(0)

    # How time moves

    def _steps(self, seconds: float) -> Iterator[None]:
        if seconds < 0:
            raise ValueError(f"time does not go back ({seconds} s)")
        until = self._now + seconds
        # What was begun just now may set timers.
        yield
        for _ in range(_MOST_STEPS):
            due = min(
                (each for each in (source.due() for source in self._sources()) if each is not None),
                default=until,
            )
            at_end = due >= until
            self._now = max(self._now, min(due, until))
            for source in self._sources():
                source.wake()
            yield
            if at_end and not self._is_due():
                return
        left = ", ".join(filter(None, (source.first() for source in self._sources())))
        raise RuntimeError(f"after {_MOST_STEPS} timers there were still some due: {left}")

    def _is_due(self) -> bool:
        return any((source.due() or self._now + 1) <= self._now for source in self._sources())

    def _unrest(self) -> Iterator[None]:
        """Goes on while something happens on the threads and loops."""
        running = _running_loop()
        quiet = 0
        while quiet < 2:
            verdicts = [self._ask(source, running) for source in self._sources()]
            yield
            at_rest = all(verdict() for verdict in verdicts) and not _unread()
            quiet = quiet + 1 if at_rest else 0

    def _ask(
        self, source: _Source, running: asyncio.AbstractEventLoop | None
    ) -> Callable[[], bool]:
        answer: list[bool] = []
        said = threading.Event()

        def done(at_rest: bool) -> None:
            answer.append(at_rest)
            said.set()

        source.at_rest(done)
        if isinstance(source, _Loop) and source.loop is running:
            return lambda: bool(answer) and answer[0]

        def verdict() -> bool:
            if not said.wait(_PATIENCE):
                raise RuntimeError(f"{source!r} did not come to rest within {_PATIENCE:g} s")
            return answer[0]

        return verdict

    def _sources(self) -> list[_Source]:
        """Whatever has timers now."""
        from clarion.sync import runtime, sync_server

        threads = {server._io for server in list(sync_server._servers)}
        if runtime._runtime is not None:
            threads.add(runtime._runtime.io)
        sources: list[_Source] = [_IoThread(io) for io in threads if io is not None and io._running]
        for loop, attached in list(self._loops.items()):
            if loop.is_closed():
                del self._loops[loop]
            else:
                sources.append(attached)
        return sources

    # Where Clarion looks

    def _patch(self, stack: ExitStack) -> None:
        from clarion.sync import (
            call,
            call_objects,
            channel,
            client_link,
            io_thread,
            runtime,
            server_context,
            server_link,
        )

        # Made now, so that it has its own time again afterwards.
        process = runtime.runtime()
        stand_in = _Time(self.now)
        for module in (
            call,
            call_objects,
            channel,
            client_link,
            io_thread,
            server_context,
            server_link,
        ):
            _replace(stack, module, "time", stand_in)
        _replace(stack, io_thread.IoThread, "now", staticmethod(self.now))
        _replace(stack, io_thread.IoThread, "_until_next_timer", _until_next_timer)
        _replace(stack, channel._MultiCallable, "_new", _timed(channel._MultiCallable._new))
        _replace(stack, call.SyncCall, "wait_until", _woken(call.SyncCall.wait_until))
        _replace(stack, process, "now", self.now)

    def _shift_timers(self) -> None:
        """The clock is put back to the real time: what is still to happen happens after as long a time."""
        ahead = self._now - time.monotonic()
        for source in self._sources():
            source.shift(ahead)
            source.wake()

    def _detach(self) -> None:
        for loop in list(self._loops):
            self.detach(loop)


class _Time:
    """The module `time` with another monotonic clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.monotonic = now

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


def _replace(stack: ExitStack, owner: Any, name: str, value: Any) -> None:
    stack.callback(setattr, owner, name, vars(owner)[name])
    setattr(owner, name, value)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


# What waits on the sync front end


def _until_next_timer(io: Any) -> float | None:
    """See `IoThread`. Real time brings no timer nearer."""
    with io._timer_lock:
        return 0.0 if io._timers and io._timers[0][0] <= io.now() else None


def _timed(new: Callable[..., Any]) -> Callable[..., Any]:
    """Every call's deadline gets a timer; a thread that waits for the answer cannot see the clock move."""

    @functools.wraps(new)
    def make(*args: Any, **kwargs: Any) -> Any:
        call = new(*args, **kwargs)
        call.watch_deadline()
        return call

    return make


def _woken(wait_until: Callable[..., bool]) -> Callable[..., bool]:
    """A wait with a limit is one without, that a timer ends."""

    @functools.wraps(wait_until)
    def wait(call: Any, ready: Callable[[], bool], deadline: float | None) -> bool:
        if deadline is None or ready():
            return wait_until(call, ready, None)
        over = False

        def end() -> None:
            nonlocal over
            over = True
            attempt = call.attempt
            if attempt is not None:
                with attempt.link.lock:
                    attempt.link.notify(call)
            opened = call._opened
            if opened is not None:
                # A new one for who waits next; `wait_until` looks for an attempt first.
                call._opened = threading.Event()
                opened.set()

        timer = call._runtime.io.call_at(deadline, end)
        wait_until(call, lambda: over or ready(), None)
        timer.cancel()
        return ready()

    return wait


class _IoThread:
    """An I/O thread's timers."""

    def __init__(self, io: Any) -> None:
        self._io = io

    def due(self) -> float | None:
        with self._io._timer_lock:
            live = [when for when, _, timer in self._io._timers if timer.callback is not None]
        return min(live, default=None)

    def first(self) -> str:
        with self._io._timer_lock:
            live = [each for each in self._io._timers if each[2].callback is not None]
        return repr(min(live)[2].callback) if live else ""

    def wake(self) -> None:
        self._io.post(lambda: None)

    def at_rest(self, done: Callable[[bool], None]) -> None:
        io = self._io

        def look() -> None:
            if not io._running:
                done(True)
                return
            ready = [key for key, _ in io._selector.select(0) if key.data is not None]
            done(not io._posted and not ready)

        io.post(look)
        if not io._running:
            # It may have ended before it saw that.
            done(True)

    def shift(self, seconds: float) -> None:
        io = self._io
        with io._timer_lock:
            io._timers = [(when - seconds, order, timer) for when, order, timer in io._timers]


def _unread() -> bool:
    """Whether a thread that waits for an answer has something to read: it reads the connection itself."""
    from clarion.sync.runtime import runtime

    for link in list(runtime().links):
        if link._leader is None:
            continue
        try:
            link.sock.recv(1, socket.MSG_PEEK)
        except OSError:
            # There is nothing, or no connection any more. The thread may have read just now, and not done more.
            time.sleep(_A_MOMENT)
            with link.lock:
                continue
        return True
    return False


# Event loops


class _Loop:
    """An event loop that lives by the clock. Its time is an attribute, which an instance may have for itself."""

    def __init__(self, loop: Any, now: Callable[[], float]) -> None:
        self.loop = loop
        self._now = now
        selector = self.loop._selector
        self._select = selector.select
        self.loop.time = now
        selector.select = self._wait

    def _wait(self, timeout: float | None = None) -> Any:
        # Real time brings no timer nearer.
        return self._select(timeout if timeout is None or timeout <= 0 else None)

    def detach(self) -> None:
        """The loop has its own time again."""
        del self.loop.time
        if not self.loop.is_closed():
            del self.loop._selector.select

    def due(self) -> float | None:
        live = [handle.when() for handle in list(self.loop._scheduled) if not handle.cancelled()]
        return min(live, default=None)

    def first(self) -> str:
        live = [handle for handle in list(self.loop._scheduled) if not handle.cancelled()]
        return repr(min(live, key=lambda each: each.when())) if live else ""

    def wake(self) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(lambda: None)

    def at_rest(self, done: Callable[[bool], None]) -> None:
        def look() -> None:
            # Besides what moves the time here, or what woke the loop from elsewhere.
            done(len(self.loop._ready) <= 1 and not self._has_events())

        here = _running_loop() is self.loop
        (self.loop.call_soon if here else self.loop.call_soon_threadsafe)(look)

    def _has_events(self) -> bool:
        wakes = self.loop._ssock.fileno()
        return any(key.fd != wakes for key, _ in self._select(0))

    def shift(self, seconds: float) -> None:
        for handle in self.loop._scheduled:
            handle._when -= seconds
