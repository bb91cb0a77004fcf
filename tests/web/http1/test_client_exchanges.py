"""Exchanges on the client's HTTP/1.1 connection: both directions at once, back-pressure, and all the ways in which they end."""

from __future__ import annotations

import math
from typing import Any

import pytest

from clarion.errors import LocalError
from clarion.http2 import Abort, Config, ErrorCode, KeepaliveConfig, StreamFault
from clarion.http2.semantics import MalformedHeaders

h11 = pytest.importorskip("h11", reason="h11 is not installed")

from clarion.web.http1.client_limits import Http1ClientLimits  # noqa: E402
from clarion.web.http1.client_patience import Expiry  # noqa: E402
from clarion.web.http1.plain_encoder import PlainEncoder  # noqa: E402
from support.http1_calls import (  # noqa: E402
    CHUNKED,
    HELLO,
    NOTHING,
    OK,
    POST,
    Call,
    Rig,
)

# Both directions


def test_an_answer_before_the_request_is_complete() -> None:
    rig = Rig()
    call = rig.asked(payload=b"one", end=False)
    rig.receive(HELLO[:-1])
    # It may be a server that does both at a time.
    rig.connection.send_message(call, b"", b"two")
    assert b"two" in rig.sent()
    rig.receive(HELLO[-1:])
    assert call.over
    assert call.abort is None
    assert rig.connection.closed
    assert rig.connection.cut_short == 1
    assert not rig.connection.completed
    rig.connection.send_message(call, b"", b"three")
    rig.connection.send_end(call)
    assert rig.sent() == b""
    assert rig.connection.expendable


def test_parked_requests_go_when_the_transport_drained() -> None:
    rig = Rig(Config(send_buffer=100_000))
    rig.connection.pause()
    call = rig.open(None, end=False)
    rig.connection.send_message(call, b"ab", bytes(150_000))
    rig.connection.send_message(call, b"", b"!" * 10)
    assert call.parked_size == 150_012
    rig.connection.resume()
    sent = rig.sent()
    assert call.writes == 1
    assert call.parked is None
    assert sent.endswith(b"!!!!\r\n")
    rig.connection.pause()
    rig.connection.send_message(call, b"", b"end")
    rig.connection.send_end(call)
    assert not call.local_closed
    rig.connection.resume()
    assert rig.sent() == b"3\r\nend\r\n0\r\n\r\n"
    rig.receive(HELLO)
    assert rig.reusable


def test_a_large_request_with_its_length() -> None:
    rig = Rig()
    call = rig.open(bytes(600_000), prefix=b"12345")
    head, _, body = rig.sent().partition(b"\r\n\r\n")
    assert b"content-length: 600005" in head
    assert body == b"12345" + bytes(600_000)
    assert call.local_closed
    rig.receive(HELLO)
    assert rig.reusable


def test_an_answer_ends_what_is_parked() -> None:
    rig = Rig()
    call = rig.asked(payload=None, end=False)
    rig.connection.pause()
    rig.connection.send_message(call, b"", b"never")
    rig.receive(HELLO)
    assert call.over
    rig.connection.resume()
    assert rig.sent() == b""
    assert rig.connection.closed


def test_what_cannot_be_sent_is_no_loss_yet() -> None:
    rig = Rig()
    call = rig.asked(payload=None, end=False)
    rig.connection.pause()
    rig.connection.send_message(call, b"", b"never")
    rig.connection.send_failed("broken pipe")
    assert call.writes == 1
    rig.connection.send_message(call, b"", b"never")
    rig.receive(HELLO)
    assert call.body == b"hello"
    assert call.abort is None
    assert rig.connection.closed
    assert rig.sent() == b""


def test_what_cannot_be_sent_and_has_no_answer() -> None:
    rig = Rig()
    call = rig.asked(payload=None, end=False)
    rig.connection.send_failed("broken pipe")
    rig.connection.send_failed("broken pipe")
    assert call.writes == 0
    rig.connection.peer_closed()
    assert call.abort is not None
    idle, fresh = Rig(), Rig()
    idle.connection.send_failed("broken pipe")
    assert idle.reason.message == "broken pipe"
    call = fresh.open()
    fresh.connection.send_failed("broken pipe")
    assert call.abort is not None
    assert call.abort.unprocessed


def test_a_call_that_is_given_up_when_nothing_can_be_sent() -> None:
    rig = Rig()
    call = rig.asked(payload=None, end=False)
    rig.receive(CHUNKED)
    rig.connection.send_failed("broken pipe")
    rig.connection.reset(call, ErrorCode.NO_ERROR)
    assert rig.connection.closed


