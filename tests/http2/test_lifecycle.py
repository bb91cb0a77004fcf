"""How connections and streams end: GOAWAY in both roles, resets, loss, and callbacks that raise."""

from __future__ import annotations

import pytest

from clarion.http2 import Abort, Config, ErrorCode
from clarion.http2.semantics import check_request
from support.http2 import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    REQUEST,
    RESPONSE,
    RST,
    TRAILERS,
    Recorder,
    Side,
    block,
    client,
    data,
    frame,
    goaway,
    headers,
    rst,
    server,
    settings,
    window_update,
)

NO_ERROR = ErrorCode.NO_ERROR
MAX_ID = 2**31 - 1


def respond(side: Side, sid: int) -> None:
    head, end = block(RESPONSE), block(TRAILERS)
    assert side.connection.respond(side.opened[sid], head, b"\0\0\0\0\1", b"x", end)


# Drain: the server's two-step GOAWAY


def test_a_server_drains_in_two_steps(bytewise: bool) -> None:
    side = server(bytewise=bytewise)
    side.feed(headers(1, end=True))
    side.connection.drain()
    first, ping = side.frames()
    assert (first.kind, first.number, first.code) == (GOAWAY, MAX_ID, NO_ERROR)
    assert (ping.kind, ping.flags) == (PING, 0)

    # Under way when GOAWAY was sent, so it is served.
    side.feed(headers(3, end=True))
    (second,) = side.exchange(frame(PING, ACK, 0, ping.payload))
    assert (second.kind, second.number, second.code) == (GOAWAY, 3, NO_ERROR)

    # After the second GOAWAY: ignored, but the HPACK table stays in step and the window is credited.
    late = frame(HEADERS, END_HEADERS, 5, b"\x40\1a\1b")
    assert side.exchange(late, data(5, b"x"), window_update(5, 1), rst(5)) == []
    assert list(side.opened) == [1, 3]
    assert side.connection._decoder.decode(b"\xbe").fields == ((b"a", b"b"),)

    respond(side, 1)
    assert not side.connection.closed
    respond(side, 3)
    assert side.connection.closed
    assert side.observer.reason == Abort(
        NO_ERROR, "the connection was drained", connection_lost=True
    )
    assert side.observer.events == ["ready", "finished"]


def test_an_idle_server_drains_after_the_round_trip() -> None:
    side = server()
    side.connection.drain()
    side.connection.drain()
    _, ping = side.frames()
    assert not side.connection.closed
    side.feed(frame(PING, ACK, 0, ping.payload))
    assert side.connection.closed
    side.connection.drain()
    assert [f.number for f in side.frames()] == [0]


def test_the_answer_to_the_drain_ping_counts_once() -> None:
    side = server()
    side.feed(headers(1))
    side.connection.drain()
    _, ping = side.frames()
    pong = frame(PING, ACK, 0, ping.payload)
    assert len(side.exchange(pong)) == 1
    assert side.exchange(pong) == []
    assert side.observer.events == ["ready", ("pong", ping.payload)]


def test_a_drain_ping_before_the_drain_means_nothing() -> None:
    side = server()
    pong = frame(PING, ACK, 0, b"clarion\1")
    assert side.exchange(pong) == []
    assert side.observer.events[-1] == ("pong", b"clarion\1")


def test_last_stream_never_rises_after_the_final_goaway() -> None:
    """§6.8, whatever comes after it."""
    side = server()
    side.feed(headers(1))
    side.connection.drain()
    _, ping = side.frames()
    side.feed(frame(PING, ACK, 0, ping.payload), headers(3), headers(5))
    assert [f.number for f in side.frames()] == [1]
    side.connection.close()
    assert [(f.kind, f.number) for f in side.frames()] == [(RST, 8), (GOAWAY, 1)]


def test_a_drain_ends_after_the_last_stream_is_reset() -> None:
    side = server()
    side.feed(headers(1))
    side.connection.drain()
    _, ping = side.frames()
    side.feed(frame(PING, ACK, 0, ping.payload))
    heard: list[bool] = []
    side.opened[1].on_aborted = lambda stream: heard.append(side.observer.reason is None)
    side.feed(rst(1))
    assert side.connection.closed
    assert heard == [True], "a stream hears of its end before the connection's"


