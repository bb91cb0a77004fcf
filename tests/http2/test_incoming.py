"""The frame loop: cuts anywhere, what is kept meanwhile, and DATA in all its shapes."""

from __future__ import annotations

import pytest

from clarion.http2 import Config, Connection, ErrorCode, StreamFault
from support.http2 import (
    DATA,
    END_STREAM,
    PADDED,
    PING,
    RST,
    SETTINGS,
    WINDOW,
    Recorder,
    Side,
    client,
    data,
    frame,
    headers,
    rst,
    server,
    settings,
    window_update,
)

PADDED_FRAMES = {
    "text and padding": (frame(DATA, PADDED, 1, b"\3text\0\0\0"), b"text", False),
    "text and no padding": (frame(DATA, PADDED, 1, b"\0text"), b"text", False),
    "padding alone": (frame(DATA, PADDED, 1, b"\3\0\0\0"), b"", False),
    "pad length alone": (frame(DATA, PADDED, 1, b"\0"), b"", False),
    "text, padding, end": (frame(DATA, PADDED | END_STREAM, 1, b"\3text\0\0\0"), b"text", True),
    "padding, end": (frame(DATA, PADDED | END_STREAM, 1, b"\3\0\0\0"), b"", True),
    "nothing": (frame(DATA, 0, 1), b"", False),
    "nothing, end": (frame(DATA, END_STREAM, 1), b"", True),
}


@pytest.mark.parametrize("shape", PADDED_FRAMES)
def test_padding_and_emptiness(shape: str, bytewise: bool) -> None:
    sent, text, end = PADDED_FRAMES[shape]
    side = server(bytewise=bytewise)
    side.feed(headers(1), data(1, b"<"))
    assert side.exchange(sent) == []
    side.feed(headers(3, end=True))
    stream = side.opened[1]
    assert (stream.body, stream.ended) == (b"<" + text, end)
    assert side.opened[3].ended
    if not end:
        side.feed(data(1, b">", end=True))
        assert (stream.body, stream.ended) == (b"<" + text + b">", True)


@pytest.mark.parametrize("shape", PADDED_FRAMES)
def test_every_cut_in_two(shape: str) -> None:
    sent, text, end = PADDED_FRAMES[shape]
    sent = headers(1) + sent + frame(PING, 0, 0, bytes(8))
    for at in range(len(sent)):
        side = server()
        side.feed(sent[:at])
        side.feed(sent[at:])
        assert (side.opened[1].body, side.opened[1].ended) == (text, end)
        assert [f.kind for f in side.frames()] == [PING]


def test_data_is_handed_on_as_it_arrives() -> None:
    side = server()
    whole = data(1, b"0123456789", end=True)
    side.feed(headers(1), whole[:9])
    stream = side.opened[1]
    assert stream.pieces == 0
    side.feed(whole[9:12])
    assert (stream.body, stream.ended) == (b"012", False)
    side.feed(whole[12:])
    assert (stream.body, stream.pieces, stream.ended) == (b"0123456789", 2, True)


def test_one_byte_at_a_time_keeps_and_copies_little() -> None:
    """A frame that is not DATA is collected in place, and joined at most twice."""
    side = server(Config(max_frame_size=1 << 20, max_header_block_size=1 << 20), bytewise=True)
    joined: list[int] = []

    class Watched(Connection):
        __slots__ = ()

        def _receive_frames(self, data: bytes) -> None:
            joined.append(len(data))
            super()._receive_frames(data)

    side.connection.__class__ = Watched
    sent = frame(0xBE, 0, 0, bytes(200_000)) + headers(1)
    side.feed(sent)
    assert 1 in side.opened
    assert sum(joined) < 2 * len(sent)
    assert len(side.connection._partial) == 0


def test_a_partial_frame_is_bounded_by_the_frame_size_limit() -> None:
    side = server()
    side.feed(frame(0xBE, 0, 0, bytes(16_384))[:-1])
    assert len(side.connection._partial) == 9 + 16_383
    side.feed(b"\0" + headers(1))
    assert len(side.connection._partial) == 0
    assert 1 in side.opened


def test_a_frame_too_large_is_refused_before_it_comes() -> None:
    side = server()
    side.feed(frame(0xBE, 0, 0, bytes(16_385))[:9])
    assert side.connection.closed


@pytest.mark.parametrize("how", ["peer", "us"])
def test_a_stream_that_goes_amid_its_data(how: str) -> None:
    side = server()
    whole = frame(DATA, PADDED | END_STREAM, 1, b"\4" + b"x" * 20 + bytes(4))
    side.feed(headers(1), headers(3), whole[:15])
    stream = side.opened[1]
    side.connection.reset(stream, ErrorCode.CANCEL)
    side.feed(whole[15:20])
    side.feed(whole[20:32])
    side.feed(whole[32:], data(3, b"on"))
    assert stream.body == b"x" * 5
    assert side.opened[3].body == b"on"