# Back-pressure


def test_what_nobody_consumes_is_bounded() -> None:
    rig = Rig(Config(initial_window=1000))
    call = rig.asked()
    rig.receive(CHUNKED + b"3e8\r\n" + bytes(1000) + b"\r\n")
    assert not rig.connection.held
    rig.receive(b"1\r\nx\r\n")
    assert rig.connection.held
    assert rig.observer.heard == ["hold"]
    rig.receive(b"2\r\nyz\r\n0\r\n\r\n")
    assert len(call.body) == 1001
    rig.connection.consumed(call, 100)
    rig.connection.go_on()
    assert rig.connection.held
    rig.connection.consumed(call, 500)
    assert rig.observer.heard == ["hold", "go on"]
    assert not call.over
    rig.connection.go_on()
    assert call.body.endswith(b"xyz")
    assert call.over
    assert rig.reusable
    rig.connection.consumed(call, 401)
    assert rig.observer.heard == ["hold", "go on"]


def test_the_end_of_the_connection_waits_for_the_reader() -> None:
    rig = Rig(Config(initial_window=10))
    call = rig.asked()
    rig.receive(OK + b"\r\n" + bytes(20), b"more")
    assert rig.connection.held
    rig.connection.peer_closed()
    assert not rig.connection.closed
    rig.connection.consumed(call, 20)
    rig.connection.go_on()
    assert call.body == bytes(20) + b"more"
    assert call.over
    assert rig.connection.closed


def test_a_callback_may_consume_and_go_on() -> None:
    rig = Rig(Config(initial_window=10))

    class Eager(Call):
        def data_received(self, data: Any, end_stream: bool) -> None:
            super().data_received(data, end_stream)
            rig.connection.consumed(self, len(data))
            rig.connection.go_on()

    call = rig.asked(call=Eager(rig.connection))
    rig.receive(OK + b"content-length: 100\r\n\r\n" + bytes(60), bytes(40))
    assert len(call.body) == 100
    assert rig.observer.heard == []


# The ends


def test_a_call_that_is_given_up_takes_the_connection_along() -> None:
    for answer in (b"", CHUNKED, CHUNKED + b"2\r\nhe\r\n", OK + b"content-length: 70000\r\n\r\n"):
        rig = Rig()
        call = rig.asked()
        rig.receive(answer)
        rig.connection.reset(call, ErrorCode.CANCEL)
        assert rig.reason.connection_lost
        assert call.abort is None
        assert call.local_closed
        assert rig.connection.expendable
        rig.connection.reset(call, ErrorCode.CANCEL)


@pytest.mark.parametrize(
    ("answer", "rest", "code"),
    [
        (HELLO[:-2], b"lo", ErrorCode.CANCEL),
        (CHUNKED + b"2\r\nhe\r\n", b"0\r\n\r\n", ErrorCode.NO_ERROR),
        (CHUNKED, b"2\r\nhe\r\n0\r\n\r\n", ErrorCode.NO_ERROR),
    ],
)
def test_the_rest_of_an_answer_is_dropped(answer: bytes, rest: bytes, code: ErrorCode) -> None:
    rig = Rig(idle_timeout=30)
    call = rig.asked()
    rig.receive(answer)
    heard = call.body
    rig.connection.want_stream()
    rig.connection.reset(call, code)
    assert not rig.connection.closed
    assert not rig.connection.can_open
    assert not rig.connection.streams
    assert rig.observer.heard == ["due"]
    assert rig.connection.due == 2
    rig.time = 1.0
    rig.receive(rest)
    assert call.body == heard
    assert rig.reusable
    assert rig.connection.due == 31
    assert rig.observer.heard == ["due", "available"]
    call = rig.asked()
    rig.receive(HELLO)
    assert call.body == b"hello"


def test_the_rest_of_an_answer_has_limits() -> None:
    rig = Rig(max_discard=10)
    call = rig.asked()
    rig.receive(CHUNKED)
    rig.connection.reset(call, ErrorCode.NO_ERROR)
    rig.receive(b"a\r\n" + bytes(10) + b"\r\n")
    assert not rig.connection.closed
    rig.receive(b"1\r\nx\r\n")
    assert "max_discard" in rig.reason.message
    rig = Rig()
    call = rig.asked()
    rig.receive(CHUNKED)
    rig.connection.reset(call, ErrorCode.NO_ERROR)
    rig.connection.expire()
    assert "discard_timeout" in rig.reason.message


