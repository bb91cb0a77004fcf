"""A driver for the sans-I/O HTTP/2 connection: raw frames in, parsed frames out, a clock that tests move.

Frames are built and parsed here with `struct` alone, so that a test never checks the engine against itself.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple

from clarion.hpack import HeaderList, encode_literal
from clarion.http2 import Abort, Config, Connection, Stream

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS = 4
PADDED = 8
PRIORITISED = 0x20

Fields = tuple[tuple[bytes, bytes], ...]

REQUEST: Fields = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/a.B/C"),
    (b":authority", b"x"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
)
RESPONSE: Fields = ((b":status", b"200"), (b"content-type", b"application/grpc"))
TRAILERS: Fields = ((b"grpc-status", b"0"),)


class Frame(NamedTuple):
    kind: int
    flags: int
    sid: int
    payload: bytes

    @property
    def code(self) -> int:
        """The error code of RST_STREAM or GOAWAY."""
        at = 0 if self.kind == RST else 4
        return int.from_bytes(self.payload[at : at + 4], "big")

    @property
    def number(self) -> int:
        """The first 32 bits: increment, last stream or code."""
        return int.from_bytes(self.payload[:4], "big")

    @property
    def settings(self) -> dict[int, int]:
        return dict(struct.iter_unpack(">HI", self.payload))


def frame(kind: int, flags: int = 0, sid: int = 0, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack(">I", sid) + payload


def settings(values: dict[int, int] | None = None) -> bytes:
    payload = b"".join(struct.pack(">HI", *item) for item in (values or {}).items())
    return frame(SETTINGS, 0, 0, payload)


def window_update(sid: int, increment: int) -> bytes:
    return frame(WINDOW, 0, sid, struct.pack(">I", increment))


def rst(sid: int, code: int = 8) -> bytes:
    return frame(RST, 0, sid, struct.pack(">I", code))


def goaway(last: int, code: int = 0, debug: bytes = b"") -> bytes:
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code) + debug)


def block(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A header block that needs no dynamic table."""
    return b"".join(encode_literal(name, value) for name, value in fields)


def headers(sid: int, fields: Fields = REQUEST, *, end: bool = False) -> bytes:
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), sid, block(fields))


def data(sid: int, payload: bytes, *, end: bool = False) -> bytes:
    return frame(DATA, END_STREAM if end else 0, sid, payload)


def parse(output: bytes) -> list[Frame]:
    """All frames of `output`, which holds whole frames only."""
    frames = []
    at = 0
    while at < len(output):
        end = at + 9 + int.from_bytes(output[at : at + 3], "big")
        kind, flags, sid = struct.unpack_from(">BBI", output, at + 3)
        assert len(output) >= end, "the output ends within a frame"
        frames.append(Frame(kind, flags, sid, output[at + 9 : end]))
        at = end
    return frames


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class Observer:
    def __init__(self) -> None:
        self.events: list[object] = []
        self.reason: Abort | None = None

    def ready(self) -> None:
        self.events.append("ready")

    def streams_available(self) -> None:
        self.events.append("available")

    def goaway_received(self, code: int, debug: bytes) -> None:
        self.events.append(("goaway", code, debug))

    def ping_acknowledged(self, data: bytes) -> None:
        self.events.append(("pong", data))

    def finished(self, reason: Abort) -> None:
        assert self.reason is None, "finished twice"
        self.reason = reason
        self.events.append("finished")


