"""A connection that switches to another protocol: no bytes are lost, none are HTTP's any more, and its end is the connection's."""

from __future__ import annotations

from typing import Any

import pytest

from clarion.http2 import Abort, Config, ErrorCode
from clarion.http2.stream import Stream
from clarion.web.options import WebOptions

pytest.importorskip("h11", reason="h11 is not installed")

from clarion.web.http1.connection import Http1Connection

UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n"
FIELDS = ((b"upgrade", b"other"), (b"connection", b"upgrade"))


class Observer:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def ready(self) -> None: ...

    def hold_reading(self) -> None:
        self.heard.append("hold")

    def go_on_reading(self) -> None:
        self.heard.append("go on")

    def finished(self, reason: Abort) -> None:
        self.heard.append(reason.message)


class Request(Stream):
    abort: Abort | None = None
    writes = 0

    def headers_received(self, headers: Any, end_stream: bool) -> None: ...

    def data_received(self, data: Any, end_stream: bool) -> None:
        assert (data, end_stream) == (b"", True)

    def aborted(self, reason: Abort) -> None:
        self.abort = reason

    def writable(self) -> None:
        self.writes += 1


class Other:
    """A protocol that keeps what it gets, and works it off in pieces."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.waiting = b""
        self.done = b""
        self.leaves = 0
        self.at_a_time = 100

    def bytes_received(self, data: bytes) -> None:
        self.waiting += data

    def go_on(self) -> None:
        self.done, self.waiting = self.waiting[: self.at_a_time], self.waiting[self.at_a_time :]
        if self.waiting:
            self.connection.hold()

    def going_away(self) -> None:
        self.leaves += 1


class Rig:
    def __init__(self, early: bytes = b"") -> None:
        self.observer = Observer()
        self.streams: list[Request] = []
        self.connection: Any = Http1Connection(
            self.observer, lambda: 0.0, Config(), self._open, WebOptions(), b"http"
        )
        self.connection.receive_data(UPGRADE + early)
        self.other = Other(self.connection)

    def _open(self, connection: Any, stream_id: int) -> Request:
        self.streams.append(Request(connection, stream_id))
        return self.streams[-1]

    def switch(self) -> Request:
        (stream,) = self.streams
        self.connection.switch(stream, FIELDS, self.other)
        return stream

    def sent(self) -> bytes:
        out = b""
        while self.connection.outbox:
            out += b"".join(self.connection.take_output())
            self.connection.output_sent()
        return out


def test_bytes_go_both_ways_as_they_are() -> None:
    rig = Rig()
    assert dict(rig.connection.request.headers)[b"upgrade"] == b"other"
    stream = rig.switch()
    assert rig.sent() == (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: other\r\nconnection: upgrade\r\n\r\n"
    )
    rig.connection.receive_data(b"GET / HTTP/1.1\r\n\r\n")
    assert rig.other.done == b"GET / HTTP/1.1\r\n\r\n"
    rig.connection.send_message(stream, b"", b"one")
    assert rig.sent() == b"one"
    assert rig.connection.phase[0] == "answer"
    rig.connection.send_message(stream, b"", b"last", end_stream=True)
    assert rig.sent() == b"last"
    assert rig.connection.closed
    assert rig.observer.heard == ["the last answer was sent"]


def test_what_came_early_is_worked_off_like_the_rest() -> None:
    rig = Rig(b"early")
    assert rig.observer.heard == ["hold"]
    rig.switch()
    assert (rig.other.waiting, rig.other.done) == (b"early", b"")
    assert rig.observer.heard == ["hold", "go on"]
    rig.connection.receive_data(b"")
    assert rig.other.done == b"early"


def test_what_is_held_waits() -> None:
    rig = Rig()
    rig.switch()
    rig.other.at_a_time = 3
    rig.connection.receive_data(b"abcdef")
    assert (rig.other.done, rig.connection.held) == (b"abc", True)
    rig.connection.receive_data(b"g")
    assert (rig.other.done, rig.other.waiting) == (b"abc", b"defg")
    rig.other.at_a_time = 100
    rig.connection.release()
    rig.connection.receive_data(b"")
    assert rig.other.done == b"defg"
    assert rig.observer.heard == ["hold", "go on"]


def test_what_the_transport_does_not_take_is_parked() -> None:
    rig = Rig()
    stream = rig.switch()
    rig.sent()
    rig.connection.pause()
    rig.connection.send_message(stream, b"", bytes(100_000))
    assert rig.sent() == b""
    assert rig.connection.phase[0] == "write"
    rig.connection.resume()
    assert rig.sent() == bytes(100_000)
    assert stream.writes == 1


def test_ends() -> None:
    drained = Rig()
    stream = drained.switch()
    for _ in range(2):
        drained.connection.drain()
    assert drained.other.leaves == 1
    drained.sent()
    drained.connection.send_message(stream, b"", b"bye", end_stream=True)
    assert drained.sent() == b"bye"
    assert drained.observer.heard == ["the connection was drained"]
    for end in (
        lambda connection: connection.close("stopped"),
        lambda connection: connection.fail(ErrorCode.INTERNAL_ERROR, "failed"),
        lambda connection: connection.connection_lost("lost"),
    ):
        rig = Rig()
        stream = rig.switch()
        rig.sent()
        end(rig.connection)
        # Nothing of HTTP is said any more.
        assert rig.sent() == b""
        assert stream.abort is not None
    rig = Rig()
    stream = rig.switch()
    rig.sent()
    rig.connection.reset(stream, ErrorCode.CANCEL)
    assert rig.sent() == b""
    assert rig.connection.closed


def test_a_protocol_that_fails_takes_the_connection_along() -> None:
    rig = Rig()
    rig.switch()

    def fail() -> None:
        raise ValueError("a bug")

    rig.other.go_on = fail  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="a bug"):
        rig.connection.receive_data(b"x")
    assert rig.connection.closed
