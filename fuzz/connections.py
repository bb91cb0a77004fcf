"""What the targets of connections share: how bytes become what arrives, and what must always hold.

The first two bytes of the input say how the rest is meant:

- bit 0 of the first: the rest is a list of frames (kind, flags, stream, length of the payload, payload), whose
  length fields are made right here; else it is the bytes that arrive, as they are.
- bit 1: the connection is new; else both sides have exchanged SETTINGS.
- the second: into pieces of how many bytes it is cut, up to 127; above that and at 0 it is not cut.

In a list of frames, kinds from 0xF0 up are steps of this side: its application and its clock.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from fuzz.reader import Reader
from support.http2 import (
    GOAWAY,
    REQUEST,
    RESPONSE,
    TRAILERS,
    Frame,
    Recorder,
    Side,
    block,
    frame,
    parse,
)

__all__ = ["BLOCKS", "drive", "frames_of", "is_fresh", "pieces_of"]

STREAMS = (0, 1, 1, 1, 3, 3, 5, 7, 2, 4, 9, 11, 2**31 - 1)
NUMBERS = (0, 1, 5, 100, 16_384, 65_535, 1 << 20, 2**31 - 1, 2**31, 2**32 - 1)
BLOCKS = (
    block(REQUEST),
    block(RESPONSE),
    block(TRAILERS),
    b"",
    b"\x82\x86",
    b"\x40\1a\1b",
    b"\xbe",
    b"\x20",
    b"\x3f\xe1\x1f",
)
FIRST_STEP = 0xF0
_CHECKED = 64


def is_fresh(data: bytes) -> bool:
    """Whether the connection has not begun yet."""
    return bool(data[:1] and data[0] & 2)


def _payload(reader: Reader, kind: int) -> bytes:
    form = reader.byte()
    if form < 0x80:
        return reader.take(form)
    if form < 0x90:
        return reader.choose(BLOCKS) + reader.take(form & 0xF)
    if form < 0xA0:
        return b"".join(struct.pack(">I", reader.choose(NUMBERS)) for _ in range(form & 3))
    if form < 0xB0:
        return b"".join(
            struct.pack(">HI", reader.byte() % 8, reader.choose(NUMBERS)) for _ in range(form & 7)
        )
    if form < 0xC0:
        # A gRPC message, whole or not.
        body = reader.take(form & 0xF)
        return struct.pack(">BI", reader.byte() & 1, len(body)) + body
    if form < 0xF8:
        return reader.take(form)
    # Up to more than a frame may have.
    return bytes((form - 0xF7) * 2100)


def frames_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The list of frames, each as (kind, bytes); a step has its argument for bytes."""
    reader = Reader(data)
    while reader.left:
        kind = reader.byte()
        if kind >= FIRST_STEP:
            yield kind, bytes([reader.byte()])
            continue
        if kind > 12:
            kind %= 10
        flags = reader.byte()
        sid = reader.choose(STREAMS)
        yield kind, frame(kind, flags, sid, _payload(reader, kind))


def pieces_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """What arrives and happens: (0, bytes) and (step, argument)."""
    head, rest = data[:2], data[2:]
    cut = head[1] if len(head) > 1 and head[1] < 128 else 0
    listed = frames_of(rest) if head[:1] and head[0] & 1 else iter([(0, rest)])
    for kind, payload in listed:
        if kind >= FIRST_STEP:
            yield kind, payload
            continue
        for at in range(0, len(payload), cut or len(payload) or 1):
            yield 0, payload[at : at + (cut or len(payload))]


def _step(side: Side, kind: int, argument: int) -> int:
    """One step of this side's own; returns how many bytes it may have to send for it."""
    connection = side.connection
    streams = list(connection.streams.values())
    stream = streams[argument % len(streams)] if streams else None
    if kind == 0xF0:
        side.clock.time += argument
    elif kind == 0xF1:
        connection.pause()
    elif kind == 0xF2:
        connection.resume()
    elif kind == 0xF3:
        connection.drain(b"going")
    elif kind == 0xF4 and not connection.closed:
        connection.ping(bytes(8))
    elif kind == 0xF5 and stream is not None:
        connection.reset(stream, argument)
    elif kind == 0xF6 and stream is not None and not stream.local_closed and stream.stream_id:
        return _send(side, stream, argument)
    elif kind == 0xF7 and argument > 250:
        connection.connection_lost("cut")
    elif kind == 0xF8 and argument > 250:
        connection.close()
    elif kind == 0xF9 and connection.can_open:
        side.open(end=bool(argument & 1))
    return 200


def _send(side: Side, stream: object, argument: int) -> int:
    assert isinstance(stream, Recorder)
    connection = side.connection
    if stream.parked is not None:
        # A writer waits until nothing of its own is parked.
        return 0
    if not connection.is_client and not hasattr(stream, "answered"):
        stream.answered = True  # type: ignore[attr-defined]
        connection.send_headers(stream, connection.encoder.encode(RESPONSE))
    connection.send_message(stream, b"", bytes(argument * 8))
    return argument * 8 + 10 * (argument + 2)


def _check(side: Side, frames: list[Frame]) -> None:
    connection = side.connection
    if connection.closed:
        assert sum(each.kind == GOAWAY for each in frames) <= 2
        assert not connection.streams
    assert (side.observer.reason is not None) is connection.closed
    for stream in side.opened.values():
        if stream.stream_id not in connection.streams:
            assert stream.local_closed
            assert stream.remote_closed
    assert all(stream in connection.streams.values() for stream in connection.turns)
    # Memory: what is held between two pieces has a bound that does not grow with what came.
    config = connection.config
    assert len(connection._partial) <= 9 + connection.max_frame_size
    assert sum(map(len, connection._block)) <= config.max_header_block_size
    assert len(connection._block) <= config.max_continuations + 1
    assert len(connection._resets) <= 1024
    assert connection.is_client or len(connection.streams) <= config.max_concurrent_streams
    for one in connection.streams.values():
        assert one.send_window <= 2**31 - 1
        assert (one.parked_size == 0) is (one.parked is None)


def drive(side: Side, data: bytes) -> None:
    """Feed everything, and check after each piece, or each few if there are many."""
    sent = 0
    allowed = 4000
    answered = 0
    for number, (kind, payload) in enumerate(pieces_of(data)):
        if kind:
            allowed += _step(side, kind, payload[0])
        else:
            sent += len(payload)
            side.feed(payload)
        if number < _CHECKED or not number % _CHECKED:
            output = side.output()
            answered += len(output)
            _check(side, parse(output))
    output = side.output()
    answered += len(output)
    _check(side, parse(output))
    # Nobody makes us send much more than they send: RST_STREAM of 13 bytes and GOAWAY with its reason.
    assert answered <= 30 * sent + allowed, (answered, sent)
    if side.connection.closed:
        side.feed(b"more")
        assert side.output() == b""
