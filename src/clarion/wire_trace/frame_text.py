"""Frames in words (RFC 9113 §6). Whatever a payload holds, there is a text for it."""

from __future__ import annotations

from collections.abc import Iterable

from clarion.http2 import error_name, frames
from clarion.wire_trace.escaping import escape
from clarion.wire_trace.frame_reader import Frame
from clarion.wire_trace.masking import Masking

__all__ = ["describe_frame", "describe_headers", "read_settings"]

_NAMES = {
    frames.DATA: "DATA",
    frames.HEADERS: "HEADERS",
    frames.PRIORITY: "PRIORITY",
    frames.RST_STREAM: "RST_STREAM",
    frames.SETTINGS: "SETTINGS",
    frames.PUSH_PROMISE: "PUSH_PROMISE",
    frames.PING: "PING",
    frames.GOAWAY: "GOAWAY",
    frames.WINDOW_UPDATE: "WINDOW_UPDATE",
    frames.CONTINUATION: "CONTINUATION",
}

_FLAGS: dict[int, dict[int, str]] = {
    frames.DATA: {0x1: "END_STREAM", 0x8: "PADDED"},
    frames.HEADERS: {0x1: "END_STREAM", 0x4: "END_HEADERS", 0x8: "PADDED", 0x20: "PRIORITY"},
    frames.SETTINGS: {0x1: "ACK"},
    frames.PUSH_PROMISE: {0x4: "END_HEADERS", 0x8: "PADDED"},
    frames.PING: {0x1: "ACK"},
    frames.CONTINUATION: {0x4: "END_HEADERS"},
}

_SETTINGS = {
    frames.HEADER_TABLE_SIZE: "HEADER_TABLE_SIZE",
    frames.ENABLE_PUSH: "ENABLE_PUSH",
    frames.MAX_CONCURRENT_STREAMS: "MAX_CONCURRENT_STREAMS",
    frames.INITIAL_WINDOW_SIZE: "INITIAL_WINDOW_SIZE",
    frames.MAX_FRAME_SIZE: "MAX_FRAME_SIZE",
    frames.MAX_HEADER_LIST_SIZE: "MAX_HEADER_LIST_SIZE",
    0x8: "ENABLE_CONNECT_PROTOCOL",
    0x9: "NO_RFC7540_PRIORITIES",
    0xFE03: "GRPC_ALLOW_TRUE_BINARY_METADATA",
}

_SHOWN_OF_DEBUG_DATA = 500
_SHOWN_OF_A_HEADER = 500
_SHOWN_HEADERS = 200


def describe_frame(frame: Frame) -> str:
    """A frame on one line; what is in a header block or in DATA is not part of it."""
    words = [_NAMES.get(frame.kind, f"frame of unknown type {frame.kind:#x}")]
    words.append(f"stream {frame.stream_id}" if frame.stream_id else "connection")
    left = frame.flags
    for flag, name in _FLAGS.get(frame.kind, {}).items():
        if left & flag:
            words.append(name)
            left &= ~flag
    if left:
        words.append(f"flags {left:#x}")
    words.append(_describe_payload(frame))
    return " ".join(filter(None, words))


def _describe_payload(frame: Frame) -> str:
    kind, payload = frame.kind, frame.payload
    if kind == frames.SETTINGS and not frame.length % 6:
        return ", ".join(
            f"{_SETTINGS.get(key, f'setting {key:#x}')}={value}"
            for key, value in read_settings(payload)
        )
    if kind == frames.WINDOW_UPDATE and frame.length == 4:
        return f"+{int.from_bytes(payload, 'big') & 0x7FFFFFFF} bytes"
    if kind == frames.RST_STREAM and frame.length == 4:
        return error_name(int.from_bytes(payload, "big"))
    if kind == frames.PING and frame.length == 8:
        return payload.hex()
    if kind == frames.GOAWAY and frame.length >= 8:
        last = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
        text = f"{error_name(int.from_bytes(payload[4:8], 'big'))}, last stream {last}"
        if frame.length > 8:
            text += f', "{escape(payload[8:], _SHOWN_OF_DEBUG_DATA)}"'
        return text
    if kind == frames.PRIORITY and frame.length == len(payload) == 5:
        depends = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
        return f"depends on stream {depends}, weight {payload[4] + 1}"
    if kind == frames.PUSH_PROMISE and frame.length >= 4:
        return f"{frame.length} bytes"
    known = kind in (frames.DATA, frames.HEADERS, frames.CONTINUATION)
    wrong = "" if known or kind not in _NAMES else " (a length that this frame cannot have)"
    return f"{frame.length} bytes{wrong}"


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """The identifiers and values in the payload of SETTINGS."""
    return [
        (
            int.from_bytes(payload[at : at + 2], "big"),
            int.from_bytes(payload[at + 2 : at + 6], "big"),
        )
        for at in range(0, len(payload) - 5, 6)
    ]


def describe_headers(fields: Iterable[tuple[bytes, bytes]], masking: Masking) -> list[str]:
    """A line for each header field, secrets masked."""
    lines: list[str] = []
    for name, value in fields:
        if len(lines) == _SHOWN_HEADERS:
            lines.append("...")
            break
        key = escape(name, _SHOWN_OF_A_HEADER)
        if masking.is_secret_header(key):
            lines.append(f"{key}: <masked, {len(value)} bytes>")
        else:
            lines.append(f"{key}: {escape(value, _SHOWN_OF_A_HEADER)}")
    return lines
