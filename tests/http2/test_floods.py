"""Floods end the connection with ENHANCE_YOUR_CALM and debug data that names the limit (RFC 9113 §10.5).

Beside each flood stands the honest use that looks like it and must not be hit. The clock stands still unless a
test moves it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from clarion.http2 import Budget, Config, Connection, ErrorCode, Stream
from support.http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    REQUEST,
    RESPONSE,
    RST,
    SETTINGS,
    TRAILERS,
    Recorder,
    Side,
    block,
    client,
    data,
    frame,
    goaway,
    headers,
    parse,
    rst,
    server,
    settings,
    window_update,
)

CALM = ErrorCode.ENHANCE_YOUR_CALM
LIMIT = 20
BUDGET = Budget(LIMIT, 10.0)
TIGHT = Config(
    resets=BUDGET,
    induced_resets=BUDGET,
    settings=BUDGET,
    pings=BUDGET,
    empty_data=BUDGET,
    control=BUDGET,
    max_concurrent_streams=10,
)
HEAD, END = block(RESPONSE), block(TRAILERS)
# Hundreds of frames; more than any budget here.
MANY = 300


def check_calm(output: bytes, name: str, side: Side) -> None:
    last = parse(output)[-1]
    assert last.kind == GOAWAY
    assert ErrorCode(last.code) is CALM
    assert name.encode() in last.payload[8:]
    assert side.connection.closed
    assert side.observer.reason is not None
    assert side.observer.reason.code is CALM
    assert name in side.observer.reason.message


def ids() -> Callable[[], int]:
    """The client's next stream identifier."""
    state = [-1]

    def following() -> int:
        state[0] += 2
        return state[0]

    return following


def rapid_reset(sid: Callable[[], int]) -> bytes:
    number = sid()
    return headers(number) + rst(number)


def made_you_reset(sid: Callable[[], int]) -> bytes:
    number = sid()
    return headers(number, end=True) + window_update(number, 0)


def overflowing_window(sid: Callable[[], int]) -> bytes:
    number = sid()
    return headers(number, end=True) + window_update(number, 2**31 - 1)


def second_headers(sid: Callable[[], int]) -> bytes:
    number = sid()
    return headers(number) + headers(number, TRAILERS)


def data_after_end(sid: Callable[[], int]) -> bytes:
    number = sid()
    return headers(number, end=True) + data(number, b"x")


FLOODS: dict[str, tuple[str, Callable[[Callable[[], int]], bytes]]] = {
    "rapid reset": ("Config.resets", rapid_reset),
    "server-induced resets by zero updates": ("Config.induced_resets", made_you_reset),
    "server-induced resets by window overflow": ("Config.induced_resets", overflowing_window),
    "server-induced resets by second HEADERS": ("Config.induced_resets", second_headers),
    "server-induced resets by DATA after the end": ("Config.induced_resets", data_after_end),
    "server-induced resets by bad PRIORITY": (
        "Config.induced_resets",
        lambda sid: headers(n := sid()) + frame(PRIORITY, 0, n, b""),
    ),
    "more streams than allowed": ("Config.induced_resets", lambda sid: headers(sid())),
    "SETTINGS": ("Config.settings", lambda sid: settings()),
    "SETTINGS with values": ("Config.settings", lambda sid: settings({4: 70_000, 1: 100})),
    "SETTINGS ACK": ("Config.settings", lambda sid: frame(SETTINGS, ACK)),
    "PING": ("Config.pings", lambda sid: frame(PING, 0, 0, bytes(8))),
    "PING ACK": ("Config.control", lambda sid: frame(PING, ACK, 0, bytes(8))),
    "PRIORITY": ("Config.control", lambda sid: frame(PRIORITY, 0, 1, bytes(5))),
    "unknown frames": ("Config.control", lambda sid: frame(0xBE)),
    "GOAWAY": ("Config.control", lambda sid: goaway(0)),
    "WINDOW_UPDATE of the connection": ("Config.control", lambda sid: window_update(0, 1)),
}


@pytest.mark.parametrize("flood", FLOODS)
def test_floods(flood: str) -> None:
    name, make = FLOODS[flood]
    side = server(TIGHT)
    sid = ids()
    output = b""
    for count in range(MANY):
        if side.connection.closed:
            break
        assert count <= 2 * LIMIT + 11
        side.feed(make(sid))
        output += side.output()
    check_calm(output, name, side)
    assert count >= LIMIT


