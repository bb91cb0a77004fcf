"""Received or sent bytes as frames, for who looks on (RFC 9113 §4.1).

It is not the connection's own reader: that one checks every rule and keeps nothing, this one checks none and keeps a little.
Rules it keeps:

- Bytes in any pieces give the same frames.
- Of a payload no more is kept than there is to show; so memory is bounded, whatever a frame's length says.
- Nothing raises. What does not begin as HTTP/2 does is given out once, as it is, and no more is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from clarion.http2 import frames

__all__ = ["Frame", "FrameReader", "NotHttp2", "Preface"]

# How much of a payload is kept, by the frame's type; of others less.
_KEPT = {
    frames.DATA: 1 << 16,
    frames.HEADERS: 1 << 18,
    frames.CONTINUATION: 1 << 18,
    frames.PUSH_PROMISE: 1 << 18,
    frames.SETTINGS: 1 << 12,
    frames.GOAWAY: 1 << 12,
}
_KEPT_OF_OTHERS = 256
_SHOWN_OF_OTHER_PROTOCOLS = 200


class Frame(NamedTuple):
    """One frame.

    Attributes:
        kind: the type.
        flags: as they are on the wire.
        stream_id: without the reserved bit.
        length: the payload's, in bytes.
        payload: as much of it as is kept.
    """

    kind: int
    flags: int
    stream_id: int
    length: int
    payload: bytes


class Preface(NamedTuple):
    """A client's connection preface (§3.4)."""


class NotHttp2(NamedTuple):
    """This is another protocol; its first bytes."""

    data: bytes


class FrameReader:
    """Reads one direction of one connection.

    Args:
        from_client: whether it is the client's, which begins with the preface.
    """

    def __init__(self, *, from_client: bool) -> None:
        self._buffer = bytearray()
        self._skip = 0
        self._preface = from_client
        self._first = True
        self.broken = False

    def feed(self, data: bytes | memoryview) -> Iterator[Frame | Preface | NotHttp2]:
        """Take bytes; give the frames that they complete."""
        if self.broken:
            return
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        buffer = self._buffer
        buffer += data
        if self._preface:
            known = frames.PREFACE[: len(buffer)]
            if not buffer.startswith(known):
                yield self._another_protocol()
                return
            if len(buffer) < len(frames.PREFACE):
                return
            del buffer[: len(frames.PREFACE)]
            self._preface = False
            yield Preface()
        position = 0
        while len(buffer) - position >= 9:
            head, flags, stream_id = frames.FRAME_HEADER.unpack_from(buffer, position)
            length, kind = head >> 8, head & 0xFF
            if self._first:
                # §3.4: the first frame is SETTINGS, on both sides.
                if kind != frames.SETTINGS or stream_id:
                    yield self._another_protocol()
                    return
                self._first = False
            kept = min(length, _KEPT.get(kind, _KEPT_OF_OTHERS))
            start = position + 9
            if len(buffer) - start < kept:
                break
            position = min(start + length, len(buffer))
            self._skip = start + length - position
            payload = bytes(buffer[start : start + kept])
            yield Frame(kind, flags, stream_id & 0x7FFFFFFF, length, payload)
        del buffer[:position]

    def _another_protocol(self) -> NotHttp2:
        self.broken = True
        data = bytes(self._buffer[:_SHOWN_OF_OTHER_PROTOCOLS])
        self._buffer.clear()
        return NotHttp2(data)
