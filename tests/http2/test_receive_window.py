"""What the peer may send: our SETTINGS, credit in halves, and windows that grow with the link."""

from __future__ import annotations

import pytest

from clarion.http2 import Config, ErrorCode
from support.http2 import (
    ACK,
    DATA,
    PADDED,
    PING,
    PREFACE,
    RST,
    SETTINGS,
    WINDOW,
    Recorder,
    Side,
    client,
    data,
    frame,
    headers,
    server,
    settings,
)

PROBE = b"clarion\0"


def credited(side: Side, sid: int) -> int:
    return sum(f.number for f in side.frames() if f.kind == WINDOW and f.sid == sid)


# Our SETTINGS


def test_what_a_client_says_first() -> None:
    side = Side(client=True)
    side.connection.start()
    output = side.output()
    assert output.startswith(PREFACE)
    side.connection.outbox.append(output[len(PREFACE) :])
    first, update = side.frames()
    assert (first.kind, first.flags, first.sid) == (SETTINGS, 0, 0)
    assert first.settings == {4: 1 << 20, 6: 16_384, 2: 0}
    assert (update.kind, update.sid, update.number) == (WINDOW, 0, (16 << 20) - 65_535)


def test_what_a_server_says_first() -> None:
    config = Config(header_table_size=0, max_frame_size=1 << 20, connection_window=65_535)
    side = Side(config)
    side.connection.start()
    (first,) = side.frames()
    assert first.settings == {4: 1 << 20, 6: 16_384, 1: 0, 5: 1 << 20, 3: 100}


def test_a_smaller_table_binds_from_the_acknowledgement_on(bytewise: bool) -> None:
    side = Side(Config(header_table_size=0), bytewise=bytewise)
    side.connection.start()
    side.feed(PREFACE, settings())
    insert = frame(1, 4, 1, b"\x40\1a\1b")
    side.feed(insert)
    assert not side.connection.closed
    side.feed(frame(SETTINGS, ACK))
    side.feed(frame(1, 4, 3, b"\x20\x82"))
    assert not side.connection.closed
    side.feed(frame(1, 4, 5, b"\xbe"))
    assert side.observer.reason is not None
    assert side.observer.reason.code is ErrorCode.COMPRESSION_ERROR


def test_a_peer_that_ignores_the_smaller_table() -> None:
    side = Side(Config(header_table_size=0))
    side.connection.start()
    side.feed(PREFACE, settings(), frame(SETTINGS, ACK), frame(1, 4, 1, b"\x82"))
    assert side.observer.reason is not None
    assert side.observer.reason.code is ErrorCode.COMPRESSION_ERROR


def test_a_larger_table_may_be_used_at_once() -> None:
    side = Side(Config(header_table_size=8192))
    side.connection.start()
    side.feed(PREFACE, settings(), frame(1, 4, 1, b"\x3f\xe1\x3f\x82"))
    assert not side.connection.closed
    side.feed(frame(SETTINGS, ACK))
    assert side.connection._decoder.max_table_size == 8192


def test_a_smaller_window_binds_from_the_acknowledgement_on(bytewise: bool) -> None:
    """§6.9.3: what was sent in the belief in 65535 is no violation."""
    side = Side(Config(initial_window=100), bytewise=bytewise, setup=hold)
    side.connection.start()
    side.feed(PREFACE, settings(), headers(1), *[data(1, bytes(13_000))] * 5)
    stream = side.opened[1]
    assert stream.abort is None
    side.feed(frame(SETTINGS, ACK), headers(3), data(3, bytes(100)))
    assert stream.recv_window == 100 - 65_000
    assert side.opened[3].recv_window == 0
    side.output()
    answer = side.exchange(data(1, b"x"), data(3, b"x"))
    assert [(f.kind, f.sid, f.code) for f in answer] == [(RST, 1, 3), (RST, 3, 3)]


# Credit


def hold(stream: Recorder) -> None:
    stream.credit = False


def test_a_stream_is_credited_in_halves_as_it_is_read() -> None:
    side = server(Config(initial_window=1000, max_window=1000), setup=hold)
    side.feed(headers(1), data(1, bytes(900)))
    stream = side.opened[1]
    assert credited(side, 1) == 0
    side.connection.consumed(stream, 499)
    assert credited(side, 1) == 0
    side.connection.consumed(stream, 1)
    assert credited(side, 1) == 500
    side.connection.consumed(stream, 400)
    assert credited(side, 1) == 0
    assert stream.recv_window == 600


def test_a_reader_that_rests_stops_the_writer() -> None:
    side = server(Config(initial_window=1000, max_window=1000), setup=hold)
    side.feed(headers(1), *[data(1, bytes(100))] * 10)
    assert side.frames() == []
    answer = side.exchange(data(1, b"x"))
    assert [(f.kind, f.code) for f in answer] == [(RST, ErrorCode.FLOW_CONTROL_ERROR)]


def test_an_ended_stream_needs_no_credit() -> None:
    side = server(Config(initial_window=1000, max_window=1000), setup=hold)
    side.feed(headers(1), data(1, bytes(1000), end=True))
    side.connection.consumed(side.opened[1], 1000)
    assert side.frames() == []


