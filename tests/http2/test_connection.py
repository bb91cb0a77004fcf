"""How streams begin, in both roles."""

from __future__ import annotations

import pytest

import clarion.http2
from clarion.errors import LocalError
from clarion.http2 import Config, connection
from support.http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    REQUEST,
    RESPONSE,
    Frame,
    Recorder,
    Side,
    block,
    client,
    headers,
    server,
    settings,
    shuttle,
)

BLOCK = block(REQUEST)


def test_import_paths() -> None:
    assert clarion.http2.Connection is connection.Connection
    assert clarion.http2.ConnectionObserver is connection.ConnectionObserver


def test_client_and_server_end_to_end(bytewise: bool) -> None:
    def echo(stream: Recorder) -> None:
        if stream.ended:
            link = stream.connection
            link.send_headers(stream, link.encoder.encode(RESPONSE))
            link.send_message(stream, b"", stream.body)
            link.send_trailers(stream, ((b"grpc-status", b"0"),))

    left = Side(client=True, bytewise=bytewise)
    right = Side(bytewise=bytewise, setup=lambda stream: setattr(stream, "on_data", echo))
    left.connection.start()
    right.connection.start()
    shuttle(left, right)
    assert left.observer.events == right.observer.events == ["ready"]
    streams = []
    for n in range(5):
        stream = Recorder(left.connection)
        head = left.connection.encoder.encode((*REQUEST, (b"n", b"%d" % n)))
        left.connection.open_stream(stream, head, b"\0", bytes(n * 9_000), end_stream=True)
        streams.append(stream)
    shuttle(left, right)
    assert [stream.body for stream in streams] == [b"\0" + bytes(n * 9_000) for n in range(5)]
    assert [stream.heads[-1].fields for stream in streams] == [((b"grpc-status", b"0"),)] * 5
    assert left.connection.streams == right.connection.streams == {}
    assert left.connection.completed == right.connection.completed == 5
    assert left.connection.bytes_received > 90_000


def test_identifiers_are_odd_and_rise() -> None:
    side = client()
    assert [side.open().stream_id for _ in range(3)] == [1, 3, 5]
    assert [f.sid for f in side.frames()] == [1, 3, 5]


@pytest.mark.parametrize("end", [False, True])
def test_opening_with_the_first_message(end: bool) -> None:
    side = client()
    stream = Recorder(side.connection)
    side.connection.open_stream(stream, BLOCK, b"ab", b"cd", end_stream=end)
    assert side.frames() == [
        Frame(HEADERS, END_HEADERS, 1, BLOCK),
        Frame(DATA, END_STREAM if end else 0, 1, b"abcd"),
    ]
    assert stream.local_closed is end


def test_opening_without_a_message() -> None:
    side = client()
    side.connection.open_stream(Recorder(side.connection), BLOCK, end_stream=True)
    assert side.frames() == [Frame(HEADERS, END_HEADERS | END_STREAM, 1, BLOCK)]


def test_opening_with_a_large_block_and_a_message() -> None:
    side = client()
    side.connection.open_stream(
        Recorder(side.connection), bytes(20_000), b"", b"x", end_stream=True
    )
    assert [f.kind for f in side.frames()] == [HEADERS, CONTINUATION, DATA]


def test_opening_takes_the_window_of_the_moment() -> None:
    side = client()
    stream = Recorder(side.connection)
    side.feed(settings({4: 3}))
    side.output()
    side.connection.open_stream(stream, BLOCK, b"ab", b"cd")
    assert [f.payload for f in side.frames()] == [BLOCK, b"abc"]


@pytest.mark.parametrize("obstacle", ["limit", "goaway", "drain", "closed", "server"])
def test_when_no_stream_can_be_opened(obstacle: str) -> None:
    side = server() if obstacle == "server" else client(values={3: 1})
    if obstacle != "server":
        assert side.connection.can_open
        stream = side.open()
        if obstacle != "limit":
            side.connection.reset(stream, 8)
    if obstacle == "goaway":
        side.feed(b"\0\0\x08\7\0\0\0\0\0" + bytes(8))
    elif obstacle == "drain":
        side.connection.drain()
    elif obstacle == "closed":
        side.connection.close()
    assert not side.connection.can_open
    with pytest.raises(LocalError, match="can_open"):
        side.connection.open_stream(Recorder(side.connection), BLOCK)


def test_identifiers_run_out() -> None:
    """§5.1.1: the last one is used, then the owner is sent to another connection."""
    side = client()
    side.connection._next_id = 2**31 - 3
    first, last = side.open(end=True), side.open(end=True)
    assert last.stream_id == 2**31 - 1
    assert not side.connection.can_open
    assert side.observer.events == ["ready", ("goaway", 0, b"stream identifiers are used up")]
    assert [f.kind for f in side.frames()] == [HEADERS, HEADERS, GOAWAY]
    side.feed(headers(first.stream_id, RESPONSE, end=True))
    assert not side.connection.closed
    side.feed(headers(last.stream_id, RESPONSE, end=True))
    assert (first.ended, last.ended) == (True, True)
    assert side.connection.closed


def test_a_server_takes_the_last_identifier() -> None:
    side = server()
    side.feed(headers(2**31 - 1, end=True))
    assert side.opened[2**31 - 1].ended


def test_identifiers_may_be_skipped_but_not_used_late(bytewise: bool) -> None:
    side = server(bytewise=bytewise)
    side.feed(headers(1), headers(7))
    assert list(side.opened) == [1, 7]
    answer = side.exchange(headers(5))
    assert [(f.kind, f.number, f.code) for f in answer] == [(GOAWAY, 7, 5)]


def test_a_ping_has_eight_bytes() -> None:
    with pytest.raises(LocalError, match="carries 8 bytes, not 7"):
        client().connection.ping(b"1234567")


def test_defaults() -> None:
    side = Side(None, client=True)
    assert side.connection.config == Config()
    assert side.connection.user_data is None
    assert not side.connection.settings_received