@pytest.mark.parametrize("flood", FLOODS)
def test_the_same_at_leisure_is_allowed(flood: str) -> None:
    side = server(TIGHT)
    make = FLOODS[flood][1]
    sid = ids()
    for _ in range(MANY):
        side.feed(make(sid))
        side.output()
        side.clock.time += 0.5
    assert not side.connection.closed


ON_AN_OPEN_STREAM: dict[str, tuple[str, bytes]] = {
    "empty DATA": ("Config.empty_data", data(1, b"")),
    "DATA of padding alone": ("Config.empty_data", frame(DATA, PADDED, 1, b"\3\0\0\0")),
    "WINDOW_UPDATE": ("Config.control", window_update(1, 1)),
}
ON_A_RESET_STREAM: dict[str, tuple[str, bytes]] = {
    "empty DATA": ("Config.empty_data", data(1, b"")),
    "empty DATA with END_STREAM": ("Config.control", data(1, b"", end=True)),
    "HEADERS": ("Config.control", headers(1, TRAILERS, end=True)),
    "RST_STREAM": ("Config.control", rst(1)),
    "WINDOW_UPDATE": ("Config.control", window_update(1, 1)),
}


@pytest.mark.parametrize("flood", ON_AN_OPEN_STREAM)
def test_floods_on_an_open_stream(flood: str) -> None:
    name, sent = ON_AN_OPEN_STREAM[flood]
    side = server(TIGHT)
    side.feed(headers(1))
    side.feed(*([sent] * (LIMIT + 5)))
    check_calm(side.output(), name, side)


@pytest.mark.parametrize("flood", ON_A_RESET_STREAM)
def test_floods_on_a_stream_that_was_reset(flood: str) -> None:
    name, sent = ON_A_RESET_STREAM[flood]
    side = server(TIGHT)
    side.feed(headers(1))
    side.connection.reset(side.opened[1], ErrorCode.CANCEL)
    side.feed(*([sent] * (LIMIT + 5)))
    check_calm(side.output(), name, side)


def finish(side: Side, sid: int) -> None:
    assert side.connection.respond(side.opened[sid], HEAD, b"\0\0\0\0\1", b"x", END)


def test_finished_calls_pay_for_cancelled_ones() -> None:
    side = server(TIGHT)
    sid = ids()
    for _ in range(MANY):
        good, bad = sid(), sid()
        side.feed(headers(good, end=True), headers(bad))
        finish(side, good)
        side.feed(rst(bad), window_update(0, 1))
        side.output()
    assert not side.connection.closed


def test_calls_that_were_cut_short_do_not_pay() -> None:
    """The server answers before the request ended: no honest end, nothing earned."""
    side = server(TIGHT)
    sid = ids()
    for _ in range(MANY):
        number = sid()
        side.feed(headers(number))
        finish(side, number)
        assert side.connection.completed == 0
    side.feed(*(rapid_reset(sid) for _ in range(LIMIT + 1)))
    check_calm(side.output(), "Config.resets", side)


def test_a_response_that_waits_for_credit_does_not_pay_when_reset() -> None:
    side = server(TIGHT, values={4: 0})
    connection = side.connection
    side.feed(headers(1, end=True))
    stream = side.opened[1]
    connection.send_headers(stream, HEAD)
    connection.send_message(stream, b"", b"parked")
    connection.send_trailers(stream, TRAILERS)
    side.feed(rst(1))
    assert stream.abort is not None
    assert connection.completed == 0
    assert not connection.turns


def test_cancelling_a_stream_after_it_was_served_costs_nothing() -> None:
    side = server(TIGHT)
    sid = ids()
    for _ in range(MANY):
        number = sid()
        side.feed(headers(number, end=True))
        stream = side.opened[number]
        side.connection.send_headers(stream, HEAD)
        side.connection.send_message(stream, b"\0\0\0\0\1", b"x")
        side.feed(rst(number), window_update(0, 6))
        side.output()
    assert not side.connection.closed


def test_work_pays_for_pings_and_window_updates() -> None:
    side = server(TIGHT)
    side.feed(headers(1))
    for _ in range(MANY):
        side.feed(data(1, b"x"), frame(PING, 0, 0, bytes(8)), window_update(0, 1))
        side.feed(window_update(1, 1), data(1, b""))
        side.output()
    assert not side.connection.closed


