"""An HTTP/1.1 connection of a server: requests mean the same however they are cut, and whatever comes between what calls and links
do, nothing escapes, one stream is open at a time, and a connection that is over has none. Also with calls of the web on it."""

from __future__ import annotations

import re
from typing import Any

from clarion.http2 import Abort, Config, ErrorCode, StreamFault
from clarion.http2.stream import Stream
from clarion.method import stream_stream_rpc_method_handler, unary_unary_rpc_method_handler
from clarion.protocol.messages import UnpackFailed
from clarion.status import StatusCode
from clarion.web.http1.connection import Http1Connection
from clarion.web.options import WebOptions
from clarion.web.serving.gate import CallTypes
from fuzz.reader import Reader
from support.wire import HandledCall, Server

__all__ = ["fuzz_one"]

_STATUS = re.compile(rb"HTTP/1\.1 \d+ ")
_WINDOW = 100
_LIMIT = 300
_OK = ((b":status", b"200"), (b"content-type", b"text/plain"))
# Smaller than what is fed at most, and larger.
_LIMITS = (WebOptions(max_head=200, max_discard=50), WebOptions(max_head=1 << 16))


class _Observer:
    reason: Abort | None = None
    connection: Any

    def ready(self) -> None:
        pass

    def hold_reading(self) -> None:
        assert self.connection.held

    def go_on_reading(self) -> None:
        assert not self.connection.held

    def finished(self, reason: Abort) -> None:
        assert self.reason is None
        self.reason = reason


class _Request(Stream):
    def __init__(self, connection: Any, stream_id: int, *, quick: bool) -> None:
        super().__init__(connection, stream_id)
        self.quick = quick
        self.fields: Any = None
        self.body = b""
        self.unread = 0
        self.ended = self.over = self.gone = False

    def headers_received(self, headers: Any, end_stream: bool) -> None:
        assert self.fields is None
        self.fields = headers.fields
        assert self.connection.streams == {self.stream_id: self}

    def data_received(self, data: Any, end_stream: bool) -> None:
        assert not self.gone
        assert not self.ended
        self.body += bytes(data)
        self.unread += len(data)
        self.ended = end_stream
        if end_stream and self.quick and not self.over:
            self.answer(b"answer")

    def aborted(self, reason: Abort) -> None:
        # It may have been answered, and the answer parked.
        assert not self.gone
        self.over = self.gone = True

    def writable(self) -> None:
        assert self.parked is None

    def answer(self, body: bytes) -> None:
        connection: Any = self.connection
        connection.send_headers(self, _OK)
        self.over = True
        connection.send_message(self, b"", body, end_stream=True)


class _Rig:
    """A connection and its streams; with `server` they are calls of the web."""

    def __init__(self, limits: WebOptions, window: int, server: Server | None, quick: bool) -> None:
        self.streams: list[Any] = []
        self.sent = b""
        observer = _Observer()
        config = Config(initial_window=window, send_buffer=64)

        def make(connection: Any, sid: int) -> Any:
            if server is None:
                stream: Any = _Request(connection, sid, quick=quick)
            else:
                types = _TYPES
                stream = types.open_stream(server, None, connection, sid, is_http1=True)
            self.streams.append(stream)
            return stream

        self.connection: Any = Http1Connection(observer, lambda: 0.0, config, make, limits, b"http")
        observer.connection = self.connection
        self.connection.start()

    def drain(self) -> None:
        connection = self.connection
        while connection.outbox:
            self.sent += b"".join(connection.take_output())
            connection.output_sent()

    def check(self) -> None:
        connection = self.connection
        assert len(connection.streams) <= 1
        assert not (connection.closed and connection.streams)

    def work(self) -> None:
        """What a link does when it reads again."""
        connection = self.connection
        waiting = -1
        # Each turn works off a request, or is the last.
        while not connection.held and not connection.closed and waiting != len(self.streams):
            waiting = len(self.streams)
            connection.receive_data(b"")
        self.drain()


