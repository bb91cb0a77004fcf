"""The sending half: what leaves at once, what waits, who comes first, and in which frames."""

from __future__ import annotations

import pytest

from clarion.hpack import Decoder
from clarion.http2 import Config
from support.http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    REQUEST,
    RESPONSE,
    RST,
    TRAILERS,
    Frame,
    Recorder,
    Side,
    block,
    client,
    headers,
    rst,
    server,
    settings,
    window_update,
)

HEAD, END = block(RESPONSE), block(TRAILERS)
PLENTY = window_update(0, 1 << 30)


def serving(
    *sids: int, config: Config | None = None, values: dict[int, int] | None = None
) -> tuple[Side, list[Recorder]]:
    side = server(config, values=values)
    side.feed(PLENTY, *(headers(sid, end=True) for sid in sids))
    return side, [side.opened[sid] for sid in sids]


def sizes(frames: list[Frame], sid: int | None = None) -> list[int]:
    return [len(f.payload) for f in frames if f.kind == DATA and sid in (None, f.sid)]


# What leaves at once


def test_a_small_message_is_one_piece_and_a_large_one_is_not_copied() -> None:
    side, (stream,) = serving(1, values={4: 1 << 20})
    side.connection.send_message(stream, b"\0\0\0\0\5", b"hello")
    assert len(side.connection.take_output()) == 1
    payload = bytes(10_000)
    side.connection.send_message(stream, b"\0\0\0\x27\x10", payload)
    pieces = side.connection.take_output()
    assert len(pieces) == 2
    assert pieces[1] is payload


@pytest.mark.parametrize("end", [False, True])
def test_a_message_ends_the_stream_if_told(end: bool) -> None:
    side, (stream,) = serving(1)
    side.connection.send_message(stream, b"ab", b"c", end_stream=end)
    assert side.frames() == [Frame(DATA, END_STREAM if end else 0, 1, b"abc")]
    assert stream.local_closed is end
    assert (1 in side.connection.streams) is not end


def test_an_end_of_its_own() -> None:
    side = client()
    stream = side.open()
    side.output()
    side.connection.send_end(stream)
    side.connection.send_end(stream)
    assert side.frames() == [Frame(DATA, END_STREAM, 1, b"")]


def test_respond_sends_all_or_nothing() -> None:
    side, (one, three) = serving(1, 3, values={4: 10})
    connection = side.connection
    assert connection.respond(one, HEAD, b"\0\0\0\0\5", b"hello", END)
    assert [(f.kind, f.flags, f.sid) for f in side.frames()] == [
        (HEADERS, END_HEADERS, 1),
        (DATA, 0, 1),
        (HEADERS, END_HEADERS | END_STREAM, 1),
    ]
    assert not connection.respond(three, HEAD, b"\0\0\0\0\6", b"hello!", END)
    assert side.frames() == []
    assert not three.local_closed


@pytest.mark.parametrize("obstacle", ["room", "stream", "connection", "frame"])
def test_what_respond_needs(obstacle: str) -> None:
    side, (stream,) = serving(1, values={4: 1 << 20}, config=Config(send_buffer=1 << 16))
    connection = side.connection
    size = 16_000
    if obstacle == "room":
        connection.pause()
    elif obstacle == "stream":
        stream.send_window = size - 1
    elif obstacle == "connection":
        connection.send_window = size - 1
    else:
        size = 16_385
    assert not connection.respond(stream, HEAD, b"", bytes(size), END)
    assert connection.outbox == []


def test_long_header_blocks_are_cut_to_the_peers_frame_size() -> None:
    side, (stream,) = serving(1)
    side.connection.send_headers(stream, bytes(40_000))
    assert [(f.kind, len(f.payload)) for f in side.frames()] == [
        (HEADERS, 16_384),
        (CONTINUATION, 16_384),
        (CONTINUATION, 7_232),
    ]


# What waits for windows


def test_data_stays_within_the_streams_window() -> None:
    side, (stream,) = serving(1, values={4: 10})
    side.connection.send_message(stream, b"01234", b"56789abcdef")
    assert side.frames() == [Frame(DATA, 0, 1, b"0123456789")]
    assert (stream.parked_size, stream.send_window) == (6, 0)
    assert stream.drained == 0
    assert side.exchange(window_update(1, 5)) == [Frame(DATA, 0, 1, b"abcde")]
    assert side.exchange(window_update(1, 100)) == [Frame(DATA, 0, 1, b"f")]
    assert (stream.parked, stream.parked_size, stream.drained) == (None, 0, 1)
    assert stream.send_window == 99