def test_credit_byte_by_byte_does_not_pay_for_itself() -> None:
    side = server(dataclasses.replace(TIGHT, control=Budget(100, 0.0)), values={4: 0})
    side.feed(headers(1, end=True))
    stream = side.opened[1]
    side.connection.send_headers(stream, HEAD)
    side.connection.send_message(stream, b"", bytes(10_000))
    side.feed(*([window_update(1, 1)] * MANY))
    output = side.output()
    check_calm(output, "Config.control", side)
    assert sum(f.kind == DATA for f in parse(output)) <= 110


def test_streams_refused_before_the_limit_was_known_are_no_abuse() -> None:
    side = Side(dataclasses.replace(TIGHT, control=Budget(1000, 0.0)))
    side.connection.start()
    side.feed(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", settings())
    sid = ids()
    side.feed(*(headers(sid(), end=True) for _ in range(MANY)))
    refused = [f for f in side.frames() if f.kind == RST]
    assert len(refused) == MANY - 10
    assert {f.code for f in refused} == {ErrorCode.REFUSED_STREAM}
    assert not side.connection.closed
    side.feed(frame(SETTINGS, ACK))
    side.feed(*(headers(sid(), end=True) for _ in range(LIMIT + 1)))
    check_calm(side.output(), "Config.induced_resets", side)


def test_informational_responses_without_end() -> None:
    side = client(TIGHT)
    side.open(end=True)
    side.output()
    side.feed(*([headers(1, ((b":status", b"103"),))] * MANY))
    check_calm(side.output(), "Config.control", side)


def test_ordinary_responses_are_no_flood() -> None:
    side = client(TIGHT)
    side.open(end=True)
    side.feed(headers(1, ((b":status", b"100"),)), headers(1, RESPONSE))
    side.feed(headers(1, (), end=False))
    assert not side.connection.closed
    assert len(side.opened[1].heads) == 3


def test_resets_by_a_server_are_not_counted() -> None:
    side = client(TIGHT)
    for _ in range(MANY):
        stream = side.open()
        side.feed(rst(stream.stream_id, ErrorCode.REFUSED_STREAM))
        side.output()
    assert not side.connection.closed


# Header blocks


@pytest.mark.parametrize("piece", [b"", b"\x82"])
def test_continuation_flood(piece: bytes) -> None:
    side = server(Config(max_continuations=8))
    side.feed(frame(HEADERS, 0, 1, b""), *([frame(CONTINUATION, 0, 1, piece)] * 8))
    assert not side.connection.closed
    side.feed(frame(CONTINUATION, 0, 1, piece))
    check_calm(side.output(), "max_continuations=8", side)


def test_a_block_that_is_too_large_as_sent() -> None:
    side = server(Config(max_header_block_size=20_000))
    side.feed(frame(HEADERS, 0, 1, bytes(16_384)), frame(CONTINUATION, 0, 1, bytes(4_000)))
    check_calm(side.output(), "max_header_block_size=20000", side)


def test_a_block_that_is_too_large_in_one_frame() -> None:
    side = server(Config(max_header_block_size=20_000, max_frame_size=1 << 20))
    side.feed(frame(HEADERS, 4, 1, bytes(20_001)))
    check_calm(side.output(), "max_header_block_size=20000", side)


def test_a_header_bomb() -> None:
    """A table entry of 3 KiB, referred to over and over."""
    side = server()
    entry = b"\x40\x01a\x7f" + bytes([0xC0 - 127 + 128, 0x16]) + b"v" * 2880
    side.feed(frame(HEADERS, 4, 1, entry + b"\xbe" * 10_000))
    check_calm(side.output(), "max_header_block_size=131072", side)
    assert side.opened == {}


def test_a_large_list_is_left_to_the_layer_above() -> None:
    side = server()
    side.feed(headers(1, (*REQUEST, (b"big", b"x" * 15_000), (b"more", b"x" * 1_100))))
    head = side.opened[1].heads[0]
    assert head.size > side.connection.config.max_header_list_size
    assert sum(len(n) + len(v) + 32 for n, v in head.fields) <= 16_384


# Peers that do not read, or give no credit


def test_finished_responses_without_credit_are_bounded() -> None:
    side = server(Config(max_parked=1000), values={4: 0})
    connection = side.connection
    for sid in (1, 3, 5):
        side.feed(headers(sid, end=True))
        stream = side.opened[sid]
        connection.send_headers(stream, HEAD)
        connection.send_message(stream, b"", bytes(400))
        connection.send_trailers(stream, TRAILERS)
    check_calm(side.output(), "max_parked=1000", side)


def test_one_large_response_may_wait_for_credit() -> None:
    side = server(Config(max_parked=1000), values={4: 0})
    connection = side.connection
    side.feed(headers(1, end=True), headers(3, end=True))
    stream = side.opened[1]
    connection.send_headers(stream, HEAD)
    connection.send_message(stream, b"", bytes(5000))
    connection.send_trailers(stream, TRAILERS)
    other = side.opened[3]
    connection.send_headers(other, HEAD)
    connection.send_message(other, b"", bytes(5000))
    assert not connection.closed


def refuse(stream: Recorder) -> None:
    def answer(stream: Recorder) -> None:
        connection = stream.connection
        connection.send_headers(
            stream, connection.encoder.encode((*RESPONSE, (b"x-bin", b"y" * 500))), end_stream=True
        )

    stream.on_headers = answer


@pytest.mark.parametrize("driver_writes_on", [False, True])
def test_answers_to_a_peer_that_does_not_read_are_bounded(driver_writes_on: bool) -> None:
    """Every request pays for its PING, so no budget stops this; the transport is what is full."""
    side = server(Config(max_unsent=20_000), setup=refuse)
    connection = side.connection
    side.feed(headers(1, end=True))
    connection.pause()
    before = len(b"".join(connection.outbox))
    sid = ids()
    sid()
    written = b""
    for _ in range(10 * MANY):
        if connection.closed:
            break
        side.feed(headers(sid(), end=True), frame(PING, 0, 0, bytes(8)))
        connection.pause()
        if driver_writes_on:
            written += b"".join(connection.take_output())
    written += b"".join(connection.take_output())
    assert 20_000 < len(written) - before < 21_000
    check_calm(written, "max_unsent=20000", side)


def test_what_was_sent_before_the_pause_does_not_count() -> None:
    side = server(Config(max_unsent=5_000), setup=refuse)
    connection = side.connection
    sid = ids()
    for _ in range(20):
        side.feed(headers(sid(), end=True))
        connection.pause()
        side.feed(frame(PING, 0, 0, bytes(8)))
        connection.resume()
    assert len(b"".join(connection.outbox)) > 5_000
    assert not connection.closed


def test_zero_windows_hold_back_data_and_nothing_else() -> None:
    """100 streams with parked data: bounded by max_concurrent_streams messages, others refused."""
    side = server(TIGHT, values={4: 0})
    connection = side.connection
    sid = ids()
    for _ in range(11):
        number = sid()
        side.feed(headers(number, end=True))
        if number in side.opened:
            stream = side.opened[number]
            connection.send_headers(stream, HEAD)
            connection.send_message(stream, b"", bytes(1000))
    answer = side.frames()
    assert sum(f.kind == DATA for f in answer) == 0
    assert [f.code for f in answer if f.kind == RST] == [ErrorCode.REFUSED_STREAM]
    assert sum(stream.parked_size for stream in connection.streams.values()) == 10_000


def test_streams_that_die_while_they_wait_leave_nothing() -> None:
    side = server(Config(resets=Budget(1000, 0.0)))
    connection = side.connection
    connection.send_window = 0
    sid = ids()
    for _ in range(MANY):
        number = sid()
        side.feed(headers(number, end=True))
        connection.send_message(side.opened[number], b"", b"parked")
        assert len(connection.turns) == 1
        side.feed(rst(number))
    assert not connection.turns
    assert not connection.streams


def test_settings_that_repeat_a_value_walk_the_streams_once() -> None:
    side = server()
    side.feed(*(headers(sid) for sid in range(1, 41, 2)))
    walked: list[int] = []

    class Watched(Connection):
        __slots__ = ()

        def _enqueue(self, stream: Stream) -> None:
            walked.append(stream.stream_id)
            super()._enqueue(stream)

    side.connection.__class__ = Watched
    payload = b"".join(b"\0\4" + (n % 1000).to_bytes(4, "big") for n in range(2700))
    side.feed(frame(SETTINGS, 0, 0, payload))
    assert len(walked) == 20
    assert side.opened[1].send_window == 2699 % 1000


def test_end_stream_on_empty_data_is_no_flood() -> None:
    side = server(TIGHT)
    sid = ids()
    for _ in range(MANY):
        number = sid()
        side.feed(headers(number), frame(DATA, END_STREAM, number))
        finish(side, number)
        side.feed(window_update(0, 6))
        side.output()
    assert not side.connection.closed