def test_the_smallest_window_works() -> None:
    side = server(Config(initial_window=1, max_window=1))
    side.feed(headers(1))
    side.connection.consumed(side.opened[1], 0)
    for _ in range(5):
        (answer,) = side.exchange(data(1, b"x"))
        assert (answer.kind, answer.sid, answer.number) == (WINDOW, 1, 1)


def test_the_connection_is_credited_on_receipt_whoever_reads() -> None:
    side = server(Config(connection_window=100_000), setup=hold)
    side.feed(headers(1))
    for _ in range(50):
        side.feed(data(1, bytes(16_000)))
        assert side.connection.recv_window >= 50_000
    assert credited(side, 0) == 50 * 16_000 - (100_000 - side.connection.recv_window)


def test_padding_counts_and_is_credited(bytewise: bool) -> None:
    side = server(Config(initial_window=1000, max_window=1000), setup=hold, bytewise=bytewise)
    side.feed(headers(1))
    padded = frame(DATA, PADDED, 1, b"\xc8" + b"text" + bytes(200))
    connection = side.connection
    before = connection.recv_window
    answer = side.exchange(padded, padded, padded)
    assert side.opened[1].body == b"text" * 3
    assert connection.recv_window == before - 3 * 205
    assert [(f.kind, f.sid, f.number) for f in answer] == [(WINDOW, 1, 3 * 201)]


def test_data_for_streams_that_are_gone_is_credited(bytewise: bool) -> None:
    side = server(Config(connection_window=65_535, max_concurrent_streams=1), bytewise=bytewise)
    side.feed(headers(1), headers(3))
    side.connection.reset(side.opened[1], ErrorCode.CANCEL)
    side.output()
    answer = side.exchange(*([data(1, bytes(16_000)), data(3, bytes(16_000))] * 3))
    assert {(f.kind, f.sid) for f in answer} == {(WINDOW, 0)}
    assert side.connection.recv_window >= 32_767


# Growth


def fill(side: Side, sid: int, size: int) -> None:
    while size:
        piece = min(size, 16_384)
        side.feed(data(sid, bytes(piece)))
        size -= piece


def test_the_window_doubles_while_round_trips_fill_it() -> None:
    config = Config(initial_window=100_000, max_window=350_000)
    side = client(config)
    one, three = side.open(), side.open()
    side.feed(headers(1, ((b":status", b"200"),)), headers(3, ((b":status", b"200"),)))
    side.output()
    windows = []
    for _ in range(6):
        fill(side, 1, 60_000)
        probes = [f for f in side.frames() if f.kind == PING]
        if not probes:
            continue
        assert probes[0].payload == PROBE
        # What a round trip brings: nearly a window, for the bytes are credited as they come.
        fill(side, 1, side.connection.recv_stream_window * 9 // 10)
        side.output()
        answer = side.exchange(frame(PING, ACK, 0, PROBE))
        windows += [f.settings[4] for f in answer if f.kind == SETTINGS and not f.flags]
    assert windows == [200_000, 350_000]
    assert side.connection.recv_stream_window == 350_000
    assert three.recv_window == 350_000
    assert side.open().recv_window == 350_000
    assert one.abort is None
    assert ("pong", PROBE) not in side.observer.events


def test_the_window_stays_where_a_round_trip_brings_little() -> None:
    side = client(Config(initial_window=100_000))
    side.open()
    side.feed(headers(1, ((b":status", b"200"),)))
    side.output()
    for _ in range(5):
        fill(side, 1, 60_000)
        side.output()
        assert side.exchange(frame(PING, ACK, 0, PROBE)) == []
    assert side.connection.recv_stream_window == 100_000


def test_one_probe_at_a_time() -> None:
    side = client(Config(initial_window=100_000))
    side.open()
    side.feed(headers(1, ((b":status", b"200"),)))
    fill(side, 1, 400_000)
    assert sum(f.kind == PING for f in side.frames()) == 1


def test_an_answer_without_a_probe_is_the_owners() -> None:
    side = client()
    side.feed(frame(PING, ACK, 0, PROBE))
    assert side.observer.events[-1] == ("pong", PROBE)


@pytest.mark.parametrize("window", [100_000, 70_000])
def test_acknowledged_growth_leaves_the_windows_alone(window: int) -> None:
    side = client(Config(initial_window=window))
    stream = side.open()
    side.feed(headers(1, ((b":status", b"200"),)))
    fill(side, 1, window * 3 // 2)
    side.feed(frame(PING, ACK, 0, PROBE))
    grown = side.connection.recv_stream_window
    assert grown > window
    before = stream.recv_window
    side.feed(frame(SETTINGS, ACK))
    assert (side.connection.recv_stream_window, stream.recv_window) == (grown, before)


def test_growth_before_a_small_window_was_acknowledged() -> None:
    """Two SETTINGS under way: the last one is what counts in the end."""
    side = Side(Config(initial_window=1000), client=True)
    side.connection.start()
    side.feed(settings())
    stream = side.open()
    side.feed(headers(1, ((b":status", b"200"),)))
    fill(side, 1, 40_000)
    side.feed(data(1, bytes(1000)))
    fill(side, 1, 50_000)
    side.feed(frame(PING, ACK, 0, PROBE))
    grown = side.connection.recv_stream_window
    assert grown > 65_535
    side.feed(frame(SETTINGS, ACK), frame(SETTINGS, ACK))
    assert side.connection.recv_stream_window == grown
    assert stream.abort is None