class _Call(HandledCall):
    def __init__(self, server: Server, link: Any, side: Any, stream_id: int) -> None:
        super().__init__(server, side, stream_id)
        server.calls.append(self)


_TYPES = CallTypes(_Call, WebOptions())
# What answers is `_serve`.
_HANDLERS = {
    "Unary": unary_unary_rpc_method_handler(lambda request, context: request),
    "Stream": stream_stream_rpc_method_handler(lambda requests, context: requests),
}
_OPTIONS = [("grpc.max_receive_message_length", _LIMIT)]


def _serve(server: Server) -> None:
    """Have calls answered: unary ones with their request, streams with each."""
    for call in server.ran:
        if call.over:
            continue
        method = call.method
        assert method is not None
        try:
            if call.request is not None:
                request = call.unpack(call.request)
                call.request = None
                call.finish_ok(request)
                continue
            while call.inbox and not call.over:
                request = call.unpack(call.take_message())
                if not call.headers_sent:
                    call.send_initial_metadata(())
                call.send_response(request)
            if call.requests_done and not call.over:
                call.finish(StatusCode.OK)
        except UnpackFailed as error:
            call.fail(error.code, str(error))


def _requests(pieces: list[bytes]) -> Any:
    rig = _Rig(_LIMITS[1], 1 << 20, None, quick=True)
    for piece in pieces:
        rig.connection.receive_data(piece)
        rig.work()
        rig.check()
    # Of a request that is cut off, a piece may be kept back.
    seen = [(stream.fields, stream.body if stream.ended else None) for stream in rig.streams]
    # The words for what is wrong depend on how much of it is there.
    return seen, _STATUS.findall(rig.sent), rig.connection.closed


def _step(rig: _Rig, server: Server | None, reader: Reader) -> None:
    connection = rig.connection
    action = reader.byte() % 10
    if action <= 3:
        piece = reader.piece()
        # A link stops reading, but what it has read by then comes.
        connection.receive_data(piece)
        rig.work()
    elif action == 4:
        rig.drain()
    elif action == 5:
        connection.pause()
    elif action == 6:
        connection.resume()
    elif action == 7:
        end = reader.byte() % 4
        if end == 0:
            connection.connection_lost("gone")
        elif end == 1:
            connection.drain()
        elif end == 2:
            connection.close()
        else:
            connection.fail(ErrorCode.ENHANCE_YOUR_CALM, "enough")
    elif server is not None:
        _serve(server)
    elif rig.streams:
        stream = rig.streams[-1]
        if action == 8 and not stream.over:
            stream.answer(reader.piece())
        elif action == 9 and stream.unread:
            size, stream.unread = stream.unread, 0
            connection.consumed(stream, size)
        rig.work()


def _session(reader: Reader, limits: WebOptions, server: Server | None) -> None:
    rig = _Rig(limits, _WINDOW, server, quick=False)
    while reader.left:
        try:
            _step(rig, server, reader)
        except StreamFault:
            raise AssertionError("a fault of a stream left its connection") from None
        rig.check()
    rig.connection.connection_lost("the end")
    rig.check()
    assert all(stream.over for stream in rig.streams)
    if server is not None:
        assert server.core.active == 0
        assert all(call.over for call in server.calls)


def fuzz_one(data: bytes) -> None:
    """The first byte chooses: requests, cut as the second says; or steps, with streams or with calls."""
    reader = Reader(data)
    kind = reader.byte()
    if not kind % 3:
        cut = reader.byte() or 1
        body = reader.rest()
        whole = _requests([body] if body else [])
        assert _requests([body[at : at + cut] for at in range(0, len(body), cut)]) == whole
    else:
        server = Server(_HANDLERS, options=_OPTIONS) if kind % 3 == 2 else None
        _session(reader, _LIMITS[reader.byte() % 2], server)