def test_the_rest_of_an_answer_may_be_bad_too() -> None:
    rig = Rig()
    call = rig.asked()
    rig.receive(CHUNKED)
    rig.connection.reset(call, ErrorCode.NO_ERROR)
    rig.receive(b"nonsense\r\n")
    assert rig.reason.code is ErrorCode.PROTOCOL_ERROR
    rig = Rig()
    call = rig.asked()
    rig.receive(CHUNKED)
    rig.connection.reset(call, ErrorCode.NO_ERROR)
    rig.connection.peer_closed()
    assert "within an answer" in rig.reason.message


def test_the_rest_of_a_last_answer_is_not_read() -> None:
    rig = Rig()
    call = rig.asked()
    rig.receive(OK + b"connection: close\r\ncontent-length: 5\r\n\r\nhell")
    rig.connection.reset(call, ErrorCode.NO_ERROR)
    assert rig.connection.closed


def test_giving_up_lets_held_bytes_go() -> None:
    rig = Rig(Config(initial_window=3))
    call = rig.asked()
    rig.receive(HELLO[:-1])
    assert rig.connection.held
    rig.connection.reset(call, ErrorCode.CANCEL)
    assert rig.observer.heard == ["hold", "go on", "due"]
    rig.connection.go_on()
    rig.receive(HELLO[-1:])
    assert rig.reusable


def test_streams_may_end_themselves_when_they_hear() -> None:
    for where in ("headers_received", "data_received"):
        for complete in (True, False):
            rig = Rig()
            call = rig.open(b"x", end=complete)
            rig.sent()
            heard = getattr(call, where)

            def stop(data: Any, end: bool, rig: Rig = rig, call: Call = call) -> None:
                rig.connection.reset(call, ErrorCode.NO_ERROR)

            setattr(call, where, stop)
            assert heard is not None
            rig.receive(HELLO)
            assert rig.reusable is complete
            assert rig.connection.closed is not complete


@pytest.mark.parametrize("where", ["head", "body", "end"])
@pytest.mark.parametrize("error", [StreamFault(1, ErrorCode.CANCEL, "no"), MalformedHeaders("no")])
def test_streams_may_refuse_what_they_hear(where: str, error: Exception) -> None:
    rig = Rig()
    call = rig.asked()
    if where != "head":
        if isinstance(error, MalformedHeaders):
            return
        rig.receive(CHUNKED)
    call.raises = error
    if where == "body":
        rig.receive(b"2\r\nhe\r\n")
    else:
        rig.receive(b"0\r\n\r\n" if where == "end" else NOTHING)
    assert call.abort is not None
    assert "no" in call.abort.message
    assert rig.connection.closed
    assert not rig.connection.can_open


def test_streams_may_refuse_what_they_gave_up() -> None:
    rig = Rig()
    call = rig.asked()

    def refuse(headers: Any, end: bool) -> None:
        rig.connection.reset(call, ErrorCode.CANCEL)
        raise StreamFault(1, ErrorCode.CANCEL, "no")

    call.headers_received = refuse  # type: ignore[method-assign]
    rig.receive(NOTHING)
    assert call.abort is None
    assert rig.connection.closed


def test_nothing_was_handed_where_there_is_nothing() -> None:
    rig = Rig()
    assert rig.connection.take_output() == []
    assert not rig.connection.handed


def test_an_error_of_this_side_ends_the_connection() -> None:
    rig = Rig()
    call = rig.asked()
    call.raises = KeyError("defect")
    with pytest.raises(KeyError):
        rig.receive(HELLO)
    assert rig.reason.code is ErrorCode.INTERNAL_ERROR
    rig.connection.fail(ErrorCode.INTERNAL_ERROR, "again")
    rig.connection.close()


def test_closing() -> None:
    rig = Rig()
    call = rig.asked()
    rig.connection.close("enough")
    assert call.abort == Abort(0, "enough", connection_lost=True)
    assert rig.connection.expendable
    assert not rig.connection.can_open
    rig.connection.drain()


def test_draining_waits_for_the_call() -> None:
    rig = Rig()
    call = rig.asked()
    rig.connection.drain()
    rig.connection.drain(b"twice")
    rig.connection.finish_drain()
    assert not rig.connection.closed
    assert not rig.connection.can_open
    rig.receive(OK + b"connection: close\r\ncontent-length: 0\r\n\r\n")
    assert call.over
    assert rig.connection.closed
    assert rig.observer.heard == []
    assert rig.sent() == b""
    idle = Rig()
    idle.connection.drain()
    assert idle.connection.closed


