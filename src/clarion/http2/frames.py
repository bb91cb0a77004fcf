"""HTTP/2 frames on the wire (RFC 9113 §4 and §6): numbers, layout, and how each is written.

Reading is not here: the connection reads frames in one loop without an object per frame.
"""

from __future__ import annotations

import struct

__all__ = [
    "ACK",
    "CONTINUATION",
    "DATA",
    "DEFAULT_HEADER_TABLE_SIZE",
    "DEFAULT_MAX_FRAME_SIZE",
    "DEFAULT_WINDOW",
    "ENABLE_PUSH",
    "END_HEADERS",
    "END_STREAM",
    "FRAME_HEADER",
    "GOAWAY",
    "HEADERS",
    "HEADER_TABLE_SIZE",
    "INITIAL_WINDOW_SIZE",
    "MAX_CONCURRENT_STREAMS",
    "MAX_FRAME_SIZE",
    "MAX_HEADER_LIST_SIZE",
    "MAX_MAX_FRAME_SIZE",
    "MAX_STREAM_ID",
    "MAX_WINDOW",
    "PADDED",
    "PING",
    "PREFACE",
    "PRIORITY",
    "PRIORITY_FLAG",
    "PUSH_PROMISE",
    "RST_STREAM",
    "SETTINGS",
    "SETTINGS_ACK",
    "WINDOW_UPDATE",
    "frame_header",
    "goaway",
    "header_frames",
    "ping",
    "rst_stream",
    "settings",
    "window_update",
]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA = 0x0
HEADERS = 0x1
PRIORITY = 0x2
RST_STREAM = 0x3
SETTINGS = 0x4
PUSH_PROMISE = 0x5
PING = 0x6
GOAWAY = 0x7
WINDOW_UPDATE = 0x8
CONTINUATION = 0x9

END_STREAM = 0x1
ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITY_FLAG = 0x20

# SETTINGS parameters (§6.5.2).
HEADER_TABLE_SIZE = 0x1
ENABLE_PUSH = 0x2
MAX_CONCURRENT_STREAMS = 0x3
INITIAL_WINDOW_SIZE = 0x4
MAX_FRAME_SIZE = 0x5
MAX_HEADER_LIST_SIZE = 0x6

DEFAULT_HEADER_TABLE_SIZE = 4096
DEFAULT_WINDOW = 65_535
MAX_WINDOW = 2**31 - 1
MAX_STREAM_ID = 2**31 - 1
DEFAULT_MAX_FRAME_SIZE = 16_384
MAX_MAX_FRAME_SIZE = 2**24 - 1

# A frame header is 24 bits of length, 8 of type, 8 of flags, 32 of stream identifier. Read as >IBI the
# first number is `length << 8 | type`, so one unpack serves for all four fields.
FRAME_HEADER = struct.Struct(">IBI")
_pack_header = FRAME_HEADER.pack
_pack_setting = struct.Struct(">HI").pack
_pack_goaway = struct.Struct(">II").pack
_pack_u32 = struct.Struct(">I").pack


def frame_header(length: int, frame_type: int, flags: int, stream_id: int) -> bytes:
    """The nine bytes in front of a payload of `length` bytes."""
    return _pack_header(length << 8 | frame_type, flags, stream_id)


def settings(values: dict[int, int]) -> bytes:
    """A SETTINGS frame carrying `values` (§6.5)."""
    payload = b"".join(_pack_setting(key, value) for key, value in values.items())
    return _pack_header(len(payload) << 8 | SETTINGS, 0, 0) + payload


SETTINGS_ACK = _pack_header(SETTINGS, ACK, 0)


def ping(data: bytes, *, ack: bool = False) -> bytes:
    """A PING frame with eight opaque bytes (§6.7)."""
    return _pack_header(8 << 8 | PING, ACK if ack else 0, 0) + data


def rst_stream(stream_id: int, code: int) -> bytes:
    """A RST_STREAM frame (§6.4)."""
    return _pack_header(4 << 8 | RST_STREAM, 0, stream_id) + _pack_u32(code)


def window_update(stream_id: int, increment: int) -> bytes:
    """A WINDOW_UPDATE frame; stream 0 means the connection (§6.9)."""
    return _pack_header(4 << 8 | WINDOW_UPDATE, 0, stream_id) + _pack_u32(increment)


def goaway(last_stream_id: int, code: int, debug: bytes = b"") -> bytes:
    """A GOAWAY frame (§6.8)."""
    header = _pack_header((8 + len(debug)) << 8 | GOAWAY, 0, 0)
    return header + _pack_goaway(last_stream_id, code) + debug


def header_frames(stream_id: int, block: bytes, max_frame_size: int, *, end_stream: bool) -> bytes:
    """HEADERS, and CONTINUATION frames where `block` is longer than one frame (§4.3, §6.10)."""
    flags = END_STREAM if end_stream else 0
    if len(block) <= max_frame_size:
        return _pack_header(len(block) << 8 | HEADERS, flags | END_HEADERS, stream_id) + block
    pieces = [_pack_header(max_frame_size << 8 | HEADERS, flags, stream_id), block[:max_frame_size]]
    for start in range(max_frame_size, len(block), max_frame_size):
        piece = block[start : start + max_frame_size]
        last = END_HEADERS if start + max_frame_size >= len(block) else 0
        pieces.append(_pack_header(len(piece) << 8 | CONTINUATION, last, stream_id))
        pieces.append(piece)
    return b"".join(pieces)
