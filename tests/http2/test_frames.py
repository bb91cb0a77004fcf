"""How frames are written, checked against bytes from the RFC's layouts and against another library."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from clarion.http2 import frames
from support.http2 import CONTINUATION, END_HEADERS, END_STREAM, HEADERS, parse

STREAM_IDS = st.integers(1, 2**31 - 1)
U32 = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (frames.frame_header(5, frames.DATA, frames.END_STREAM, 3), "000005 00 01 00000003"),
        (frames.settings({}), "000000 04 00 00000000"),
        (frames.settings({3: 100, 4: 65535}), "00000c 04 00 00000000 000300000064 00040000ffff"),
        (frames.SETTINGS_ACK, "000000 04 01 00000000"),
        (frames.ping(b"12345678"), "000008 06 00 00000000 3132333435363738"),
        (frames.ping(b"12345678", ack=True), "000008 06 01 00000000 3132333435363738"),
        (frames.rst_stream(7, 8), "000004 03 00 00000007 00000008"),
        (frames.window_update(0, 1), "000004 08 00 00000000 00000001"),
        (frames.goaway(5, 2), "000008 07 00 00000000 00000005 00000002"),
        (frames.goaway(5, 11, b"no"), "00000a 07 00 00000000 00000005 0000000b 6e6f"),
    ],
)
def test_layout(built: bytes, expected: str) -> None:
    assert built == bytes.fromhex(expected)


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 20, 21, 30])
@pytest.mark.parametrize("end", [False, True])
def test_blocks_are_cut_into_continuations(size: int, end: bool) -> None:
    block = bytes(range(size))
    parsed = parse(frames.header_frames(1, block, 10, end_stream=end))
    assert b"".join(f.payload for f in parsed) == block
    assert [f.kind for f in parsed] == [HEADERS] + [CONTINUATION] * (len(parsed) - 1)
    assert all(len(f.payload) <= 10 for f in parsed)
    assert [bool(f.flags & END_HEADERS) for f in parsed] == [False] * (len(parsed) - 1) + [True]
    assert bool(parsed[0].flags & END_STREAM) is end
    assert not any(f.flags & END_STREAM for f in parsed[1:])
    assert len(parsed) == max(1, -(-size // 10))


@given(st.dictionaries(st.integers(0, 0xFF), U32, max_size=8))
@hypothesis_settings(max_examples=50, deadline=None)
def test_settings_as_hyperframe_builds_them(values: dict[int, int]) -> None:
    hyperframe = pytest.importorskip("hyperframe.frame", reason="hyperframe is not installed")
    assert frames.settings(values) == hyperframe.SettingsFrame(settings=values).serialize()


@given(STREAM_IDS, U32, st.binary(max_size=40), st.binary(min_size=8, max_size=8), st.booleans())
@hypothesis_settings(max_examples=100, deadline=None)
def test_frames_as_hyperframe_builds_them(
    sid: int, number: int, debug: bytes, opaque: bytes, flag: bool
) -> None:
    peer = pytest.importorskip("hyperframe.frame", reason="hyperframe is not installed")
    ack = ["ACK"] if flag else []
    assert (
        frames.ping(opaque, ack=flag) == peer.PingFrame(opaque_data=opaque, flags=ack).serialize()
    )
    assert frames.rst_stream(sid, number) == peer.RstStreamFrame(sid, error_code=number).serialize()
    assert (
        frames.goaway(sid, number, debug)
        == peer.GoAwayFrame(
            last_stream_id=sid, error_code=number, additional_data=debug
        ).serialize()
    )
    increment = number % (2**31 - 1) + 1
    assert (
        frames.window_update(sid, increment)
        == peer.WindowUpdateFrame(sid, window_increment=increment).serialize()
    )
    flags = ["END_HEADERS"] + (["END_STREAM"] if flag else [])
    assert (
        frames.header_frames(sid, debug, 16384, end_stream=flag)
        == peer.HeadersFrame(sid, debug, flags=flags).serialize()
    )
    end = ["END_STREAM"] if flag else []
    head = frames.frame_header(len(debug), frames.DATA, frames.END_STREAM if flag else 0, sid)
    assert head + debug == peer.DataFrame(sid, debug, flags=end).serialize()