def test_who_waits_for_a_stream_hears() -> None:
    rig = Rig()
    rig.asked()
    rig.connection.want_stream()
    rig.receive(HELLO)
    assert rig.observer.heard == ["available"]
    rig.asked()
    rig.receive(HELLO)
    assert rig.observer.heard == ["available"]


def test_when_it_is_due() -> None:
    rig = Rig(idle_timeout=30)
    assert rig.connection.due == 30
    rig.asked()
    assert rig.connection.due == math.inf
    rig.time = 5.0
    rig.receive(HELLO)
    assert rig.connection.due == 35
    rig.connection.expire()
    assert rig.reason.message == "no call used the connection for 30 s (idle_timeout)"
    assert rig.connection.expendable


@pytest.mark.parametrize(
    ("said", "due"),
    [
        (b"timeout=5", 4),
        (b'max=100, Timeout = "5"', 4),
        (b"timeout=1", 0.5),
        (b"timeout=0", 0),
        (b"timeout=100", 30),
        (b"timeout=-5", 30),
        (b"max=5", 30),
    ],
)
def test_how_long_the_server_keeps_it(said: bytes, due: float) -> None:
    rig = Rig(idle_timeout=30)
    for _ in range(2):
        rig.asked()
        rig.receive(OK + b"keep-alive: " + said + b"\r\ncontent-length: 0\r\n\r\n")
        assert rig.connection.due == due
        assert rig.observer.heard == ([] if due == 30 else ["due"])


def test_there_is_no_keepalive() -> None:
    rig = Rig(Config(keepalive=KeepaliveConfig(time=1.0)))
    assert rig.connection.config.keepalive.time == math.inf


def test_headers_are_not_encoded() -> None:
    rig = Rig()
    encoder: Any = rig.connection.encoder
    assert isinstance(encoder, PlainEncoder)
    assert encoder.encode(POST) == POST


class Clock:
    """Timers of a rig, which its tests wind."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.due: list[tuple[float, Any, Any]] = []

    def call_later(self, delay: float, callback: Any) -> Any:
        assert delay > 0
        entry: Any = [self.rig.time + delay, callback]
        self.due.append(entry)

        class Timer:
            def cancel(_self: Any) -> None:
                if entry in self.due:
                    self.due.remove(entry)

        return Timer()

    def wind(self, until: float) -> None:
        while self.due and min(entry[0] for entry in self.due) <= until:
            entry = min(self.due, key=lambda entry: entry[0])
            self.due.remove(entry)
            self.rig.time = entry[0]
            entry[1]()
        self.rig.time = until


def test_a_connection_that_nobody_uses_ends() -> None:
    rig = Rig(idle_timeout=30)
    clock = Clock(rig)
    Expiry(rig.connection, clock.call_later)
    clock.wind(29)
    rig.asked()
    clock.wind(100)
    assert not rig.connection.closed
    rig.receive(HELLO)
    clock.wind(129)
    assert not rig.connection.closed
    clock.wind(130)
    assert "idle_timeout" in rig.reason.message
    assert not clock.due


def test_the_end_of_a_connection_may_come_sooner_than_it_seemed() -> None:
    rig = Rig(idle_timeout=30)
    clock = Clock(rig)
    expiry = Expiry(rig.connection, clock.call_later)
    rig.observer.due_changed = expiry.renew  # type: ignore[method-assign]
    clock.wind(4)
    rig.asked()
    rig.receive(OK + b"keep-alive: timeout=1\r\ncontent-length: 0\r\n\r\n")
    clock.wind(4.25)
    assert not rig.connection.closed
    clock.wind(4.5)
    assert rig.connection.closed


def test_nobody_looks_at_what_is_over() -> None:
    rig = Rig()
    clock = Clock(rig)
    expiry = Expiry(rig.connection, clock.call_later)
    expiry.stop()
    assert not clock.due
    expiry.renew()
    rig.connection.close()
    clock.wind(100)
    assert not clock.due
    assert rig.reason.message == "the connection was closed"


@pytest.mark.parametrize("name", ["max_head", "max_fields", "idle_timeout", "discard_timeout"])
def test_limits_that_cannot_be(name: str) -> None:
    with pytest.raises(LocalError, match=name):
        Http1ClientLimits(**{name: 0})


@pytest.mark.parametrize("name", ["max_informational", "max_discard"])
def test_limits_that_cannot_be_negative(name: str) -> None:
    assert Http1ClientLimits(**{name: 0})
    with pytest.raises(LocalError, match=name):
        Http1ClientLimits(**{name: -1})