@pytest.mark.parametrize("end", [False, True])
def test_a_layer_above_that_refuses_data(end: bool, bytewise: bool) -> None:
    def refuse(stream: Recorder) -> None:
        raise StreamFault(stream.stream_id, ErrorCode.PROTOCOL_ERROR, "DATA before headers")

    side = server(bytewise=bytewise, setup=lambda s: setattr(s, "on_data", refuse))
    side.feed(headers(1), headers(3), headers(5), headers(7))
    side.opened[7].on_data = None
    before = side.connection.recv_window
    sent = (
        data(1, b"x", end=end) + frame(DATA, PADDED | end, 3, b"\2ab\0\0") + data(5, b"", end=True)
    )
    answer = side.exchange(sent, data(7, b"fine"))
    assert [(f.kind, f.sid) for f in answer] == [(RST, 1), (RST, 3), (RST, 5)]
    assert side.connection.recv_window == before - 1 - 5 - 4
    assert side.opened[7].body == b"fine"


def test_empty_data_with_end_stream_refused_amid_padding() -> None:
    """What is left of the frame belongs to nobody; the next frame is read where it begins."""
    side = server(setup=lambda s: setattr(s, "content_left", 5))
    sent = frame(DATA, PADDED | END_STREAM, 1, b"\x09" + bytes(9))
    side.feed(headers(1), headers(3), sent[:12])
    assert [(f.kind, f.sid) for f in side.frames()] == [(RST, 1)]
    side.feed(sent[12:], data(3, b"12345"))
    assert side.opened[3].body == b"12345"
    assert not side.connection.closed


@pytest.mark.parametrize("split", [False, True])
def test_a_connection_closed_by_a_callback_reads_no_further(split: bool) -> None:
    side = server(setup=lambda s: setattr(s, "on_data", lambda stream: stream.connection.close()))
    sent = headers(1) + frame(DATA, PADDED, 1, b"\1xy\0") + headers(3)
    if split:
        side.feed(sent[:-45])
        side.feed(sent[-45:])
    else:
        side.feed(sent)
    assert list(side.opened) == [1]
    assert side.connection.closed


def test_a_connection_closed_amid_data_reads_no_further() -> None:
    side = server()
    whole = data(1, b"0123456789")
    side.feed(headers(1), whole[:12])
    side.opened[1].on_data = lambda stream: stream.connection.close()
    side.feed(whole[12:], headers(3))
    assert list(side.opened) == [1]


def test_a_stream_fault_amid_data_may_exhaust_a_budget() -> None:
    def refuse(stream: Recorder) -> None:
        raise StreamFault(stream.stream_id, ErrorCode.PROTOCOL_ERROR, "no")

    side = server(setup=lambda s: setattr(s, "on_data", refuse))
    for n in range(201):
        whole = data(2 * n + 1, b"ab")
        side.feed(headers(2 * n + 1), whole[:9])
        side.feed(whole[9:])
    assert side.connection.closed
    assert side.frames()[-1].code == ErrorCode.ENHANCE_YOUR_CALM


def test_bytes_are_counted() -> None:
    side = client()
    before = side.connection.bytes_received
    side.feed(frame(PING, 0, 0, bytes(8)))
    assert side.connection.bytes_received == before + 17
    side.connection.close()
    side.feed(b"more")
    assert side.connection.bytes_received == before + 17


def test_responses_are_sent_while_requests_come(bytewise: bool) -> None:
    side = server(bytewise=bytewise, values={4: 5})

    def answer(stream: Recorder) -> None:
        if stream.ended:
            side.connection.send_message(stream, b"", stream.body[::-1], end_stream=True)

    side.setup = lambda stream: setattr(stream, "on_data", answer)
    output = side.exchange(
        headers(1), data(1, b"abcdef", end=True), headers(3), data(3, b"xyz", end=True)
    )
    output += side.exchange(window_update(1, 1), rst(3))
    assert [(f.sid, f.payload) for f in output if f.kind == DATA] == [
        (1, b"fedcb"),
        (3, b"zyx"),
        (1, b"a"),
    ]


def test_settings_between_the_pieces_of_nothing(bytewise: bool) -> None:
    side: Side = server(bytewise=bytewise)
    side.feed(
        headers(1), settings({4: 1}), data(1, b"x"), settings({4: 2}), data(1, b"y", end=True)
    )
    assert side.opened[1].body == b"xy"
    assert [f.kind for f in side.frames()] == [SETTINGS, SETTINGS]


def test_a_skipped_frame_is_credited_when_it_begins() -> None:
    side = server(Config(connection_window=65_535))
    side.feed(headers(1), headers(3))
    side.connection.reset(side.opened[1], ErrorCode.CANCEL)
    side.output()
    whole = data(1, bytes(16_384))
    answer = []
    for _ in range(3):
        answer += side.exchange(whole[:100])
        answer += side.exchange(whole[100:])
    assert [(f.kind, f.sid, f.number) for f in answer] == [(WINDOW, 0, 3 * 16_384)]
    side.feed(data(3, b"on"))
    assert side.opened[3].body == b"on"
