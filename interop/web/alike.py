"""The same requests to Clarion directly and through Envoy: are the answers alike, octet for octet?

Envoy translates what it is asked into gRPC, and Clarion's gRPC back; Clarion's own gRPC-Web and Connect have
to say the same. What may differ is in `ALLOWED`, with the reason; anything else is a `Difference`.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import re
import socket
import struct
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from interop.program.messages import testing

__all__ = ["ALLOWED", "REQUESTS", "Answer", "Difference", "Request", "ask", "compare"]

_SECONDS = 30.0
_SERVICE = "/grpc.testing.TestService/"

_NOT_COMPARED = (
    *("date", "server", "x-envoy-upstream-service-time"),
    *("transfer-encoding", "content-length", "connection"),
    *("accept-encoding", "connect-accept-encoding"),
)
_CONNECT_END = 2

ALLOWED = {
    "`date`, `server`, `x-envoy-upstream-service-time`": "Envoy says of itself that and when it answered, and how"
    " long the server took.",
    "`transfer-encoding`, `content-length`, `connection`": "How a body is framed, and whether the connection is kept, is the"
    " business of each connection: Envoy gives it up where an answer was there before all of the request. The bodies are"
    " compared.",
    "where text's base64 is padded": "Every sender ends a piece of base64 where it has no more octets yet. Texts are"
    " compared as the octets that they stand for.",
    "`accept-encoding`, `connect-accept-encoding`": "Connect lets servers say what compression they take. Clarion does;"
    " Envoy's bridge does not.",
    "the order in Connect's JSON, and percent signs in its error messages": "Envoy's bridge writes the names of objects in"
    " no order, and leaves gRPC's percent-encoding in the message. JSON is compared as values, and Envoy's messages decoded.",
}
"""What is not compared, and why."""

Fields = dict[str, str]


@dataclass(frozen=True)
class Request:
    """A request, with a name for people."""

    name: str
    path: str
    fields: Fields
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What came back. `fields` are sorted: no order among different names means anything (RFC 9110 §5.3)."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class Difference:
    """Where the two answers to a request part."""

    name: str
    what: str
    through_envoy: Any
    directly: Any


def _framed(*messages: Any, flags: int = 0) -> bytes:
    encoded = [message.SerializeToString() for message in messages]
    return b"".join(struct.pack(">BI", flags, len(each)) + each for each in encoded)


def _output(*sizes: int) -> Any:
    parameters = [testing.ResponseParameters(size=size) for size in sizes]
    return testing.StreamingOutputCallRequest(response_parameters=parameters)


def _status(code: int, message: str) -> Any:
    return testing.SimpleRequest(response_status=testing.EchoStatus(code=code, message=message))


def _stream_status(code: int, message: str) -> Any:
    status = testing.EchoStatus(code=code, message=message)
    return testing.StreamingOutputCallRequest(response_status=status)


def _slow() -> Any:
    """A request that is answered after a minute, if the call has not ended before."""
    parameters = [testing.ResponseParameters(size=1, interval_us=60_000_000)]
    return testing.StreamingOutputCallRequest(response_parameters=parameters)


def _packed(message: Any) -> bytes:
    data = gzip.compress(message.SerializeToString(), mtime=0)
    return struct.pack(">BI", 1, len(data)) + data


def _compressed() -> Any:
    return testing.SimpleRequest(
        response_size=5000, response_compressed=testing.BoolValue(value=True)
    )


def _compressed_stream() -> Any:
    wanted = [testing.BoolValue(value=value) for value in (True, False)]
    parameters = [testing.ResponseParameters(size=5000, compressed=each) for each in wanted]
    return testing.StreamingOutputCallRequest(response_parameters=parameters)


_GZIP = {"grpc-encoding": "gzip", "grpc-accept-encoding": "gzip,identity"}
_ECHO = {
    "x-grpc-test-echo-initial": "test_initial_metadata_value",
    "x-grpc-test-echo-trailing-bin": "q6ur",
}
_SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"

# Name, method, header fields, body.
_CALLS: list[tuple[str, str, Fields, bytes]] = [
    ("empty", "EmptyCall", {}, _framed(testing.Empty())),
    ("small", "UnaryCall", {}, _framed(testing.SimpleRequest(response_size=10))),
    ("large", "UnaryCall", {}, _framed(testing.SimpleRequest(response_size=314159))),
    ("metadata", "UnaryCall", _ECHO, _framed(testing.SimpleRequest(response_size=10))),
    ("metadata of a stream", "FullDuplexCall", _ECHO, _framed(_output(7))),
    ("status", "UnaryCall", {}, _framed(_status(2, "test status message"))),
    ("special status", "UnaryCall", {}, _framed(_status(5, _SPECIAL))),
    ("status with metadata", "UnaryCall", _ECHO, _framed(_status(10, "no"))),
    ("stream", "StreamingOutputCall", {}, _framed(_output(31415, 9, 0, 2653, 58979))),
    ("no responses", "StreamingOutputCall", {}, _framed(_output())),
    ("requests", "StreamingInputCall", {}, _framed(testing.StreamingInputCallRequest()) * 3),
    ("half duplex", "HalfDuplexCall", {}, _framed(_output(5), _output(6, 7))),
    ("status of a stream", "FullDuplexCall", _ECHO, _framed(_stream_status(2, _SPECIAL))),
    ("unknown method", "UnimplementedCall", {}, _framed(testing.Empty())),
    ("unknown encoding", "EmptyCall", {"grpc-encoding": "lz4"}, _framed(testing.Empty())),
    ("compressed without a word", "EmptyCall", {}, _framed(testing.Empty(), flags=1)),
    ("unreadable message", "UnaryCall", {}, struct.pack(">BI", 0, 2) + b"\xff\xff"),
    ("no message", "EmptyCall", {}, b""),
    ("timeout", "EmptyCall", {"grpc-timeout": "20S"}, _framed(testing.Empty())),
    ("out of time", "StreamingOutputCall", {"grpc-timeout": "50m"}, _framed(_slow())),
    ("compressed request", "UnaryCall", _GZIP, _packed(testing.SimpleRequest(response_size=10))),
    ("compressed response", "UnaryCall", _GZIP, _framed(_compressed())),
    ("compressed responses", "StreamingOutputCall", _GZIP, _framed(_compressed_stream())),
    ("unreadable timeout", "EmptyCall", {"grpc-timeout": "soon"}, _framed(testing.Empty())),
    ("unreadable metadata", "EmptyCall", {"key-bin": "*"}, _framed(testing.Empty())),
]


def _grpc_web() -> Iterator[Request]:
    for kind in ("grpc-web", "grpc-web+proto", "grpc-web-text", "grpc-web-text+proto"):
        text = "text" in kind
        content_type = f"application/{kind}"
        for name, method, fields, body in _CALLS:
            head = {"content-type": content_type, "accept": content_type, "x-grpc-web": "1"}
            sent = base64.b64encode(body) if text else body
            yield Request(f"{kind}: {name}", _SERVICE + method, {**head, **fields}, sent)


_CONNECT_UNARY: list[tuple[str, str, Fields, Any]] = [
    ("empty", "EmptyCall", {}, testing.Empty()),
    ("small", "UnaryCall", {}, testing.SimpleRequest(response_size=10)),
    ("large", "UnaryCall", {}, testing.SimpleRequest(response_size=314159)),
    ("metadata", "UnaryCall", _ECHO, testing.SimpleRequest(response_size=10)),
    ("status", "UnaryCall", {}, _status(2, "test status message")),
    ("special status", "UnaryCall", {}, _status(5, _SPECIAL)),
    ("status with metadata", "UnaryCall", _ECHO, _status(10, "no")),
    ("timeout", "EmptyCall", {"connect-timeout-ms": "20000"}, testing.Empty()),
]

_CONNECT_STREAMS = (
    "metadata of a stream",
    "stream",
    "no responses",
    "requests",
    "half duplex",
    "status of a stream",
)


def _connect() -> Iterator[Request]:
    version = {"connect-protocol-version": "1"}
    for name, method, fields, message in _CONNECT_UNARY:
        head = {"content-type": "application/proto", **version, **fields}
        body = message.SerializeToString()
        yield Request(f"connect: {name}", _SERVICE + method, head, body)
    for name, method, fields, body in _CALLS:
        if name in _CONNECT_STREAMS:
            head = {"content-type": "application/connect+proto", **version, **fields}
            yield Request(f"connect+proto: {name}", _SERVICE + method, head, body)


REQUESTS: Sequence[Request] = (*_grpc_web(), *_connect())
"""gRPC-Web in its two forms, with and without a subtype, and Connect."""


def _over_http1(port: int, request: Request) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("POST", request.path, body=request.body, headers=request.fields)
        answer = connection.getresponse()
        fields = [(name.lower(), value) for name, value in answer.getheaders()]
        return Answer(answer.status, tuple(sorted(fields)), answer.read())
    finally:
        connection.close()


def _over_http2(port: int, request: Request) -> Answer:
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset

    state = H2Connection(H2Configuration(header_encoding="utf-8"))
    state.initiate_connection()
    # More than any answer here; so nothing is left to give back.
    state.increment_flow_control_window(1 << 24)
    state.update_settings({4: 1 << 24})
    head = [(":method", "POST"), (":scheme", "http"), (":authority", f"127.0.0.1:{port}")]
    head += [(":path", request.path), *request.fields.items()]
    state.send_headers(1, head)
    state.send_data(1, request.body, end_stream=True)
    status, fields, body = 0, [], b""
    with socket.create_connection(("127.0.0.1", port), _SECONDS) as sock:
        sock.settimeout(_SECONDS)
        while True:
            sock.sendall(state.data_to_send())
            received = sock.recv(65536)
            if not received:
                raise ConnectionError(f"{request.name}: the connection ended")
            for event in state.receive_data(received):
                if isinstance(event, ResponseReceived):
                    found = dict(event.headers)
                    status = int(found[":status"])
                    fields = [pair for pair in event.headers if not pair[0].startswith(":")]
                elif isinstance(event, DataReceived):
                    body += event.data
                elif isinstance(event, StreamEnded):
                    return Answer(status, tuple(sorted(fields)), body)
                elif isinstance(event, StreamReset):
                    raise ConnectionError(f"{request.name}: reset with {event.error_code}")


_WAYS: dict[str, Callable[[int, Request], Answer]] = {"1.1": _over_http1, "2": _over_http2}


def ask(port: int, request: Request, version: str = "1.1") -> Answer:
    """Make a request to a port of loopback, over HTTP/1.1 or 2."""
    return _WAYS[version](port, request)


def _meaning(answer: Answer, *, encoded: bool) -> Any:
    """The body; of text what it stands for, which is pieces of base64 with a padding each; of JSON its values.

    `encoded`: messages of errors in JSON have percent signs.
    """
    content_type = dict(answer.fields).get("content-type", "")
    if "text" in content_type:
        pieces = re.findall(rb"[^=]+=*", answer.body)
        return b"".join(base64.b64decode(piece) for piece in pieces)
    if content_type == "application/json":
        return _error(answer.body, encoded)
    if content_type.startswith("application/connect+"):
        return [
            _error(data, encoded) if flags & _CONNECT_END else data
            for flags, data in _frames(answer.body)
        ]
    return answer.body


def _frames(body: bytes) -> Iterator[tuple[int, bytes]]:
    while body:
        flags, size = struct.unpack_from(">BI", body)
        yield flags, body[5 : 5 + size]
        body = body[5 + size :]


def _error(text: bytes, encoded: bool) -> Any:
    """An error of Connect, or the end of a stream."""
    value = json.loads(text)
    error = value.get("error", value)
    if encoded and "message" in error:
        error["message"] = urllib.parse.unquote(error["message"])
    return value


def _said(answer: Answer) -> list[tuple[str, str]]:
    return [pair for pair in answer.fields if pair[0] not in _NOT_COMPARED]


def compare(
    envoy: int, direct: int, version: str, requests: Sequence[Request] = REQUESTS
) -> list[Difference]:
    """Make all requests of both ports, and tell where the answers differ."""
    found = []
    for request in requests:
        through, directly = ask(envoy, request, version), ask(direct, request, version)
        pairs = [
            ("status", through.status, directly.status),
            ("fields", _said(through), _said(directly)),
            ("body", _meaning(through, encoded=True), _meaning(directly, encoded=False)),
        ]
        found += [Difference(request.name, what, a, b) for what, a, b in pairs if a != b]
    return found
