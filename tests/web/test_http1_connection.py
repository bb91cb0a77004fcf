"""The HTTP/1.1 connection alone: bytes in, stream callbacks out, and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.errors import LocalError
from clarion.http2 import Abort, Config, ErrorCode, StreamFault
from clarion.http2.semantics import MalformedHeaders
from clarion.http2.stream import Stream
from clarion.web.options import WebOptions

h11 = pytest.importorskip("h11", reason="h11 is not installed")

from clarion.web.http1.connection import Http1Connection  # noqa: E402
from clarion.web.http1.patience import Patience  # noqa: E402

OK = ((b":status", b"200"), (b"content-type", b"text/plain"))
POST = b"POST /a.B/C HTTP/1.1\r\nHost: x.example\r\n"


class Observer:
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.reason: Abort | None = None

    def ready(self) -> None:
        self.heard.append("ready")

    def hold_reading(self) -> None:
        self.heard.append("hold")

    def go_on_reading(self) -> None:
        self.heard.append("go on")

    def finished(self, reason: Abort) -> None:
        self.reason = reason


class Recorded(Stream):
    """What a stream heard; it answers when the test says so."""

    def __init__(self, connection: Any, stream_id: int) -> None:
        super().__init__(connection, stream_id)
        self.body = b""
        self.ended = False
        self.writes = 0
        self.abort: Abort | None = None
        self.fields: Any = None

    def headers_received(self, headers: Any, end_stream: bool) -> None:
        self.fields = dict(headers.fields)

    def data_received(self, data: Any, end_stream: bool) -> None:
        assert not self.ended
        self.body += bytes(data)
        self.ended = end_stream

    def aborted(self, reason: Abort) -> None:
        self.abort = reason

    def writable(self) -> None:
        self.writes += 1

    def answer(self, body: bytes = b"", fields: Any = OK) -> None:
        connection: Any = self.connection
        connection.send_headers(self, fields)
        connection.send_message(self, b"", body, end_stream=True)


class Rig:
    """A connection, and all that happens around it."""

    def __init__(self, config: Config | None = None, **options: Any) -> None:
        self.observer = Observer()
        self.streams: list[Recorded] = []
        self.time = 0.0
        self.options = WebOptions(**options)
        self.connection = Http1Connection(
            self.observer, lambda: self.time, config or Config(), self._open, self.options, b"http"
        )
        self.connection.start()

    def _open(self, connection: Any, stream_id: int) -> Recorded:
        self.streams.append(Recorded(connection, stream_id))
        return self.streams[-1]

    def receive(self, *pieces: bytes) -> bytes:
        for piece in pieces:
            self.connection.receive_data(piece)
        return self.sent()

    def sent(self) -> bytes:
        out = b""
        while self.connection.outbox:
            out += b"".join(self.connection.take_output())
            self.connection.output_sent()
        return out

    @property
    def stream(self) -> Recorded:
        return self.streams[-1]


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


BODIES = {
    "length": b"Content-Length: 5\r\n\r\nhello",
    "chunked": b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: 1\r\n\r\n",
}


@pytest.mark.parametrize("cut", [lambda data: [data], bytewise], ids=["whole", "bytewise"])
@pytest.mark.parametrize("framing", BODIES)
def test_a_request_is_a_stream(framing: str, cut: Any) -> None:
    rig = Rig()
    rig.receive(
        *cut(POST + b"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-A: b\r\n" + BODIES[framing])
    )
    stream = rig.stream
    assert stream.body == b"hello"
    assert stream.ended
    assert stream.fields[b":method"] == b"POST"
    assert stream.fields[b":path"] == b"/a.B/C"
    assert stream.fields[b":authority"] == b"x.example"
    assert stream.fields[b"x-a"] == b"b"
    assert not {b"host", b"connection", b"x-hop", b"transfer-encoding"} & set(stream.fields)
    assert rig.observer.heard == ["ready"]


def test_whole_requests_end_with_their_last_piece() -> None:
    rig = Rig()
    ends: list[tuple[bytes, bool]] = []
    heard = Recorded.data_received

    class Told(Recorded):
        def data_received(self, data: Any, end_stream: bool) -> None:
            ends.append((bytes(data), end_stream))
            heard(self, data, end_stream)

    rig._open = lambda connection, sid: rig.streams.append(Told(connection, sid)) or rig.stream  # type: ignore[method-assign,func-returns-value,assignment]
    rig.connection._stream_factory = rig._open
    rig.receive(POST + BODIES["length"])
    assert ends == [(b"hello", True)]


def test_answers_and_the_next_request() -> None:
    rig = Rig()
    rig.receive(POST + BODIES["length"])
    rig.stream.answer(b"one")
    assert rig.sent().endswith(b"\r\n\r\n3\r\none\r\n0\r\n\r\n")
    rig.receive(POST + BODIES["chunked"])
    rig.stream.answer(b"two", (*OK, (b"content-length", b"3")))
    sent = rig.sent()
    assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent.endswith(b"content-length: 3\r\n\r\ntwo")
    assert rig.connection.completed == 2
    assert not rig.connection.streams
    assert not rig.connection.closed


def test_pipelined_requests_are_answered_one_by_one_and_not_read_further() -> None:
    rig = Rig()
    rig.receive((POST + BODIES["length"]) * 2)
    assert len(rig.streams) == 1
    assert rig.observer.heard == ["ready", "hold"]
    rig.stream.answer(b"1")
    assert rig.observer.heard[-1] == "go on"
    rig.connection.go_on()
    assert len(rig.streams) == 2
    assert rig.receive(POST).count(b"HTTP/1.1 200") == 1
    assert rig.observer.heard[-1] == "hold"
    rig.stream.answer(b"2")
    assert rig.sent().count(b"HTTP/1.1 200") == 1


def test_pipelined_requests_that_are_answered_at_once() -> None:
    rig = Rig()

    class Quick(Recorded):
        def data_received(self, data: Any, end_stream: bool) -> None:
            if end_stream:
                self.answer(data)

    rig.connection._stream_factory = Quick
    assert rig.receive((POST + BODIES["length"]) * 5).count(b"hello") == 5


def test_requests_are_held_back_until_consumed() -> None:
    rig = Rig(Config(initial_window=1000))
    rig.receive(POST + b"Content-Length: 3000\r\n\r\n" + bytes(1500), b"1" * 10)
    assert rig.connection.held
    assert rig.observer.heard[-1] == "hold"
    assert len(rig.stream.body) == 1500
    rig.connection.consumed(rig.stream, 200)
    assert rig.connection.held
    rig.connection.consumed(rig.stream, 1000)
    assert rig.observer.heard[-1] == "go on"
    rig.connection.go_on()
    assert len(rig.stream.body) == 1510


def test_answers_are_parked_while_the_transport_is_congested() -> None:
    rig = Rig(Config(send_buffer=100_000))
    rig.receive(POST + BODIES["length"])
    connection: Any = rig.connection
    connection.send_headers(rig.stream, OK)
    connection.pause()
    connection.send_message(rig.stream, b"12345", bytes(200_000))
    assert rig.stream.parked is not None
    assert len(b"".join(connection.take_output())) < 200
    assert connection.phase[0] == "write"
    connection.resume()
    while rig.stream.parked is not None:
        rig.sent()
    assert rig.stream.writes == 1
    connection.send_message(rig.stream, b"", b"x", end_stream=True)
    assert rig.sent().endswith(b"0\r\n\r\n")


def test_100_continue_is_sent_when_the_request_is_taken() -> None:
    rig = Rig()
    expecting = POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    assert rig.receive(expecting) == b"HTTP/1.1 100 Continue\r\n\r\n"
    rig.receive(b"hello")
    rig.stream.answer(b"!")
    assert not rig.connection.closed


def test_who_expects_and_is_refused_sends_no_body() -> None:
    rig = Rig()

    class Refusing(Recorded):
        def headers_received(self, headers: Any, end_stream: bool) -> None:
            self.answer(b"no", ((b":status", b"415"),))

    rig.connection._stream_factory = Refusing
    sent = rig.receive(POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert sent.startswith(b"HTTP/1.1 415 ")
    assert b"connection: close" in sent.lower()
    assert rig.connection.closed


def test_the_rest_of_a_request_that_was_answered_is_dropped() -> None:
    rig = Rig(max_discard=100)
    rig.receive(POST + b"Content-Length: 50\r\n\r\nbegin")
    rig.stream.answer(b"early")
    rig.receive(bytes(20), bytes(25))
    assert not rig.connection.closed
    rig.receive(POST + BODIES["length"])
    assert rig.stream.body == b"hello"
    rig.stream.answer(b"late")
    rig.receive(POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n")
    rig.stream.answer(b"early")
    assert b"connection: close" not in rig.sent().lower()
    chunk = b"3c\r\n" + bytes(60) + b"\r\n"
    rig.receive(chunk)
    assert not rig.connection.closed
    rig.receive(chunk)
    assert rig.connection.closed


@pytest.mark.parametrize("length", [104, 106])
def test_who_leaves_much_of_a_request_says_that_the_connection_ends(length: int) -> None:
    """Clients would send the next request into a connection that is closed behind this one's limit."""
    rig = Rig(max_discard=100)
    rig.receive(POST + b"Content-Length: %d\r\n\r\nbegin" % length)
    rig.stream.answer(b"early")
    much = length > 105
    assert (b"connection: close" in rig.sent().lower()) is much
    assert rig.connection.closed is much


