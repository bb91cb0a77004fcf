"""Frames out of bytes, in any pieces, and whatever they are."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.http2 import frames
from clarion.wire_trace.frame_reader import Frame, FrameReader, NotHttp2, Preface

BEGIN = frames.settings({frames.MAX_FRAME_SIZE: 20_000})


def read(data: bytes, size: int = 0, *, from_client: bool = False) -> list[object]:
    reader = FrameReader(from_client=from_client)
    size = size or len(data) or 1
    return [seen for at in range(0, len(data), size) for seen in reader.feed(data[at : at + size])]


def test_whole_and_bytewise() -> None:
    data = frames.PREFACE + BEGIN + frames.ping(b"12345678") + frames.rst_stream(3, 8)
    expected = [
        Preface(),
        Frame(frames.SETTINGS, 0, 0, 6, BEGIN[9:]),
        Frame(frames.PING, 0, 0, 8, b"12345678"),
        Frame(frames.RST_STREAM, 0, 3, 4, b"\0\0\0\x08"),
    ]
    for size in (0, 1, 2, 7, 30):
        assert read(data, size, from_client=True) == expected


def test_of_a_large_frame_only_so_much_is_kept() -> None:
    large = frames.frame_header(1 << 20, frames.DATA, 1, 1) + bytes(1 << 20)
    for size in (0, 1000, 70_000):
        _, data, after = read(BEGIN + large + frames.window_update(1, 5), size)
        assert isinstance(data, Frame)
        assert (data.length, len(data.payload), data.flags) == (1 << 20, 1 << 16, 1)
        assert after == Frame(frames.WINDOW_UPDATE, 0, 1, 4, b"\0\0\0\x05")


def test_a_reader_holds_no_more_than_it_keeps() -> None:
    reader = FrameReader(from_client=False)
    assert list(reader.feed(BEGIN))
    assert list(reader.feed(frames.frame_header((1 << 24) - 1, frames.DATA, 0, 1))) == []
    for _ in range(64):
        list(reader.feed(bytes(1 << 14)))
        assert len(reader._buffer) <= 1 << 17


def test_another_protocol_is_shown_once() -> None:
    request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    assert read(request, from_client=True) == [NotHttp2(request)]
    assert read(request, 1, from_client=True) == [NotHttp2(b"G")]
    assert read(b"HTTP/1.1 400 Bad Request\r\n\r\n", 12) == [NotHttp2(b"HTTP/1.1 400")]
    assert read(frames.ping(b"12345678")) == [NotHttp2(frames.ping(b"12345678"))]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40)), st.booleans(), st.booleans())
def test_whatever_comes_nothing_raises(pieces: list[bytes], client: bool, begun: bool) -> None:
    reader = FrameReader(from_client=client)
    if begun:
        list(reader.feed(frames.PREFACE * client + BEGIN))
    for piece in pieces:
        for seen in reader.feed(piece):
            assert isinstance(seen, (Frame, Preface, NotHttp2))