def test_a_drain_ends_after_the_last_stream_errs() -> None:
    side = server()
    side.feed(headers(1))
    side.connection.drain()
    _, ping = side.frames()
    side.feed(frame(PING, ACK, 0, ping.payload))
    heard: list[bool] = []
    side.opened[1].on_aborted = lambda stream: heard.append(side.observer.reason is None)
    side.feed(window_update(1, 0))
    assert side.connection.closed
    assert heard == [True]
    assert [f.kind for f in side.frames()] == [GOAWAY, RST]


def test_a_drain_ends_after_we_reset_the_last_stream() -> None:
    side = server()
    side.feed(headers(1))
    side.connection.drain()
    _, ping = side.frames()
    side.feed(frame(PING, ACK, 0, ping.payload))
    side.connection.reset(side.opened[1], ErrorCode.CANCEL)
    assert side.connection.closed


# Drain: a client


def test_a_client_drains() -> None:
    side = client()
    stream = side.open(end=True)
    side.output()
    side.connection.drain()
    assert [(f.kind, f.number, f.code) for f in side.frames()] == [(GOAWAY, 0, NO_ERROR)]
    assert not side.connection.can_open
    side.feed(headers(1, RESPONSE, end=True))
    assert stream.ended
    assert side.connection.closed


def test_an_idle_client_drains_at_once() -> None:
    side = client()
    side.connection.drain()
    assert side.connection.closed
    assert side.observer.events == ["ready", "finished"]


# GOAWAY from a server


def test_goaway_tells_which_calls_are_safe_to_repeat(bytewise: bool) -> None:
    side = client(bytewise=bytewise)
    one, three, five = (side.open(end=True) for _ in range(3))
    side.output()
    assert side.exchange(goaway(MAX_ID, 0, b"soon")) == []
    assert side.connection.draining
    assert not side.connection.can_open
    assert side.connection.goaway == (0, b"soon")
    assert {one.abort, three.abort, five.abort} == {None}

    side.feed(goaway(3, 0, b"now"))
    assert (one.abort, three.abort) == (None, None)
    assert five.abort == Abort(0, "the server sent GOAWAY (now)", remote=True, unprocessed=True)

    # A higher one, which is forbidden, brings nothing back and takes nothing.
    side.feed(goaway(5))
    assert (one.abort, three.abort) == (None, None)
    side.feed(goaway(1))
    assert three.abort is not None
    assert three.abort.unprocessed
    assert not side.connection.closed
    side.feed(headers(1, RESPONSE, end=True))
    assert one.ended
    assert side.connection.closed
    assert [e for e in side.observer.events if type(e) is tuple] == [
        ("goaway", 0, b"soon"),
        ("goaway", 0, b"now"),
        ("goaway", 0, b""),
        ("goaway", 0, b""),
    ]


def test_goaway_with_the_reserved_bit(bytewise: bool) -> None:
    side = client(bytewise=bytewise)
    stream = side.open()
    side.feed(goaway(2**31 + 1, 0))
    assert stream.abort is None


def test_goaway_for_all_ends_the_connection_after_the_streams_heard() -> None:
    side = client()
    heard: list[bool] = []
    for _ in range(3):
        side.open().on_aborted = lambda stream: heard.append(side.observer.reason is None)
    side.feed(goaway(0, ErrorCode.ENHANCE_YOUR_CALM, b"too_many_pings"))
    assert heard == [True, True, True]
    assert side.connection.closed
    assert side.observer.events == ["ready", ("goaway", 11, b"too_many_pings"), "finished"]


def test_long_debug_data_is_cut() -> None:
    side = client()
    side.feed(goaway(0, 0, b"x" * 5000))
    assert side.connection.goaway == (0, b"x" * 1024)


def test_a_loss_after_goaway_says_why() -> None:
    side = client()
    stream = side.open()
    side.feed(goaway(1, ErrorCode.ENHANCE_YOUR_CALM, b"too_many_pings"))
    side.connection.connection_lost("the peer closed the connection")
    assert stream.abort is not None
    assert stream.abort.message == (
        "the peer closed the connection after GOAWAY ENHANCE_YOUR_CALM 'too_many_pings'"
    )
    assert stream.abort.connection_lost
    assert not stream.abort.unprocessed