class Recorder(Stream):
    """Keeps what it hears. `credit` says whether it consumes data as it comes."""

    def __init__(self, connection: Connection, stream_id: int = 0) -> None:
        Stream.__init__(self, connection, stream_id)
        self.heads: list[HeaderList] = []
        self.body = b""
        self.pieces = 0
        self.ended = False
        self.abort: Abort | None = None
        self.drained = 0
        self.credit = True
        self.on_headers: Callable[[Recorder], None] | None = None
        self.on_data: Callable[[Recorder], None] | None = None
        self.on_writable: Callable[[Recorder], None] | None = None
        self.on_aborted: Callable[[Recorder], None] | None = None

    def headers_received(self, headers: HeaderList, end_stream: bool) -> None:
        assert not self.ended
        assert self.abort is None
        self.heads.append(headers)
        self.ended = end_stream
        if self.on_headers is not None:
            self.on_headers(self)

    def data_received(self, data: bytes, end_stream: bool) -> None:
        assert not self.ended
        assert self.abort is None
        # A large piece may come as a view; see `Incoming`.
        assert type(data) is bytes or len(data) >= 1 << 14
        data = bytes(data)
        self.body += data
        self.pieces += 1
        self.ended = end_stream
        if self.credit:
            self.connection.consumed(self, len(data))
        if self.on_data is not None:
            self.on_data(self)

    def aborted(self, reason: Abort) -> None:
        assert self.abort is None, "aborted twice"
        self.abort = reason
        if self.on_aborted is not None:
            self.on_aborted(self)

    def writable(self) -> None:
        self.drained += 1
        if self.on_writable is not None:
            self.on_writable(self)


class Side:
    """One end of a connection, with everything it said."""

    def __init__(
        self,
        config: Config | None = None,
        *,
        client: bool = False,
        bytewise: bool = False,
        setup: Callable[[Recorder], None] | None = None,
    ) -> None:
        self.clock = Clock()
        self.observer = Observer()
        self.opened: dict[int, Recorder] = {}
        self.setup = setup
        self.bytewise = bytewise
        self.connection = Connection(
            self.observer, self.clock, config, None if client else self._make
        )

    def _make(self, connection: Connection, sid: int) -> Recorder:
        stream = self.opened[sid] = Recorder(connection, sid)
        if self.setup is not None:
            self.setup(stream)
        return stream

    def feed(self, *pieces: bytes) -> None:
        received = b"".join(pieces)
        if self.bytewise:
            for at in range(len(received)):
                self.connection.receive_data(received[at : at + 1])
        else:
            self.connection.receive_data(received)

    def output(self) -> bytes:
        """All that the transport would write now."""
        connection = self.connection
        output = b"".join(connection.take_output())
        while connection.output_sent():
            output += b"".join(connection.take_output())
        return output

    def frames(self) -> list[Frame]:
        return parse(self.output())

    def open(self, *, end: bool = False, fields: Fields = REQUEST) -> Recorder:
        """Open a stream as a client."""
        stream = Recorder(self.connection)
        self.connection.open_stream(stream, block(fields), end_stream=end)
        self.opened[stream.stream_id] = stream
        return stream

    def exchange(self, *pieces: bytes) -> list[Frame]:
        """Feed, and return what is said to that."""
        self.feed(*pieces)
        return self.frames()


def server(
    config: Config | None = None,
    *,
    values: dict[int, int] | None = None,
    bytewise: bool = False,
    setup: Callable[[Recorder], None] | None = None,
) -> Side:
    """A server after the handshake, which both sides have acknowledged."""
    side = Side(config, bytewise=bytewise, setup=setup)
    side.connection.start()
    side.feed(PREFACE, settings(values), frame(SETTINGS, ACK))
    side.frames()
    return side


def client(
    config: Config | None = None, *, values: dict[int, int] | None = None, bytewise: bool = False
) -> Side:
    """A client after the handshake, which both sides have acknowledged."""
    side = Side(config, client=True, bytewise=bytewise)
    side.connection.start()
    side.output()
    side.feed(settings(values), frame(SETTINGS, ACK))
    side.frames()
    return side


def shuttle(*sides: Side) -> None:
    """Carry bytes between two sides until both are silent."""
    one, other = sides
    while True:
        there, back = one.output(), other.output()
        if not there and not back:
            return
        if there:
            other.feed(there)
        if back:
            one.feed(back)
