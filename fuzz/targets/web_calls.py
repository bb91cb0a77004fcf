"""Calls of gRPC, gRPC-Web and Connect beside each other on one HTTP/2 connection of a server: heads of all kinds, bodies cut anywhere,
trailers, resets. Each call runs and ends at most once, each stream has one answer, and a connection that is over has no call."""

from __future__ import annotations

from typing import Any

from clarion.http2 import Config, Connection
from clarion.method import stream_stream_rpc_method_handler, unary_unary_rpc_method_handler
from clarion.protocol.messages import UnpackFailed
from clarion.status import StatusCode
from clarion.web.cors import CorsPolicy
from clarion.web.options import WebOptions
from clarion.web.serving.gate import CallTypes
from fuzz.reader import Reader
from support.http2 import ACK, END_STREAM, PREFACE, SETTINGS, Observer, frame, parse
from support.http2 import data as data_frame
from support.http2 import headers as headers_frame
from support.http2 import rst as rst_frame
from support.wire import HandledCall, Server

__all__ = ["fuzz_one"]

_LIMIT = 300
_OPTIONS = [("grpc.max_receive_message_length", _LIMIT), ("grpc.absolute_max_metadata_size", 600)]
_CONFIG = Config(max_concurrent_streams=4, initial_window=20_000, max_header_list_size=600)
_HEADERS, _DATA = 1, 0

_METHODS = (b"POST", b"GET", b"OPTIONS", b"HEAD", b"PUT")
_PATHS = (
    b"/test.Test/Unary",
    b"/test.Test/Stream",
    b"/test.Test/Missing",
    b"/test.Test/Unary?encoding=proto&message=a",
    b"/",
)
_TYPES = (
    b"application/grpc",
    b"application/grpc+json",
    b"application/grpc-web+proto",
    b"application/grpc-web-text",
    b"application/proto",
    b"application/json",
    b"application/connect+proto",
    b"application/connect+json",
    b"text/html",
)
_EXTRA = (
    (b"te", b"trailers"),
    (b"grpc-encoding", b"gzip"),
    (b"content-encoding", b"gzip"),
    (b"connect-content-encoding", b"gzip"),
    (b"grpc-timeout", b"1S"),
    (b"connect-timeout-ms", b"1000"),
    (b"connect-protocol-version", b"1"),
    (b"origin", b"https://a.example"),
    (b"access-control-request-method", b"POST"),
    (b"content-length", b"5"),
    (b"x-large", b"y" * 400),
    (b"accept", b"application/grpc-web-text"),
)


class _Call(HandledCall):
    """A call of either kind: a link stands between the server and the connection where both are real."""

    def __init__(self, server: Server, link: Any, side: Any, stream_id: int) -> None:
        super().__init__(server, side, stream_id)
        self.link = link
        server.calls.append(self)


_KINDS = CallTypes(_Call, WebOptions(cors=CorsPolicy(origins=["https://a.example"])))
# What answers is `_serve`.
_HANDLERS = {
    "Unary": unary_unary_rpc_method_handler(lambda request, context: request),
    "Stream": stream_stream_rpc_method_handler(lambda requests, context: requests),
}


def _fields(reader: Reader) -> list[tuple[bytes, bytes]]:
    fields = [
        (b":method", reader.choose(_METHODS)),
        (b":scheme", b"http"),
        (b":path", reader.choose(_PATHS)),
        (b":authority", b"x"),
        (b"content-type", reader.choose(_TYPES)),
    ]
    for _ in range(reader.byte() % 4):
        form = reader.byte()
        # A field of our choice, or of the input's.
        known = form < 0xC0
        fields.append(_EXTRA[form % len(_EXTRA)] if known else (reader.piece(), reader.piece()))
    return fields


def _serve(server: Server) -> None:
    for call in server.ran:
        if call.over:
            continue
        try:
            if call.request is not None:
                request, call.request = call.unpack(call.request), None
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


def _output(connection: Any) -> bytes:
    sent = b""
    while connection.outbox:
        sent += b"".join(connection.take_output())
        connection.output_sent()
    return sent


def _check_answers(sent: bytes) -> None:
    """One head of each answer, and nothing behind its end."""
    ended: set[int] = set()
    for each in parse(sent):
        if each.kind in (_HEADERS, _DATA):
            assert each.sid not in ended
            if each.flags & END_STREAM:
                ended.add(each.sid)


def _step(connection: Any, server: Server, reader: Reader, last: int) -> int:
    action = reader.byte() % 8
    feed = connection.receive_data
    if action <= 1:
        last += 2
        feed(headers_frame(last, _fields(reader), end=bool(reader.byte() & 1)))
    elif last < 0:
        return last
    elif action <= 4:
        end = bool(reader.byte() & 1)
        body = data_frame(last, reader.piece(), end=end)
        cut = reader.byte() or len(body)
        for at in range(0, len(body), cut):
            feed(body[at : at + cut])
    elif action == 5:
        _serve(server)
    elif action == 6:
        feed(rst_frame(last))
    else:
        feed(headers_frame(last, [(b"x-trailer", b"y")], end=True))
    return last


def fuzz_one(data: bytes) -> None:
    """Each step says what it is by its first byte."""
    reader = Reader(data)
    server = Server(_HANDLERS, options=_OPTIONS)
    observer: Any = Observer()
    connection: Any = Connection(
        observer,
        lambda: 0.0,
        _CONFIG,
        lambda connection, sid: _KINDS.gated(server, None, connection, sid),
    )
    connection.start()
    connection.receive_data(PREFACE + frame(SETTINGS) + frame(SETTINGS, ACK))
    # The last stream that was opened.
    sent, last = b"", -1
    while reader.left and not connection.closed:
        last = _step(connection, server, reader, last)
        sent += _output(connection)
        assert server.core.active <= len(connection.streams) <= _CONFIG.max_concurrent_streams
    _serve(server)
    sent += _output(connection)
    _check_answers(sent)
    connection.connection_lost("the end")
    assert not connection.streams
    assert server.core.active == 0
    assert all(call.over for call in server.calls)