def test_data_stays_within_the_connections_window() -> None:
    side = server(values={4: 1 << 20})
    side.feed(headers(1, end=True))
    stream = side.opened[1]
    side.connection.send_message(stream, b"", bytes(70_000))
    assert sum(sizes(side.frames())) == 65_535
    assert side.exchange(window_update(1, 5)) == []
    assert sizes(side.exchange(window_update(0, 1))) == [1]
    assert sum(sizes(side.exchange(PLENTY))) == 70_000 - 65_536
    assert stream.drained == 1


def test_messages_queue_behind_parked_ones_in_order() -> None:
    side, (stream,) = serving(1, values={4: 3})
    connection = side.connection
    for text in (b"abcd", b"", b"efg"):
        connection.send_message(stream, b"<", text)
    connection.send_end(stream)
    assert not stream.local_closed
    received = (
        side.frames() + side.exchange(window_update(1, 4)) + side.exchange(window_update(1, 9))
    )
    assert b"".join(f.payload for f in received) == b"<abcd<<efg"
    assert [f.flags for f in received] == [0, 0, END_STREAM]
    assert stream.drained == 0
    assert connection.completed == 1


def test_a_parked_message_with_end_stream() -> None:
    side, (stream,) = serving(1, values={4: 3})
    side.connection.send_message(stream, b"", b"abcd", end_stream=True)
    assert side.frames() == [Frame(DATA, 0, 1, b"abc")]
    assert side.exchange(window_update(1, 1)) == [Frame(DATA, END_STREAM, 1, b"d")]


def test_trailers_wait_and_are_encoded_when_they_leave() -> None:
    """HPACK: a block encoded early but sent late would leave the peer's table behind."""
    side, (one, three) = serving(1, 3, values={4: 3})
    connection = side.connection
    connection.send_headers(one, connection.encoder.encode(RESPONSE))
    connection.send_message(one, b"", b"abcd")
    connection.send_trailers(one, ((b"user-agent", b"one"),))
    connection.send_headers(
        three, connection.encoder.encode((*RESPONSE, (b"user-agent", b"three"))), end_stream=True
    )
    output = side.frames() + side.exchange(window_update(1, 1))
    decoder = Decoder()
    blocks = [(f.sid, decoder.decode(f.payload).fields) for f in output if f.kind == HEADERS]
    assert blocks == [
        (1, RESPONSE),
        (3, (*RESPONSE, (b"user-agent", b"three"))),
        (1, ((b"user-agent", b"one"),)),
    ]


def test_a_window_that_becomes_negative_and_positive_again(bytewise: bool) -> None:
    """§6.9.2: 16 sent of 16, lowered by 10, raised by 5 and by 10."""
    side = server(values={4: 16}, bytewise=bytewise)
    side.feed(headers(1, end=True))
    stream = side.opened[1]
    side.connection.send_message(stream, b"", bytes(30))
    assert sizes(side.frames()) == [16]
    assert sizes(side.exchange(settings({4: 6}))) == []
    assert stream.send_window == -10
    assert sizes(side.exchange(window_update(1, 10))) == []
    assert stream.send_window == 0
    assert sizes(side.exchange(settings({4: 11}))) == [5]
    assert sizes(side.exchange(settings({4: 6}), window_update(1, 4))) == []
    assert stream.send_window == -1
    assert sizes(side.exchange(window_update(1, 10))) == [9]
    assert stream.drained == 1


def test_a_stream_that_waits_its_turn_while_its_window_shrinks_to_nothing() -> None:
    side, (stream,) = serving(1, values={4: 10})
    connection = side.connection
    connection.pause()
    connection.send_message(stream, b"", b"0123456789")
    side.feed(settings({4: 0}))
    connection.take_output()
    connection.resume()
    assert side.frames() == []
    assert sizes(side.exchange(settings({4: 20}))) == [10]


def test_a_new_stream_takes_the_windows_of_its_time() -> None:
    side, _ = serving(1, values={4: 10})
    side.feed(settings({4: 7}), headers(3))
    assert side.opened[3].send_window == 7


def test_frame_size_follows_the_peers_settings() -> None:
    side, (stream,) = serving(1, values={4: 1 << 20})
    side.connection.send_message(stream, b"", bytes(40_000))
    assert sizes(side.frames()) == [16_384, 16_384, 7_232]
    side.connection.pause()
    side.connection.send_message(stream, b"", bytes(40_000))
    side.feed(settings({5: 30_000}))
    side.connection.resume()
    assert sizes(side.frames()) == [30_000, 10_000]
    side.feed(settings({5: 1 << 20}))
    side.connection.send_message(stream, b"", bytes(40_000))
    assert sizes(side.frames()) == [40_000]


# Taking turns