def test_a_loss_after_an_orderly_goaway() -> None:
    side = client()
    stream = side.open()
    side.feed(goaway(1))
    side.connection.connection_lost("lost")
    side.connection.connection_lost("again")
    assert stream.abort == Abort(0, "lost", remote=True, connection_lost=True)


def test_a_server_goes_on_after_a_clients_goaway() -> None:
    side = server()
    side.feed(headers(1, end=True), goaway(0, 0, b"bye"))
    assert side.connection.goaway == (0, b"bye")
    side.feed(headers(3, end=True))
    respond(side, 1)
    respond(side, 3)
    assert not side.connection.closed


# close, fail, loss


@pytest.mark.parametrize("is_client", [False, True])
def test_close(is_client: bool) -> None:
    side = client() if is_client else server()
    if is_client:
        side.open()
    else:
        side.feed(headers(1))
    side.output()
    side.connection.close()
    side.connection.close()
    side.connection.fail(ErrorCode.INTERNAL_ERROR, "too late")
    side.connection.connection_lost("too late")
    last = 0 if is_client else 1
    *resets, end = side.frames()
    # A server says of each call that it is cut off.
    cancelled = [] if is_client else [(RST, 1, ErrorCode.CANCEL)]
    assert [(f.kind, f.sid, f.code) for f in resets] == cancelled
    assert (end.kind, end.number, end.code) == (GOAWAY, last, NO_ERROR)
    assert side.opened[1].abort == Abort(0, "the connection was closed", connection_lost=True)
    assert side.observer.events == ["ready", "finished"]


def test_a_dead_connection_takes_nothing() -> None:
    side = server(values={4: 0})
    side.feed(headers(1), headers(3))
    one, three = side.opened[1], side.opened[3]
    side.connection.send_message(three, b"", b"parked")
    side.connection.close()
    side.output()
    connection = side.connection
    connection.send_message(one, b"", b"x")
    connection.send_message(one, b"", b"x" * 100_000)
    connection.send_end(one)
    connection.send_trailers(three, TRAILERS)
    assert connection.respond(one, b"", b"", b"", b"")
    connection.reset(one, 8)
    connection.consumed(one, 1 << 30)
    connection.pump()
    side.feed(headers(5))
    assert side.frames() == []
    assert connection.completed == 0


def test_debug_data_is_bounded() -> None:
    side = server()
    side.connection.fail(ErrorCode.PROTOCOL_ERROR, "ä" * 3000)
    assert len(side.frames()[0].payload) == 8 + 1024


# Callbacks that raise


class Broken(Exception):
    pass


def explode(stream: Recorder) -> None:
    raise Broken(stream.stream_id)


@pytest.mark.parametrize("how", ["close", "lost", "violation"])
def test_one_stream_that_raises_does_not_silence_the_others(how: str) -> None:
    side = server()
    side.feed(*(headers(sid) for sid in range(1, 9, 2)))
    side.opened[1].on_aborted = explode
    side.opened[5].on_aborted = explode
    with pytest.raises(ExceptionGroup) as caught:
        if how == "close":
            side.connection.close()
        elif how == "lost":
            side.connection.connection_lost("lost")
        else:
            side.feed(window_update(0, 0))
    assert [error.args for error in caught.value.exceptions] == [(1,), (5,)]
    assert all(stream.abort is not None for stream in side.opened.values())
    assert side.observer.events == ["ready", "finished"]


def test_goaway_reaches_all_streams_although_one_raises() -> None:
    side = client()
    streams = [side.open() for _ in range(3)]
    streams[0].on_aborted = explode
    with pytest.raises(ExceptionGroup):
        side.feed(goaway(0))
    assert all(stream.abort is not None for stream in streams)
    assert side.observer.events == ["ready", ("goaway", 0, b""), "finished"]