def test_what_a_request_says_of_its_length_counts_more_than_its_messages() -> None:
    rig = Rig(max_discard=100)
    rig.receive(POST + b"Content-Length: 100\r\n\r\nbegin")
    rig.connection.too_much(1000)
    rig.stream.answer(b"early")
    assert b"connection: close" not in rig.sent().lower()


@pytest.mark.parametrize("ended", [False, True])
def test_a_message_that_is_too_large_leaves_much(ended: bool) -> None:
    rig = Rig(max_discard=100)
    rig.receive(POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nbegin\r\n")
    if ended:
        rig.receive(b"0\r\n\r\n")
    rig.connection.too_much(100)
    rig.stream.answer(b"early")
    assert (b"connection: close" in rig.sent().lower()) is not ended
    assert rig.connection.closed is not ended


REFUSED = {
    "two codings": (POST + b"Content-Encoding: a\r\nContent-Encoding: b\r\n\r\n", 400),
    "both framings": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    "odd length": (POST + b"Content-Length: +5\r\n\r\n", 400),
    "another coding": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "coding in 1.0": (b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "no host": (b"POST / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "space before colon": (POST + b"Content-Length : 5\r\n\r\n", 400),
    "CONNECT": (b"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", 405),
    "expectation": (POST + b"Expect: tea\r\nContent-Length: 5\r\n\r\n", 417),
    "large head": (POST + b"X: " + b"a" * 40_000, 431),
    "garbage": (b"\0\1\2\3\r\n\r\n", 400),
    "large chunk head": (
        POST + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFFFFFFFF\r\n",
        400,
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_doubtful_is_refused_and_ends_the_connection(what: str) -> None:
    data, status = REFUSED[what]
    rig = Rig()
    sent = rig.receive(data)
    assert sent.startswith(b"HTTP/1.1 %d " % status)
    assert sent.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in sent.lower()
    assert rig.connection.closed
    assert not rig.receive(POST + BODIES["length"])
    assert all(stream.abort is not None for stream in rig.streams)


class Heads(Recorded):
    """Keeps the list itself."""

    def headers_received(self, headers: Any, end_stream: bool) -> None:
        self.fields = headers


def _heads(*requests: bytes, **options: Any) -> list[Any]:
    """The header lists of requests on one connection, each of which is answered."""
    rig = Rig(**options)
    streams: list[Heads] = []

    def make(connection: Any, stream_id: int) -> Heads:
        streams.append(Heads(connection, stream_id))
        return streams[-1]

    rig.connection._stream_factory = make
    for request in requests:
        rig.receive(request)
        streams[-1].answer(b"yes")
        assert b"yes" in rig.sent()
    return [stream.fields for stream in streams]


def test_a_head_that_comes_again_is_read_once() -> None:
    plain = POST + b"content-length: 0\r\n\r\n"
    again, same = _heads(plain, plain)
    assert again is same
    others = [
        plain.replace(b"POST", b"PUT"),
        plain.replace(b"/a.B/C", b"/a.B/D"),
        plain.replace(b"x.example", b"y.example"),
        plain.replace(b"0\r\n\r\n", b"1\r\n\r\nx"),
        plain.replace(b"content-length: 0", b"transfer-encoding: chunked") + b"0\r\n\r\n",
        plain.replace(b"Host", b"k: v\r\nHost"),
    ]
    for other in others:
        first, second, third = _heads(plain, other, plain)
        assert first is not second
        assert first is not third
        assert first.fields == third.fields


def test_large_heads_are_not_kept() -> None:
    large = POST + b"k: %b\r\ncontent-length: 0\r\n\r\n" % (b"v" * 3000)
    first, second = _heads(large, large)
    assert first is not second
    assert first.fields == second.fields


def test_what_is_left_of_a_head_that_comes_again() -> None:
    """The body's length is told anew, although it is the same."""
    rig = Rig(max_discard=10)
    for _ in range(2):
        rig.receive(POST + b"content-length: 12\r\n\r\n", b"123456789012")
        rig.stream.answer(b"yes")
        assert b"connection: close" not in rig.sent()
    rig.receive(POST + b"content-length: 12\r\n\r\n")
    rig.stream.answer(b"no")
    assert b"connection: close" in rig.sent()


def test_answers_that_are_alike_and_are_not() -> None:
    rig = Rig()
    request = POST + b"content-length: 0\r\n\r\n"
    said = []
    large = (*OK, (b"k", b"v" * 3000))
    for fields in (OK, OK, ((b":status", b"404"), *OK[1:]), OK, large, large, OK):
        rig.receive(request)
        rig.stream.answer(b"yes", fields)
        said.append(rig.sent())
    assert said[0] == said[1] == said[3] == said[6]
    assert said[2] == said[0].replace(b"200 OK", b"404 Not Found")
    assert said[4] == said[5]
    assert b"v" * 3000 in said[4]
    # The same answer, and the last one.
    rig.receive(request)
    rig.connection.drain()
    rig.stream.answer(b"yes")
    assert b"connection: close" in rig.sent()
    assert rig.observer.reason is not None


def test_the_target_may_be_absolute() -> None:
    rig = Rig()
    rig.receive(b"POST http://y.example/a.B/C?q HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    assert rig.stream.fields[b":authority"] == b"y.example"
    assert rig.stream.fields[b":path"] == b"/a.B/C?q"
    rig.stream.answer()
    rig.receive(b"OPTIONS http://y.example HTTP/1.1\r\nHost: x\r\n\r\n")
    assert rig.stream.fields[b":path"] == b"/"


def test_head_is_answered_without_a_body() -> None:
    rig = Rig()
    rig.receive(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    rig.stream.answer(b"seven", (*OK, (b"content-length", b"5")))
    assert rig.sent().endswith(b"\r\n\r\n")
    assert not rig.connection.closed


@pytest.mark.parametrize("last", [b"Connection: close\r\n", None])
def test_the_last_answer_ends_the_connection(last: bytes | None) -> None:
    rig = Rig()
    head = POST if last is not None else POST.replace(b"1.1", b"1.0")
    rig.receive(head + (last or b"") + BODIES["length"])
    rig.stream.answer(b"bye")
    assert b"bye" in rig.sent()
    assert rig.connection.closed


def test_draining_finishes_the_exchange() -> None:
    rig = Rig()
    rig.receive(POST + BODIES["length"])
    rig.connection.drain()
    assert not rig.connection.closed
    rig.stream.answer(b"bye")
    assert b"connection: close" in rig.sent()
    assert rig.connection.closed
    idle = Rig()
    idle.connection.drain()
    assert idle.connection.closed
    assert idle.sent() == b""


def test_the_client_goes_away() -> None:
    rig = Rig()
    rig.receive(POST + BODIES["length"])
    rig.connection.connection_lost("gone")
    assert rig.stream.abort is not None
    assert rig.stream.abort.connection_lost
    rig.stream.answer(b"nobody")
    assert rig.sent() == b""


def test_a_reset_ends_the_connection() -> None:
    rig = Rig()
    rig.receive(POST + BODIES["length"])
    rig.connection.reset(rig.stream, 8)
    assert rig.sent().startswith(b"HTTP/1.1 503")
    assert rig.connection.closed


def test_a_request_without_a_body_that_expects_nothing_more() -> None:
    rig = Rig()
    rig.receive(POST + b"\r\n")
    assert rig.stream.ended
    connection: Any = rig.connection
    connection.send_headers(rig.stream, OK, end_stream=True)
    assert b"content-length: 0" in rig.sent()
    rig.receive(POST + b"\r\n")
    connection.send_headers(rig.stream, ((b":status", b"204"),), end_stream=True)
    assert b"content-length" not in rig.sent()
    # What is said behind the end is not sent.
    connection.send_headers(rig.stream, OK)
    connection.send_message(rig.stream, b"", b"late")
    connection.reset(rig.stream, 8)
    assert rig.sent() == b""


def test_what_follows_the_last_request_is_not_read() -> None:
    rig = Rig()
    rig.receive(POST + b"Connection: close\r\n" + BODIES["length"])
    assert rig.receive(POST + BODIES["length"]) == b""
    rig.stream.answer(b"bye")
    assert b"bye" in rig.sent()
    assert len(rig.streams) == 1


@pytest.mark.parametrize("where", ["head", "body"])
def test_faults_that_streams_find(where: str) -> None:
    rig = Rig()

    class Strict(Recorded):
        def headers_received(self, headers: Any, end_stream: bool) -> None:
            if where == "head":
                raise MalformedHeaders("it is malformed")

        def data_received(self, data: Any, end_stream: bool) -> None:
            raise StreamFault(1, ErrorCode.PROTOCOL_ERROR, "it is malformed")

    rig.connection._stream_factory = Strict
    sent = rig.receive(POST + BODIES["length"])
    assert sent.startswith(b"HTTP/1.1 400 ")
    assert sent.endswith(b"it is malformed\n")


def test_ends() -> None:
    busy = Rig()
    busy.receive(POST + BODIES["length"])
    busy.connection.close("the server was stopped")
    assert busy.sent().startswith(b"HTTP/1.1 503 ")
    assert busy.stream.abort is not None
    busy.connection.close()
    busy.connection.fail(ErrorCode.INTERNAL_ERROR, "again")
    busy.connection.drain()
    busy.connection.go_on()
    busy.connection.finish_drain()
    assert busy.sent() == b""
    refused = Rig()
    refused.connection.fail(ErrorCode.ENHANCE_YOUR_CALM, "there are too many")
    assert refused.sent().startswith(b"HTTP/1.1 503 ")
    begun = Rig()
    begun.receive(POST + BODIES["length"])
    connection: Any = begun.connection
    connection.send_headers(begun.stream, OK)
    begun.sent()
    connection.fail(ErrorCode.INTERNAL_ERROR, "internal error")
    assert begun.sent() == b""


def test_large_pieces_are_not_copied_and_small_rooms_are_kept() -> None:
    rig = Rig()
    rig.receive(POST + BODIES["length"])
    connection: Any = rig.connection
    connection.send_headers(rig.stream, OK)
    rig.sent()
    payload = bytes(100_000)
    connection.send_message(rig.stream, b"12345", payload)
    assert any(piece is payload for piece in connection.outbox)
    rig.sent()
    connection.pause()
    connection.send_message(rig.stream, b"", b"one", end_stream=False)
    connection.send_message(rig.stream, b"2", b"two", end_stream=True)
    assert connection.take_output() == []
    connection.resume()
    assert rig.sent() == b"3\r\none\r\n1\r\n2\r\n3\r\ntwo\r\n0\r\n\r\n"


def test_an_answer_before_the_end_of_a_request_that_was_held_back() -> None:
    rig = Rig(Config(initial_window=1000))
    rig.receive(POST + b"Content-Length: 3000\r\n\r\n" + bytes(1500))
    assert rig.connection.held
    rig.stream.answer(b"early")
    assert not rig.connection.held
    rig.receive(bytes(1500) + POST + BODIES["length"])
    assert rig.stream.body == b"hello"


def test_who_would_rather_speak_another_protocol_is_answered_in_this_one() -> None:
    rig = Rig()
    rig.receive(POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + BODIES["length"])
    # Nothing came behind it that would have to wait.
    rig.receive(b"")
    assert not rig.connection.held
    assert b"upgrade" not in rig.stream.fields
    rig.receive(POST, b"\r\n")
    assert rig.connection.held
    rig.stream.answer(b"1")
    assert rig.sent().startswith(b"HTTP/1.1 200 ")
    rig.receive(b"")
    rig.stream.answer(b"2")
    assert len(rig.streams) == 2


def test_what_is_consumed_of_a_connection_that_is_over() -> None:
    rig = Rig(Config(initial_window=1000))
    rig.receive(POST + b"Content-Length: 3000\r\n\r\n" + bytes(1500))
    rig.connection.close()
    rig.connection.consumed(rig.stream, 1500)
    assert rig.observer.heard[-1] == "hold"


def test_fields_stay_fields() -> None:
    assert Rig().connection.encoder.encode(OK) == OK


class Clock:
    """Runs what is due."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.due: list[tuple[float, Any]] = []
        self.patience = Patience(rig.connection, self._later, rig.options)

    def _later(self, delay: float, callback: Any) -> Any:
        self.due.append((self.rig.time + delay, callback))
        return self

    def cancel(self) -> None:
        self.due.clear()

    def run(self, seconds: float) -> bytes:
        end = self.rig.time + seconds
        while self.due and self.due[0][0] <= end and not self.rig.connection.closed:
            self.rig.time, callback = self.due.pop(0)
            callback()
        self.rig.time = end
        return self.rig.sent()


def test_patience_with_heads_and_between_requests() -> None:
    rig = Rig(head_timeout=8, idle_timeout=20, body_timeout=8)
    clock = Clock(rig)
    rig.receive(POST + BODIES["length"])
    assert clock.run(100) == b""
    rig.stream.answer()
    rig.sent()
    assert clock.run(18) == b""
    rig.receive(b"POST ")
    assert clock.run(7) == b""
    assert clock.run(5).startswith(b"HTTP/1.1 408")
    assert rig.connection.closed
    silent = Rig(idle_timeout=20)
    clock = Clock(silent)
    assert clock.run(40).startswith(b"HTTP/1.1 408")
    used = Rig(idle_timeout=20)
    clock = Clock(used)
    used.receive(POST + BODIES["length"])
    used.stream.answer()
    used.sent()
    assert clock.run(40) == b""
    assert used.connection.closed


def test_nothing_is_kept_of_the_last_request_for_long() -> None:
    rig = Rig(idle_timeout=20)
    clock = Clock(rig)

    def ask() -> Any:
        rig.connection._stream_factory = Heads
        rig.receive(POST + b"content-length: 0\r\n\r\n")
        stream: Any = rig.connection._stream
        assert rig.connection.request is not None
        stream.answer()
        rig.sent()
        return stream.fields

    first = ask()
    clock.run(4)
    assert ask() is first
    clock.run(12)
    assert rig.connection.request is None
    again = ask()
    assert again is not first
    assert again.fields == first.fields


def test_patience_with_bodies() -> None:
    rig = Rig(body_timeout=10, min_body_rate=10)
    clock = Clock(rig)
    rig.receive(POST + b"Content-Length: 100000\r\n\r\n")
    for _ in range(20):
        rig.receive(bytes(60))
        assert clock.run(5) == b""
    rig.receive(bytes(10))
    assert clock.run(25).startswith(b"HTTP/1.1 408")
    resting = Rig(body_timeout=10)
    clock = Clock(resting)
    resting.receive(POST + b"Content-Length: 100000\r\n\r\n")
    resting.stream.patient = True  # type: ignore[attr-defined]
    assert clock.run(100) == b""
    assert not resting.connection.closed


def test_patience_is_not_needed_any_more() -> None:
    rig = Rig()
    clock = Clock(rig)
    (_when, look) = clock.due[0]
    rig.connection.close()
    look()
    assert len(clock.due) == 1
    clock.patience.stop()
    assert not clock.due


def test_limits_that_cannot_be() -> None:
    with pytest.raises(LocalError, match="max_head"):
        WebOptions(max_head=0)
    with pytest.raises(LocalError, match="min_body_rate"):
        WebOptions(min_body_rate=-1)


def test_patience_with_who_does_not_read() -> None:
    rig = Rig(write_timeout=10)
    clock = Clock(rig)
    rig.receive(POST + BODIES["length"])
    rig.connection.pause()
    clock.run(8)
    rig.connection.resume()
    rig.connection.pause()
    clock.run(8)
    assert not rig.connection.closed
    clock.run(8)
    assert rig.connection.closed
    assert rig.stream.abort is not None


def test_a_callback_that_raises_fails_the_connection() -> None:
    rig = Rig()

    class Broken(Recorded):
        def headers_received(self, headers: Any, end_stream: bool) -> None:
            raise ZeroDivisionError

    rig.connection._stream_factory = Broken
    with pytest.raises(ZeroDivisionError):
        rig.receive(POST + BODIES["length"])
    assert rig.sent().startswith(b"HTTP/1.1 500")
    assert rig.connection.closed


SEEDS = [
    POST + BODIES["length"],
    POST + BODIES["chunked"],
    POST + b"Expect: 100-continue\r\n" + BODIES["length"] + POST + BODIES["chunked"],
    b"GET /a?b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
]


@settings(max_examples=150, deadline=None, database=None)
@given(st.data())
def test_whatever_comes_is_answered_or_refused(data: st.DataObject) -> None:
    wire = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(wire) - 1))
        wire[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=4)))
    rig = Rig(max_head=1000)

    class Quick(Recorded):
        def data_received(self, data: Any, end_stream: bool) -> None:
            super().data_received(data, end_stream)
            if end_stream:
                self.answer(self.body)

    def make(connection: Any, stream_id: int) -> Quick:
        rig.streams.append(Quick(connection, stream_id))
        return rig.streams[-1]  # type: ignore[return-value]

    rig.connection._stream_factory = make
    sent = b""
    for start, stop in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        sent += rig.receive(bytes(wire[start:stop]))
        while rig.observer.heard and rig.observer.heard.pop() == "go on":
            rig.connection.go_on()
            sent += rig.sent()
    assert sent.count(b"HTTP/1.1 ") <= sum(stream.local_closed for stream in rig.streams) + 2
    rig.connection.connection_lost("the client is gone")
    assert all(stream.local_closed for stream in rig.streams)
    assert not rig.connection.streams


def test_a_status_without_a_phrase() -> None:
    rig = Rig()
    rig.receive(POST + b"Content-Length: 0\r\n\r\n")
    rig.stream.answer(fields=((b":status", b"299"), (b"content-length", b"0")))
    assert rig.sent().startswith(b"HTTP/1.1 299 \r\n")


def test_trailers_follow_the_body() -> None:
    rig = Rig()
    rig.receive(b"GET / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\n\r\n")
    stream, connection = rig.stream, rig.connection
    connection.send_headers(stream, OK)
    connection.send_message(stream, b"", b"hi")
    connection.send_trailers(stream, ((b"x-sum", b"1"),))
    assert rig.sent().endswith(b"2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n")
    connection.send_trailers(stream, ((b"x-sum", b"2"),))
    assert rig.sent() == b""
    # And the connection goes on.
    rig.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    rig.stream.answer(b"there")
    assert rig.sent().endswith(b"there\r\n0\r\n\r\n")


def test_trailers_wait_behind_what_is_parked() -> None:
    rig = Rig()
    rig.receive(b"GET / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\n\r\n")
    stream, connection = rig.stream, rig.connection
    connection.send_headers(stream, OK)
    rig.sent()
    connection.pause()
    connection.send_message(stream, b"", b"hi")
    connection.send_trailers(stream, ((b"x-sum", b"1"),))
    assert rig.sent() == b""
    connection.resume()
    assert rig.sent() == b"2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n"
