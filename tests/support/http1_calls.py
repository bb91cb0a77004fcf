"""A client's HTTP/1.1 connection without a network: a test gives it calls, and bytes of a server. Needs h11."""

from __future__ import annotations

from typing import Any

from clarion.http2 import Abort, Config
from clarion.http2.stream import Stream
from clarion.web.http1.client_connection import Http1ClientConnection
from clarion.web.http1.client_limits import Http1ClientLimits

__all__ = [
    "CHUNKED",
    "GET",
    "HELLO",
    "NOTHING",
    "OK",
    "POST",
    "Call",
    "Observer",
    "Rig",
    "bytewise",
]

POST = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/a.B/C"),
    (b":authority", b"x.example"),
    (b"content-type", b"application/proto"),
)
GET = ((b":method", b"GET"), *POST[1:])
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\n"
HELLO = OK + b"content-length: 5\r\n\r\nhello"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
NOTHING = OK + b"content-length: 0\r\n\r\n"


class Observer:
    """What the connection said, in order."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.reason: Abort | None = None

    def ready(self) -> None:
        self.heard.append("ready")

    def hold_reading(self) -> None:
        self.heard.append("hold")

    def go_on_reading(self) -> None:
        self.heard.append("go on")

    def due_changed(self) -> None:
        self.heard.append("due")

    def goaway_received(self, code: int, debug: bytes) -> None:
        self.heard.append("goaway")

    def streams_available(self) -> None:
        self.heard.append("available")

    def finished(self, reason: Abort) -> None:
        assert self.reason is None
        self.reason = reason


class Call(Stream):
    """What a stream heard."""

    raises: Exception | None = None

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.heads: list[dict[bytes, bytes]] = []
        self.body = b""
        self.pieces: list[tuple[bytes, bool]] = []
        self.over = False
        self.abort: Abort | None = None
        self.writes = 0

    def headers_received(self, headers: Any, end_stream: bool) -> None:
        assert not end_stream
        self.heads.append(dict(headers.fields))
        assert headers.size == sum(len(n) + len(v) + 32 for n, v in headers.fields)
        self._raise()

    def data_received(self, data: Any, end_stream: bool) -> None:
        assert not self.over
        assert self.heads
        self.body += bytes(data)
        self.pieces.append((bytes(data), end_stream))
        self.over = end_stream
        assert self.remote_closed == end_stream
        self._raise()

    def _raise(self) -> None:
        if self.raises is not None:
            raise self.raises

    def aborted(self, reason: Abort) -> None:
        assert self.abort is None
        assert not self.over or self.raises
        self.abort = reason

    def writable(self) -> None:
        self.writes += 1


class Rig:
    """A connection, and all that happens around it."""

    def __init__(self, config: Config | None = None, **limits: Any) -> None:
        self.observer = Observer()
        self.time = 0.0
        self.connection = Http1ClientConnection(
            self.observer, lambda: self.time, config or Config(), Http1ClientLimits(**limits)
        )
        self.connection.start()
        assert self.observer.heard == ["ready"]
        self.observer.heard.clear()

    def open(
        self, payload: bytes | None = b"hi", end: bool = True, fields: Any = POST, **more: Any
    ) -> Call:
        call = more.pop("call", None) or Call(self.connection)
        prefix = more.pop("prefix", b"")
        self.connection.open_stream(call, fields, prefix, payload, end_stream=end)
        return call

    def sent(self) -> bytes:
        out = b""
        while self.connection.outbox:
            out += b"".join(self.connection.take_output())
            self.connection.output_sent()
        return out

    def asked(self, **more: Any) -> Call:
        """A request that left."""
        call = self.open(**more)
        self.sent()
        return call

    def receive(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.connection.receive_data(piece)

    @property
    def reason(self) -> Abort:
        reason = self.observer.reason
        assert reason is not None
        assert self.connection.closed
        return reason

    @property
    def reusable(self) -> bool:
        return self.connection.can_open and not self.connection.closed


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]