def test_a_reset_stream_that_raises_ends_the_connection() -> None:
    side = server()
    side.feed(headers(1), headers(3))
    side.opened[1].on_aborted = explode
    with pytest.raises(Broken):
        side.feed(rst(1))
    assert side.connection.closed
    assert side.opened[3].abort is not None
    assert side.opened[3].abort.code is ErrorCode.INTERNAL_ERROR
    assert side.frames()[-1].code == ErrorCode.INTERNAL_ERROR


@pytest.mark.parametrize("event", ["on_headers", "on_data"])
def test_a_broken_layer_above_ends_the_connection(event: str) -> None:
    side = server(setup=lambda stream: setattr(stream, event, explode))
    with pytest.raises(Broken):
        side.feed(headers(1), data(1, b"x"))
    assert side.connection.closed
    assert side.frames()[-1].code == ErrorCode.INTERNAL_ERROR


# Streams


def test_a_response_before_the_requests_end_stops_the_request(bytewise: bool) -> None:
    """§8.1: RST_STREAM(NO_ERROR) after the whole response; the rest of the request is dropped."""
    side = server(bytewise=bytewise)
    side.feed(headers(1))
    respond(side, 1)
    kinds = [(f.kind, f.flags) for f in side.frames()]
    assert kinds == [(HEADERS, 4), (DATA, 0), (HEADERS, END_HEADERS | END_STREAM), (RST, 0)]
    assert side.connection.completed == 0
    window = side.connection.recv_window
    late = (data(1, b"late"), headers(1, TRAILERS, end=True), window_update(1, 5), rst(1))
    assert side.exchange(*late) == []
    assert side.connection.recv_window == window - 4
    assert side.opened[1].body == b""
    assert side.opened[1].abort is None


def test_parked_trailers_stop_the_request_when_they_leave() -> None:
    side = server(values={4: 3})
    connection = side.connection
    side.feed(headers(1))
    stream = side.opened[1]
    connection.send_headers(stream, block(RESPONSE))
    connection.send_message(stream, b"", b"12345")
    connection.send_trailers(stream, TRAILERS)
    assert [f.kind for f in side.frames()] == [HEADERS, DATA]
    assert not stream.local_closed
    side.feed(data(1, b"still open"))
    assert stream.body == b"still open"
    answer = side.exchange(window_update(1, 2))
    assert [(f.kind, f.flags) for f in answer] == [(DATA, 0), (HEADERS, 5), (RST, 0)]
    assert connection.completed == 0
    assert not connection.streams


def test_parked_trailers_of_an_ended_request_complete_the_stream() -> None:
    side = server(values={4: 3})
    connection = side.connection
    side.feed(headers(1, end=True))
    stream = side.opened[1]
    connection.send_message(stream, b"", b"12345")
    connection.send_trailers(stream, TRAILERS)
    side.feed(window_update(1, 2))
    assert [f.kind for f in side.frames()] == [DATA, DATA, HEADERS]
    assert connection.completed == 1
    assert not connection.streams


def test_a_client_may_go_on_after_the_response() -> None:
    side = client()
    stream = side.open()
    side.feed(headers(1, RESPONSE, end=True))
    assert stream.ended
    assert side.connection.streams == {1: stream}
    side.connection.send_message(stream, b"", b"more", end_stream=True)
    assert side.connection.completed == 1
    assert side.connection.streams == {}


@pytest.mark.parametrize("code", [ErrorCode.REFUSED_STREAM, ErrorCode.CANCEL, 0x99])
def test_a_reset_by_the_peer(code: int, bytewise: bool) -> None:
    side = client(bytewise=bytewise)
    stream = side.open()
    side.output()
    assert side.exchange(rst(1, code)) == []
    assert stream.abort == Abort(
        code,
        "the peer reset the stream",
        remote=True,
        unprocessed=code == ErrorCode.REFUSED_STREAM,
    )
    assert (stream.local_closed, stream.remote_closed) == (True, True)


def test_a_second_reset_of_ours_is_nothing() -> None:
    side = client()
    stream = side.open()
    side.output()
    side.connection.reset(stream, ErrorCode.CANCEL)
    side.connection.reset(stream, ErrorCode.CANCEL)
    assert [f.kind for f in side.frames()] == [RST]


