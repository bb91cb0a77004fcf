"""`AsgiConnection` by itself: what streams do to it that is wrong, or too late."""

from __future__ import annotations

from typing import Any

import pytest

from clarion.hpack import HeaderList
from clarion.http2 import Abort, Config, ErrorCode
from clarion.http2.errors import StreamFault
from clarion.http2.stream import Stream
from clarion.web.asgi.connection import STREAM, AsgiConnection

HEAD = ((b":status", b"200"), (b"content-type", b"text/plain"))


class Fake(Stream):
    """A stream that notes what it hears."""

    def __init__(self, connection: Any, fault: Exception | None = None) -> None:
        super().__init__(connection, STREAM)
        self.fault = fault
        self.heard: list[Any] = []

    def headers_received(self, headers: HeaderList, end_stream: bool) -> None:
        self.heard.append("headers")

    def data_received(self, data: bytes | memoryview, end_stream: bool) -> None:
        self.heard.append(bytes(data))
        if self.fault is not None:
            raise self.fault

    def aborted(self, reason: Abort) -> None:
        self.heard.append(reason.message)
        if self.fault is not None:
            raise ValueError("it cannot take that")

    def writable(self) -> None:
        self.heard.append("writable")


class Observer:
    def go_on_receiving(self) -> None: ...


def begun(fault: Exception | None = None) -> tuple[Any, Fake]:
    connection: Any = AsgiConnection(Observer(), lambda: 0.0, Config(send_buffer=10))
    stream = Fake(connection, fault)
    connection.begin(stream, HeaderList((), 0))
    return connection, stream


def test_a_stream_that_finds_fault(caplog: pytest.LogCaptureFixture) -> None:
    fault = StreamFault(STREAM, ErrorCode.PROTOCOL_ERROR, "that is not allowed")
    connection, stream = begun(fault)
    connection.receive(b"x", False)
    start, body = connection.take_output()
    assert (start["status"], body["body"]) == (400, b"that is not allowed\n")
    assert stream.heard == ["headers", b"x", "that is not allowed"]
    # Of which the application's log is told, and nobody else.
    assert "a stream failed to take that it was aborted" in caplog.text
    connection.receive(b"more", True)
    connection.refuse(500, "once is enough")
    connection.close("and so is that")
    assert connection.take_output() == []


def test_nothing_is_sent_behind_the_end() -> None:
    connection, stream = begun()
    connection.send_headers(stream, HEAD)
    connection.send_message(stream, b"", b"all", end_stream=True)
    sent = connection.take_output()
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert (sent[1]["body"], sent[1]["more_body"]) == (b"all", False)
    connection.send_headers(stream, HEAD)
    connection.send_message(stream, b"", b"more")
    connection.send_trailers(stream, ())
    connection.reset(stream, ErrorCode.CANCEL)
    connection.connection_lost("gone")
    connection.output_sent()
    assert connection.take_output() == []
    assert stream.heard == ["headers"]


def test_what_there_is_no_room_for_waits() -> None:
    connection, stream = begun()
    connection.send_headers(stream, HEAD)
    connection.send_message(stream, b"12345", b"67890abc")
    connection.send_message(stream, b"", b"def")
    assert connection.take_output()[1]["body"] == b"1234567890"
    assert stream.parked_size == 6
    assert connection.take_output() == []
    connection.output_sent()
    assert stream.heard[-1] == "writable"
    assert [message["body"] for message in connection.take_output()] == [b"abcdef"]
    assert (stream.parked, stream.parked_size) == (None, 0)


def test_a_reset_before_and_within_an_answer() -> None:
    connection, stream = begun()
    connection.reset(stream, ErrorCode.REFUSED_STREAM)
    assert connection.take_output()[0]["status"] == 503
    assert not connection.cut
    connection, stream = begun()
    connection.send_headers(stream, HEAD)
    connection.send_message(stream, b"", b"x" * 20)
    connection.reset(stream, ErrorCode.CANCEL)
    assert (connection.cut, connection.closed, connection.take_output()) == (True, True, [])
    assert stream.parked is None
    assert stream.heard == ["headers"]


def test_a_refusal_without_a_body() -> None:
    connection, _stream = begun()
    connection.refuse(501, "why", ((b"x-why", b"why"),), body=False)
    start, body = connection.take_output()
    assert start["headers"] == [(b"x-why", b"why"), (b"content-length", b"0")]
    assert (body["body"], body["more_body"]) == (b"", False)