def test_streams_take_turns() -> None:
    side, streams = serving(1, 3, 5, values={4: 1 << 20}, config=Config(send_buffer=1 << 30))
    side.connection.pause()
    for stream in streams:
        side.connection.send_message(stream, b"", bytes(200_000))
    side.connection.resume()
    output = side.frames()
    order = [f.sid for f in output if f.kind == DATA]
    turns = [sid for n, sid in enumerate(order) if not n or order[n - 1] != sid]
    assert turns == [1, 3, 5] * 4
    assert sum(sizes(output)) == 600_000
    assert [stream.drained for stream in streams] == [1, 1, 1]


def test_a_stream_without_credit_does_not_stop_the_others() -> None:
    side, (one, three) = serving(1, 3, values={4: 100})
    side.connection.send_message(one, b"", bytes(200))
    side.connection.send_message(three, b"", bytes(50))
    assert sizes(side.frames()) == [100, 50]


# The transport


def test_a_paused_transport_gets_no_data_and_a_drained_one_does() -> None:
    side, (stream,) = serving(1, values={4: 1 << 30}, config=Config(send_buffer=100_000))
    connection = side.connection
    connection.pause()
    connection.send_message(stream, b"", bytes(1_000_000))
    assert connection.outbox == []
    assert not connection.output_sent()
    connection.resume()
    total = 0
    while connection.outbox:
        written = sum(map(len, connection.take_output()))
        assert written <= 100_000 + 9 * 8
        total += written
        connection.output_sent()
    assert total >= 1_000_000
    assert stream.drained == 1


def test_room_is_a_limit_for_small_messages_too() -> None:
    side, (stream,) = serving(1, values={4: 1 << 30}, config=Config(send_buffer=1000))
    connection = side.connection
    for _ in range(100):
        connection.send_message(stream, b"", bytes(100))
    assert sum(map(len, connection.outbox)) == 1000 + 10 * 9
    assert stream.parked_size == 9_000
    assert sum(sizes(side.frames())) == 10_000


def test_output_sent_without_more_to_send() -> None:
    side, _ = serving(1)
    side.output()
    assert not side.connection.output_sent()


def test_a_writer_called_back_may_write_on_without_recursion() -> None:
    """A generator of large messages, driven by `writable` alone."""
    side, (stream,) = serving(1, values={4: 2**31 - 1}, config=Config(send_buffer=1 << 30))
    left = [1500]

    def more(stream: Recorder) -> None:
        if left[0]:
            left[0] -= 1
            side.connection.send_message(stream, b"", bytes(16_385))

    stream.on_writable = more
    more(stream)
    assert sum(sizes(side.frames())) == 1500 * 16_385
    assert left == [0]


def test_a_reset_while_parked_drops_what_was_parked() -> None:
    side, (one, three) = serving(1, 3, values={4: 1 << 20})
    connection = side.connection
    connection.pause()
    connection.send_message(one, b"", bytes(100))
    connection.send_message(three, b"", bytes(100))
    connection.reset(one, 8)
    assert [f.kind for f in side.frames()] == [RST]
    connection.resume()
    assert [(f.kind, f.sid) for f in side.frames()] == [(DATA, 3)]


def test_closing_within_a_turn() -> None:
    side, (one, three) = serving(1, 3, values={4: 1 << 20})
    connection = side.connection
    one.on_writable = lambda stream: connection.close()
    connection.pause()
    connection.send_message(one, b"", b"x")
    connection.send_message(three, b"", b"y")
    connection.resume()
    assert [(f.kind, f.sid) for f in side.frames()] == [(DATA, 1), (RST, 1), (RST, 3), (GOAWAY, 0)]
    assert three.abort is not None


# HPACK on our side


def test_a_table_size_change_opens_the_next_block() -> None:
    side, (one, three, five) = serving(1, 3, 5)
    connection = side.connection
    decoder = Decoder()
    connection.send_headers(one, connection.encoder.encode(REQUEST))
    decoder.decode(side.frames()[0].payload)
    side.feed(settings({1: 0}), settings({1: 300}))
    decoder.max_table_size = 0
    decoder.max_table_size = 300
    assert connection.encoder.pending_update
    head = connection.encoder.take_update() + HEAD
    assert connection.respond(three, head, b"", b"", END)
    blocks = [f.payload for f in side.frames() if f.kind == HEADERS]
    assert decoder.decode(blocks[0]).fields == RESPONSE
    assert decoder.decode(blocks[1]).fields == TRAILERS
    connection.send_headers(five, connection.encoder.encode(REQUEST))
    assert decoder.decode(side.frames()[0].payload).fields == REQUEST


def test_a_peer_that_is_reset_amid_a_message_gets_no_more() -> None:
    side, (stream,) = serving(1, values={4: 5})
    side.connection.send_message(stream, b"", b"0123456789")
    side.output()
    side.feed(rst(1))
    assert side.exchange(window_update(1, 100), settings({4: 100})) == [Frame(4, 1, 0, b"")]
