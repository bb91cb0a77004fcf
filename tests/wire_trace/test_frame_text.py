"""Frames and headers in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.http2 import frames
from clarion.wire_trace.frame_reader import Frame
from clarion.wire_trace.frame_text import describe_frame, describe_headers
from clarion.wire_trace.masking import Masking


def frame(data: bytes) -> Frame:
    head, flags, stream = frames.FRAME_HEADER.unpack_from(data)
    return Frame(head & 0xFF, flags, stream, head >> 8, data[9:])


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (frames.settings({}), "SETTINGS connection"),
        (frames.SETTINGS_ACK, "SETTINGS connection ACK"),
        (
            frames.settings({1: 0, 2: 0, 3: 100, 4: 65535, 5: 16384, 6: 8192, 0xFE03: 1, 0x99: 7}),
            (
                "SETTINGS connection HEADER_TABLE_SIZE=0, ENABLE_PUSH=0, MAX_CONCURRENT_STREAMS=100, "
                "INITIAL_WINDOW_SIZE=65535, MAX_FRAME_SIZE=16384, MAX_HEADER_LIST_SIZE=8192, "
                "GRPC_ALLOW_TRUE_BINARY_METADATA=1, setting 0x99=7"
            ),
        ),
        (frames.window_update(0, 10), "WINDOW_UPDATE connection +10 bytes"),
        (frames.rst_stream(5, 8), "RST_STREAM stream 5 CANCEL"),
        (frames.rst_stream(5, 99), "RST_STREAM stream 5 error code 0x63"),
        (frames.ping(b"\0" * 7 + b"\x01", ack=True), "PING connection ACK 0000000000000001"),
        (
            frames.goaway(7, 11, b'too "many"\n'),
            'GOAWAY connection ENHANCE_YOUR_CALM, last stream 7, "too \\"many\\"\\n"',
        ),
        (frames.goaway(7, 0), "GOAWAY connection NO_ERROR, last stream 7"),
        (
            frames.frame_header(5, frames.PRIORITY, 0, 3) + b"\x80\0\0\x01\x0f",
            "PRIORITY stream 3 depends on stream 1, weight 16",
        ),
        (
            frames.frame_header(3, frames.DATA, 0x49, 3) + b"abc",
            "DATA stream 3 END_STREAM PADDED flags 0x40 3 bytes",
        ),
        (
            frames.header_frames(1, b"abc", 100, end_stream=True),
            "HEADERS stream 1 END_STREAM END_HEADERS 3 bytes",
        ),
        (
            frames.frame_header(4, frames.PUSH_PROMISE, 4, 1) + b"\0\0\0\x02",
            "PUSH_PROMISE stream 1 END_HEADERS 4 bytes",
        ),
        (
            frames.frame_header(2, frames.RST_STREAM, 0, 1) + b"ab",
            "RST_STREAM stream 1 2 bytes (a length that this frame cannot have)",
        ),
        (frames.frame_header(0, 0x42, 0, 9), "frame of unknown type 0x42 stream 9 0 bytes"),
    ],
)
def test_a_frame_in_words(data: bytes, text: str) -> None:
    assert describe_frame(frame(data)) == text


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 2**31 - 1),
    st.binary(max_size=40),
    st.integers(0, 5),
)
def test_every_frame_has_a_text(
    kind: int, flags: int, stream: int, payload: bytes, lost: int
) -> None:
    text = describe_frame(Frame(kind, flags, stream, len(payload) + lost, payload))
    assert text.isascii()
    assert text.isprintable()


def test_headers_are_masked() -> None:
    fields = (
        (b":path", b"/a/b"),
        (b"Authorization", b"Bearer abc"),
        (b"x-my-token-bin", b"YWJj"),
        (b"set-cookie", b"a=b"),
        (b"x-api-key", b"k"),
        (b"odd", b"\xff\n"),
    )
    lines = describe_headers(fields, Masking())
    assert lines == [
        ":path: /a/b",
        "Authorization: <masked, 10 bytes>",
        "x-my-token-bin: <masked, 4 bytes>",
        "set-cookie: <masked, 3 bytes>",
        "x-api-key: <masked, 1 bytes>",
        "odd: \\xff\\n",
    ]
    assert describe_headers(fields, Masking(()))[1] == "Authorization: Bearer abc"
    assert describe_headers(fields, Masking(["od?"]))[-1] == "odd: <masked, 2 bytes>"
    many = describe_headers([(b"a", b"b")] * 300, Masking())
    assert (len(many), many[-1]) == (201, "...")


def test_a_string_is_no_list_of_patterns() -> None:
    with pytest.raises(TypeError, match="list of patterns"):
        Masking("authorization")
