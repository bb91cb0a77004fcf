"""An HTTP/1.1 connection of a client: an answer means the same however it is cut, and whatever comes between what calls and
servers do, each call ends once, what is held stays within the window, and nothing is taken for the answer to another request."""

from __future__ import annotations

from typing import Any

from clarion.http2 import Abort, Config, ErrorCode
from clarion.http2.stream import Stream
from clarion.web.http1.client_connection import Http1ClientConnection
from clarion.web.http1.client_limits import Http1ClientLimits
from fuzz.reader import Reader

__all__ = ["fuzz_one"]

_HEAD = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/a.B/C"),
    (b":authority", b"x.example"),
)
_WINDOW = 100
_LIMITS = Http1ClientLimits(max_informational=2, max_discard=50)


class _Observer:
    reason: Abort | None = None

    def ready(self) -> None:
        pass

    hold_reading = go_on_reading = due_changed = streams_available = ready

    def goaway_received(self, code: int, debug: bytes) -> None:
        assert code == 0

    def finished(self, reason: Abort) -> None:
        assert self.reason is None
        self.reason = reason


class _Call(Stream):
    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.heads: list[Any] = []
        self.body = b""
        self.unread = 0
        self.end: object = None

    def headers_received(self, headers: Any, end_stream: bool) -> None:
        assert not self.heads
        assert self.end is None
        self.heads.append(headers.fields)

    def data_received(self, data: Any, end_stream: bool) -> None:
        assert self.heads
        assert self.end is None
        self.body += bytes(data)
        self.unread += len(data)
        if end_stream:
            self.end = "over"

    def aborted(self, reason: Abort) -> None:
        assert self.end is None
        self.end = reason.code

    def writable(self) -> None:
        assert self.parked is None


def _connection(window: int) -> Http1ClientConnection:
    config = Config(initial_window=window, send_buffer=64)
    connection = Http1ClientConnection(_Observer(), lambda: 0.0, config, _LIMITS)
    connection.start()
    return connection


def _drain(connection: Http1ClientConnection) -> None:
    while connection.outbox:
        connection.take_output()
        connection.output_sent()


def _answer(pieces: list[bytes], certain: bool) -> Any:
    connection = _connection(1 << 20)
    call = _Call(connection)
    connection.open_stream(call, _HEAD, b"", b"request", end_stream=True)
    _drain(connection)
    for piece in pieces:
        connection.receive_data(piece)
    free = connection.can_open
    connection.peer_closed(certain=certain)
    assert connection.closed
    assert call.end is not None
    return call.heads, call.body, call.end, free


def _step(connection: Http1ClientConnection, calls: list[_Call], reader: Reader) -> None:
    action = reader.byte() % 9
    last = calls[-1] if calls else None
    if action <= 2:
        piece = reader.piece()
        if not connection.held:
            connection.receive_data(piece)
    elif action == 3 and connection.can_open:
        calls.append(_Call(connection))
        whole = bool(reader.byte() % 2)
        connection.open_stream(calls[-1], _HEAD, b"", reader.piece(), end_stream=whole)
    elif action == 4:
        _drain(connection)
    elif action == 5:
        connection.peer_closed(certain=bool(reader.byte() % 2))
    elif last is None:
        return
    elif action == 6:
        connection.send_message(last, b"ab", reader.piece(), end_stream=bool(reader.byte() % 2))
    elif action == 7 and last.end is None:
        last.end = "reset"
        connection.reset(last, reader.choose((ErrorCode.NO_ERROR, ErrorCode.CANCEL)))
    elif action == 8 and not last.remote_closed:
        size, last.unread = last.unread, 0
        connection.consumed(last, size)
        connection.go_on()


def _session(reader: Reader) -> None:
    connection = _connection(_WINDOW)
    calls: list[_Call] = []
    size = reader.left
    while reader.left:
        _step(connection, calls, reader)
        assert len(connection.streams) <= 1
        if calls:
            # One piece above the window at most.
            assert calls[-1].unread <= _WINDOW + size
    connection.close()
    assert connection.closed
    for call in calls:
        assert call.end is not None
        assert call.parked is None


def fuzz_one(data: bytes) -> None:
    """The first byte chooses what is done; in the one case the rest is an answer, in the other steps."""
    reader = Reader(data)
    if reader.byte() % 2:
        _session(reader)
        return
    certain = bool(reader.byte() % 2)
    cut = reader.byte() or 1
    answer = reader.rest()
    whole = _answer([answer], certain)
    assert _answer([answer[at : at + cut] for at in range(0, len(answer), cut)], certain) == whole
