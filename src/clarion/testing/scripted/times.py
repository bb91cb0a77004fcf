"""Real and made-up time that calls what is due before it goes on."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from clarion.sync.errors import FutureCancelledError, FutureTimeoutError
from clarion.sync.interfaces import Future
from clarion.testing.scripted.interfaces import Time

__all__ = ["StrictFakeTime", "StrictRealTime"]

_LOG = logging.getLogger(__name__)


class _Due(Future[Any]):
    """A behavior that is called at a time."""

    def __init__(self, behavior: Callable[[], Any]) -> None:
        self._behavior = behavior
        self._condition = threading.Condition()
        self._state = "waiting"
        self._result: Any = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Future[Any]], Any]] = []

    def call(self) -> None:
        """It is due."""
        with self._condition:
            if self._state != "waiting":
                return
            self._state = "running"
        try:
            self._result = self._behavior()
        except Exception as error:
            self._error = error
            _LOG.exception("what was to be called at this time raised")
        self._become("done")

    def _become(self, state: str) -> None:
        with self._condition:
            self._state = state
            callbacks, self._callbacks = self._callbacks, []
            self._condition.notify_all()
        for callback in callbacks:
            callback(self)

    def cancel(self) -> bool:
        with self._condition:
            if self._state != "waiting":
                return self._state == "cancelled"
            self._state = "cancelled"
        self._become("cancelled")
        return True

    def cancelled(self) -> bool:
        return self._state == "cancelled"

    def running(self) -> bool:
        return self._state == "running"

    def done(self) -> bool:
        return self._state in ("done", "cancelled")

    def exception(self, timeout: float | None = None) -> BaseException | None:
        with self._condition:
            if not self._condition.wait_for(self.done, timeout):
                raise FutureTimeoutError(f"not called within {timeout} s")
            if self.cancelled():
                raise FutureCancelledError
            return self._error

    def result(self, timeout: float | None = None) -> Any:
        error = self.exception(timeout)
        if error is not None:
            raise error
        return self._result

    def traceback(self, timeout: float | None = None) -> TracebackType | None:
        error = self.exception(timeout)
        return None if error is None else error.__traceback__

    def add_done_callback(self, fn: Callable[[Future[Any]], Any]) -> None:
        with self._condition:
            if not self.done():
                self._callbacks.append(fn)
                return
        fn(self)


class _Agenda:
    """What is due when, in order."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, _Due]] = []
        self._numbers = itertools.count()

    def add(self, when: float, due: _Due) -> None:
        heapq.heappush(self._entries, (when, next(self._numbers), due))

    def first(self) -> float | None:
        """When the next one is due that was not cancelled."""
        while self._entries and self._entries[0][2].done():
            heapq.heappop(self._entries)
        return self._entries[0][0] if self._entries else None

    def take(self) -> _Due:
        return heapq.heappop(self._entries)[2]


class StrictFakeTime(Time):
    """Time that passes in `sleep_for` and `sleep_until` alone."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._agenda = _Agenda()
        self._lock = threading.Lock()

    def time(self) -> float:
        return self._now

    def call_in(self, behavior: Callable[[], Any], delay: float) -> Future[Any]:
        return self.call_at(behavior, self._now + delay)

    def call_at(self, behavior: Callable[[], Any], time: float) -> Future[Any]:
        due = _Due(behavior)
        with self._lock:
            if time > self._now:
                self._agenda.add(time, due)
                return due
        _call_apart(due)
        return due

    def sleep_for(self, duration: float) -> None:
        self.sleep_until(self._now + duration)

    def sleep_until(self, time: float) -> None:
        while True:
            with self._lock:
                first = self._agenda.first()
                if first is None or first > time:
                    self._now = max(self._now, time)
                    return
                self._now = max(self._now, first)
                due = self._agenda.take()
            _call_apart(due)


def _call_apart(due: _Due) -> None:
    """Not on the caller's thread, which may hold locks; but before the caller goes on."""
    thread = threading.Thread(target=due.call, name="clarion-scripted-time", daemon=True)
    thread.start()
    thread.join()


class StrictRealTime(Time):
    """The system's time. A thread calls what is due, while there is something."""

    def __init__(self) -> None:
        self._agenda = _Agenda()
        self._condition = threading.Condition()
        self._runs = False
        # What is being called now was due then.
        self._calling: float | None = None

    def time(self) -> float:
        return time.time()

    def call_in(self, behavior: Callable[[], Any], delay: float) -> Future[Any]:
        return self.call_at(behavior, time.time() + delay)

    def call_at(self, behavior: Callable[[], Any], time: float) -> Future[Any]:
        due = _Due(behavior)
        # So that the thread ends, and a sleeper wakes, without waiting for what will not be called.
        due.add_done_callback(self._look_again)
        with self._condition:
            self._agenda.add(time, due)
            if not self._runs:
                self._runs = True
                threading.Thread(
                    target=self._run, name="clarion-scripted-time", daemon=True
                ).start()
            self._condition.notify_all()
        return due

    def _look_again(self, due: Future[Any]) -> None:
        with self._condition:
            self._condition.notify_all()

    def _run(self) -> None:
        while True:
            with self._condition:
                first = self._agenda.first()
                if first is None:
                    self._runs = False
                    return
                wait = first - time.time()
                if wait > 0:
                    self._condition.wait(min(wait, threading.TIMEOUT_MAX))
                    continue
                self._calling = first
                due = self._agenda.take()
            due.call()
            with self._condition:
                self._calling = None
                self._condition.notify_all()

    def sleep_for(self, duration: float) -> None:
        self.sleep_until(time.time() + duration)

    def sleep_until(self, time: float) -> None:
        _sleep_until(time)
        with self._condition:
            self._condition.wait_for(lambda: not self._owes(time))

    def _owes(self, until: float) -> bool:
        first = self._agenda.first()
        due = first is not None and first < until
        return due or (self._calling is not None and self._calling < until)


def _sleep_until(when: float) -> None:
    # Not in the method, one of whose arguments has the module's name.
    time.sleep(max(when - time.time(), 0.0))
