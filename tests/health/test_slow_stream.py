"""Streams that no thread waits for, on a scripted I/O thread."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any

from clarion.sync.slow_stream import SlowStream


class Io:
    """An I/O thread that does what it is given when it is told to."""

    def __init__(self) -> None:
        self.posted: deque[Callable[[], None]] = deque()
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def post(self, action: Callable[[], None]) -> None:
        self.posted.append(action)

    def call_later(self, delay: float, action: Callable[[], None]) -> None:
        self.timers.append((delay, action))

    def run(self) -> None:
        while self.posted:
            self.posted.popleft()()

    def expire(self) -> list[float]:
        timers, self.timers = self.timers, []
        for _, action in timers:
            action()
        return [delay for delay, _ in timers]


class Method:
    @staticmethod
    def serialize(response: int) -> bytes:
        return str(response).encode()


class Call:
    """A call whose client may not read."""

    def __init__(self) -> None:
        self.io = Io()
        self.lock = contextlib.nullcontext()
        self.link = self
        self.method = Method
        self.over = False
        self.parked: Any = None
        self.headers_sent = False
        self.kept = False
        self.sent: list[bytes] = []

    def keep_context(self) -> None:
        self.kept = True

    def send_initial_metadata(self, fields: Any) -> None:
        self.headers_sent = True

    def send_response(self, payload: bytes) -> None:
        self.sent.append(payload)

    def flush_soon(self) -> None:
        pass


def test_news() -> None:
    news: deque[int] = deque([1])
    call: Any = Call()
    stream = SlowStream(None, None, lambda: news.popleft() if news else None)  # type: ignore[arg-type]
    # Before it is known on what call.
    stream.wake()
    stream.go_on(call)
    stream.wake()
    call.io.run()
    assert (call.kept, call.headers_sent, call.sent) == (True, True, [b"1"])
    news.append(2)
    stream.wake()
    call.io.run()
    assert call.sent == [b"1", b"2"]
    assert not call.io.timers


def test_a_client_that_does_not_read() -> None:
    call: Any = Call()
    stream = SlowStream(None, None, lambda: 7)  # type: ignore[arg-type]
    call.parked = "something"
    stream.go_on(call)
    stream.wake()
    stream.wake()
    call.io.run()
    # One look for all of them.
    assert call.io.expire() == [1.0]
    assert call.sent == []
    call.parked = None
    assert call.io.expire() == [1.0]
    assert call.sent == [b"7"]
    assert not call.io.timers


def test_the_clock() -> None:
    call: Any = Call()
    SlowStream(None, 30.0, lambda: 7).go_on(call)  # type: ignore[arg-type]
    call.io.run()
    assert call.io.expire() == [30.0]
    assert call.sent == [b"7", b"7"]
    call.over = True
    assert call.io.expire() == [30.0]
    assert not call.io.timers