def test_what_crosses_our_reset_is_ignored_and_credited(bytewise: bool) -> None:
    side = client(Config(connection_window=65_535), bytewise=bytewise)
    stream = side.open()
    side.connection.reset(stream, ErrorCode.CANCEL)
    side.output()
    late = [headers(1, RESPONSE), *[data(1, bytes(16_000))] * 3, headers(1, TRAILERS, end=True)]
    answer = side.exchange(*late)
    assert [(f.kind, f.sid) for f in answer] == [(8, 0)]
    assert side.connection.recv_window + sum(f.number for f in answer) >= 65_535
    assert stream.heads == []


def test_resets_are_remembered_within_bounds_and_old_ones_forgiven() -> None:
    side = client()
    for _ in range(3000):
        side.connection.reset(side.open(), ErrorCode.CANCEL)
    side.output()
    assert len(side.connection._resets) == 1024
    assert side.exchange(headers(1, RESPONSE), data(1, b"x"), data(5999, b"x")) == []


def test_refused_streams_above_the_limit(bytewise: bool) -> None:
    side = server(Config(max_concurrent_streams=1), bytewise=bytewise)
    answer = side.exchange(headers(1), headers(3, end=True), headers(5))
    assert [(f.kind, f.sid, f.code) for f in answer] == [(RST, 3, 7), (RST, 5, 7)]
    # What belongs to them was under way.
    assert side.exchange(data(5, b"x"), headers(5, TRAILERS, end=True)) == []
    assert list(side.opened) == [1]
    side.feed(rst(1), headers(7))
    assert list(side.opened) == [1, 7]


def test_waiting_for_a_free_stream() -> None:
    side = client(values={3: 1})
    side.open(end=True)
    assert not side.connection.can_open
    side.connection.want_stream()
    assert "available" not in side.observer.events
    side.feed(headers(1, RESPONSE, end=True))
    assert side.observer.events == ["ready", "available"]
    # Once for each time it was wanted.
    side.open(end=True)
    side.feed(headers(3, RESPONSE, end=True))
    assert side.observer.events == ["ready", "available"]


@pytest.mark.parametrize("ending", ["reset", "error", "peer"])
def test_every_end_of_a_stream_makes_room(ending: str) -> None:
    side = client(values={3: 1})
    stream = side.open()
    side.connection.want_stream()
    if ending == "reset":
        side.connection.reset(stream, 8)
    elif ending == "error":
        side.feed(window_update(1, 0))
    else:
        side.feed(rst(1))
    assert side.observer.events == ["ready", "available"]


def test_a_raised_limit_makes_room() -> None:
    side = client(values={3: 0})
    side.connection.want_stream()
    side.feed(settings({3: 0}))
    assert side.observer.events == ["ready"]
    side.feed(settings({3: 2}))
    assert side.observer.events == ["ready", "available"]
    side.open()
    side.open()
    assert not side.connection.can_open


def test_a_lowered_limit_lets_open_streams_finish() -> None:
    side = client(values={3: 3})
    for _ in range(3):
        side.open(end=True)
    side.feed(settings({3: 1}))
    side.connection.want_stream()
    side.feed(headers(1, RESPONSE, end=True), headers(3, RESPONSE, end=True))
    assert side.observer.events == ["ready"]
    side.feed(headers(5, RESPONSE, end=True))
    assert side.observer.events == ["ready", "available"]
    assert side.connection.can_open


def test_waiting_and_draining() -> None:
    side = client(values={3: 1})
    side.open(end=True)
    side.connection.want_stream()
    side.connection.drain()
    side.feed(headers(1, RESPONSE, end=True))
    assert side.observer.events == ["ready", "finished"]


def test_headers_that_are_refused_by_the_layer_above(bytewise: bool) -> None:
    def check(stream: Recorder) -> None:
        check_request(stream.heads[-1].fields)

    side = server(bytewise=bytewise, setup=lambda stream: setattr(stream, "on_headers", check))
    answer = side.exchange(headers(1, (*REQUEST, (b"Upper", b"x"))), headers(3))
    assert [(f.kind, f.sid, f.code) for f in answer] == [(RST, 1, ErrorCode.PROTOCOL_ERROR)]
    assert side.opened[1].abort is not None
    assert "Upper" in side.opened[1].abort.message
    assert side.opened[3].abort is None
