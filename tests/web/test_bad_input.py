"""Requests that are wrong in their protocol, on servers of both front ends, over both versions of HTTP: each has the answer that
docs/web.md says, and the connection is as good as before."""

from __future__ import annotations

import base64
import gzip
import json
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from clarion.web import CorsPolicy, WebOptions
from support.front_end import SERVICE, FrontEnd
from support.handlers import Method, ServerCall
from support.libraries import LIMIT
from support.servers import AioServer, SyncServer
from support.simple import ECHOES, echo, echo_each
from support.web_clients import Answer, WebClient

Connect = Callable[..., WebClient]

WEB = {"content-type": "application/grpc-web+proto"}
TEXT = {"content-type": "application/grpc-web-text+proto"}
UNARY = {"content-type": "application/proto"}
JSON = {"content-type": "application/json"}
STREAM = {"content-type": "application/connect+proto"}
JSON_STREAM = {"content-type": "application/connect+json"}

LARGEST = 10_000
OPTIONS = [("clarion.web", WebOptions()), ("grpc.max_receive_message_length", LARGEST)]
NOTES = "/badinput.Notes/"
_GRPC = ["ok", "cancelled", "unknown", "invalid_argument", "deadline_exceeded", "not_found"]
_GRPC += ["already_exists", "permission_denied", "resource_exhausted", "failed_precondition"]
_GRPC += ["aborted", "out_of_range", "unimplemented", "internal", "unavailable"]


class Pairs(dict[str, str]):
    """Headers of which some come twice."""

    def __init__(self, *pairs: tuple[str, str]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def items(self) -> Any:
        return list(self._pairs)


def _describe() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="badinput/notes.proto", package="badinput", syntax="proto3"
    )
    note = file.message_type.add(name="Note")
    for number, (name, kind) in enumerate(
        {"text": "STRING", "size": "INT64", "ratio": "DOUBLE", "raw": "BYTES"}.items(), 1
    ):
        note.field.add(name=name, number=number, type=f"TYPE_{kind}", label="LABEL_OPTIONAL")
    note.field.add(
        name="inner",
        number=9,
        type="TYPE_MESSAGE",
        type_name=".badinput.Note",
        label="LABEL_REPEATED",
    )
    service = file.service.add(name="Notes")
    for name in ("Get", "Put", "Talk"):
        method = service.method.add(name=name)
        method.input_type = method.output_type = ".badinput.Note"
    service.method[0].options.idempotency_level = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    service.method[2].client_streaming = service.method[2].server_streaming = True
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("badinput.Note"))


Note = _describe()


def serve_notes(front: FrontEnd, *more: tuple[str, Any]) -> Any:
    codec = (Note.FromString, Note.SerializeToString)
    methods = {
        NOTES + "Get": Method("unary_unary", echo, *codec),
        NOTES + "Put": Method("unary_unary", echo, *codec),
        NOTES + "Talk": Method("stream_stream", echo_each, *codec),
        SERVICE + "UnaryUnary": Method("unary_unary", echo),
        SERVICE + "StreamStream": Method("stream_stream", echo_each),
    }
    options = [*OPTIONS, *more]
    server: Any
    if front.name == "sync":
        server = SyncServer(front.library, methods, options=options)
    else:
        server = AioServer(front.library, methods, front.loop, options=options)
    front._opened.append(server)
    return server


def framed(*messages: bytes, flags: int = 0) -> bytes:
    return b"".join(struct.pack(">BI", flags, len(message)) + message for message in messages)


def _last(body: bytes, flag: int) -> bytes:
    """What the last frame of a body has, which must have `flag`."""
    while True:
        flags, size = struct.unpack_from(">BI", body)
        payload, body = body[5 : 5 + size], body[5 + size :]
        if flags & flag:
            assert not body
            return payload


def code_of(answer: Answer) -> str:
    """How a call ended, or the HTTP status of what is no answer to a call."""
    kind = answer.get("content-type") or ""
    if kind.startswith("application/grpc-web"):
        assert answer.status == 200
        number = answer.get("grpc-status")
        if number is None:
            body = answer.body
            if "text" in kind:
                body = b"".join(
                    base64.b64decode(body[at : at + 4]) for at in range(0, len(body), 4)
                )
            lines = _last(body, 0x80).decode().split("\r\n")
            number = dict(line.partition(":")[::2] for line in lines)["grpc-status"]
        return _GRPC[int(number)]
    if kind.startswith("application/connect+"):
        assert answer.status == 200
        end = json.loads(_last(answer.body, 0x02))
        return str(end["error"]["code"]) if "error" in end else "ok"
    if kind == "application/json" and answer.status != 200:
        return str(json.loads(answer.body)["code"])
    if answer.status == 200:
        return "ok"
    assert kind.startswith("text/plain"), answer
    return f"HTTP {answer.status}"


class Session:
    """A client that opens another connection when the server says that it closes one."""

    def __init__(self, open_client: Callable[[], WebClient]) -> None:
        self._open = open_client
        self.client = open_client()
        self.name = self.client.name

    def request(self, *arguments: Any, **options: Any) -> Answer:
        answer = self.client.request(*arguments, **options)
        if answer.get("connection") == "close":
            assert self.client.sock.recv(1) == b""
            self.client.close()
            self.client = self._open()
        return answer


def still_serves(client: Session) -> None:
    answer = client.request(SERVICE + "UnaryUnary", UNARY, b"still here")
    assert (answer.status, answer.body) == (200, b"still here")


def nothing_left(front: FrontEnd, server: Any) -> None:
    """No call is open any more, and no stream."""
    raw = server.raw

    def count() -> tuple[int, int]:
        return raw.core.active, sum(len(link.connection.streams) for link in raw.open_links)

    async def counted() -> tuple[int, int]:
        return count()

    give_up = time.monotonic() + LIMIT
    # The last answer was there a moment before its thread was done with it.
    while (left := count() if front.name == "sync" else front.loop.run(counted)) != (0, 0):
        assert time.monotonic() < give_up, left
        time.sleep(0.01)


BOMB = gzip.compress(bytes(20_000_000))
DAMAGED = gzip.compress(b"some text")[:-6]
GZIP = {"grpc-encoding": "gzip"}
LARGE_JSON = b'{"text": "' + b"x" * LARGEST + b'"}'

# What is sent where, and how it is answered.
Row = tuple[str, dict[str, str], bytes, str]
ECHO = SERVICE + "UnaryUnary"
TALK = SERVICE + "StreamStream"
PUT = NOTES + "Put"

TYPES: dict[str, Row] = {
    f"content-type {kind!r}": (ECHO, {"content-type": kind}, b"x", "HTTP 415")
    for kind in (
        "",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/grpc-webs",
        "application/grpc-web-texts+proto",
        "application/grpc-web+proto, application/json",
        "application/protobuf",
        "application/json; charset=latin1",
        "application/connect",
        "application/connect+xml",
        "application/connect+proto+zstd",
    )
}

CODECS: dict[str, Row] = {
    "JSON of a method that has none": (ECHO, JSON, b"{}", "HTTP 415"),
    "a stream of it": (TALK, JSON_STREAM, framed(b"{}"), "HTTP 415"),
    "another codec in gRPC-Web": (
        ECHO,
        {"content-type": "application/grpc-web+thrift"},
        framed(b""),
        "HTTP 415",
    ),
    "another codec in text": (
        TALK,
        {"content-type": "application/grpc-web-text+json"},
        b"AAAAAAA=",
        "HTTP 415",
    ),
}

ENCODINGS: dict[str, Row] = {
    "gRPC-Web, unknown": (ECHO, {**WEB, "grpc-encoding": "lz4"}, framed(b""), "unimplemented"),
    "gRPC-Web, two": (ECHO, {**WEB, "grpc-encoding": "gzip, gzip"}, framed(b""), "unimplemented"),
    "gRPC-Web, body": (ECHO, {**WEB, "content-encoding": "gzip"}, framed(b""), "HTTP 415"),
    "gRPC-Web, damaged": (ECHO, {**WEB, **GZIP}, framed(DAMAGED, flags=1), "internal"),
    "gRPC-Web, not named": (ECHO, WEB, framed(b"x", flags=1), "internal"),
    "unary, unknown": (ECHO, {**UNARY, "content-encoding": "lz4"}, b"x", "unimplemented"),
    "unary, two": (ECHO, {**UNARY, "content-encoding": "gzip, gzip"}, b"x", "unimplemented"),
    "unary, damaged": (ECHO, {**UNARY, "content-encoding": "gzip"}, DAMAGED, "invalid_argument"),
    "unary, no gzip": (ECHO, {**UNARY, "content-encoding": "gzip"}, b"plain", "invalid_argument"),
    "unary, wrong one": (
        ECHO,
        {**UNARY, "content-encoding": "gzip"},
        zlib.compress(b"x"),
        "invalid_argument",
    ),
    "stream, unknown": (
        TALK,
        {**STREAM, "connect-content-encoding": "lz4"},
        framed(b""),
        "unimplemented",
    ),
    "stream, body": (TALK, {**STREAM, "content-encoding": "gzip"}, framed(b""), "unimplemented"),
    "stream, damaged": (
        TALK,
        {**STREAM, "connect-content-encoding": "gzip"},
        framed(DAMAGED, flags=1),
        "invalid_argument",
    ),
    "stream, not named": (TALK, STREAM, framed(b"x", flags=1), "internal"),
}

TOO_LARGE: dict[str, Row] = {
    "gRPC-Web": (ECHO, WEB, framed(bytes(LARGEST + 1)), "resource_exhausted"),
    "gRPC-Web, said": (ECHO, WEB, b"\0\xff\xff\xff\xff", "resource_exhausted"),
    "gRPC-Web, text": (
        ECHO,
        TEXT,
        base64.b64encode(framed(bytes(LARGEST + 1))),
        "resource_exhausted",
    ),
    "unary": (ECHO, UNARY, bytes(LARGEST + 1), "resource_exhausted"),
    "unary, JSON": (PUT, JSON, LARGE_JSON, "resource_exhausted"),
    "stream": (TALK, STREAM, framed(b"a", bytes(LARGEST + 1)), "resource_exhausted"),
    "stream, said": (TALK, STREAM, b"\0\xff\xff\xff\xff", "resource_exhausted"),
}

_DEEP = b'{"inner":[' * 51 + b"]}" * 51
JSONS: dict[str, Row] = {
    name: (PUT, JSON, body, "invalid_argument")
    for name, body in {
        "empty": b"",
        "white space": b" \r\n",
        "cut": b'{"text": "x"',
        "two": b"{}{}",
        "no object": b"[]",
        "null": b"null",
        "a string": b'"text"',
        "comment": b"{} // no",
        "single quotes": b"{'text': 'x'}",
        "deep arrays": b'{"unknown": ' + b"[" * 101 + b"]" * 101 + b"}",
        "deep objects": b'{"a":' * 200 + b"1" + b"}" * 200,
        "deep messages": _DEEP,
        "open arrays": b"[" * LARGEST,
        "open objects": b'{"a":' * (LARGEST // 5),
        "many digits": b'{"size": ' + b"1" * 5000 + b"}",
        "beyond int64": b'{"size": "9223372036854775808"}',
        "no whole number": b'{"size": 1.5}',
        "beyond double": b'{"ratio": 1e400}',
        "NaN": b'{"ratio": NaN}',
        "Infinity": b'{"unknown": Infinity}',
        "twice": b'{"text": "a", "text": "b"}',
        "twice, deeper": b'{"inner": [{"text": "a", "text": "b"}]}',
        "both names of a field": b'{"size": "1", "size": "2"}',
        "not UTF-8": b'{"text": "\xff"}',
        "UTF-16": '{"text": "x"}'.encode("utf-16"),
        "overlong UTF-8": b'{"text": "\xc0\xaf"}',
        "surrogate in UTF-8": b'{"text": "\xed\xa0\x80"}',
        "lone surrogate": b'{"text": "\\ud800"}',
        "surrogates in disorder": b'{"text": "\\udc00\\ud800"}',
        "control character": b'{"text": "\n"}',
        "byte order mark": b"\xef\xbb\xbf{}",
        "another type": b'{"text": 1}',
    }.items()
}

OTHERS: dict[str, Row] = {
    "protobuf, cut": (PUT, UNARY, b"\x0a\x05x", "invalid_argument"),
    "protobuf, not UTF-8": (PUT, UNARY, b"\x0a\x01\xff", "invalid_argument"),
    "protobuf, deep": (PUT, UNARY, b"\x4a\x7f" * 200, "invalid_argument"),
    "protobuf in a stream": (NOTES + "Talk", STREAM, framed(b"", b"\xff"), "invalid_argument"),
    "JSON in a stream": (NOTES + "Talk", JSON_STREAM, framed(b"{}", b"{"), "invalid_argument"),
    "protobuf in gRPC-Web": (PUT, WEB, framed(b"\xff"), "internal"),
    "JSON in gRPC-Web": (
        PUT,
        {"content-type": "application/grpc-web+json"},
        framed(b"{"),
        "invalid_argument",
    ),
    "end in a request": (TALK, STREAM, framed(b"{}", flags=2), "invalid_argument"),
    "trailers in a request": (TALK, WEB, framed(b"a:b\r\n", flags=0x80), "internal"),
    "unknown flags": (TALK, WEB, framed(b"", flags=0x7C), "internal"),
    "version": (ECHO, {**UNARY, "connect-protocol-version": "2"}, b"", "invalid_argument"),
    "timeout": (ECHO, {**UNARY, "connect-timeout-ms": "1.5"}, b"", "invalid_argument"),
    "long timeout": (ECHO, {**UNARY, "connect-timeout-ms": "1" * 11}, b"", "invalid_argument"),
    "timeout of gRPC": (ECHO, {**WEB, "grpc-timeout": "-1S"}, framed(b""), "internal"),
    "two timeouts": (
        ECHO,
        Pairs(*UNARY.items(), ("connect-timeout-ms", "1000"), ("connect-timeout-ms", "1000")),
        b"",
        "invalid_argument",
    ),
    "two timeouts of gRPC": (
        ECHO,
        Pairs(*WEB.items(), ("grpc-timeout", "1S"), ("grpc-timeout", "1S")),
        framed(b""),
        "internal",
    ),
    "two content types": (
        ECHO,
        Pairs(("content-type", "text/html"), *UNARY.items()),
        b"",
        "invalid_argument",
    ),
    "metadata": (ECHO, {**UNARY, "x-bin": "?"}, b"", "invalid_argument"),
    "metadata in gRPC-Web": (ECHO, {**WEB, "x-bin": "?"}, framed(b""), "internal"),
}


@pytest.mark.parametrize(
    "rows",
    [TYPES, CODECS, ENCODINGS, TOO_LARGE, JSONS, OTHERS],
    ids=["content types", "codecs", "encodings", "sizes", "JSON", "others"],
)
def test_what_is_wrong_is_answered_as_documented(
    front: FrontEnd, connect: Connect, rows: dict[str, Row]
) -> None:
    server = serve_notes(front)
    client = Session(lambda: connect(server))
    seen = {}
    for name, (path, headers, body, _code) in rows.items():
        answer = client.request(path, headers, body)
        seen[name] = code_of(answer)
        if seen[name] == "HTTP 415" and "encoding" not in str(headers):
            assert "application/proto" in str(answer.get("accept-post")) or "thrift" in str(headers)
        still_serves(client)
    assert seen == {name: row[3] for name, row in rows.items()}
    nothing_left(front, server)


def test_what_a_method_has_no_codec_for_does_not_reach_it(
    front: FrontEnd, connect: Connect
) -> None:
    reached = threading.Event()

    async def reach(call: ServerCall) -> Any:
        reached.set()
        return b""

    async def reach_stream(call: ServerCall) -> None:
        reached.set()

    handlers = {"unary_unary": reach, "stream_stream": reach_stream, "unary_stream": reach_stream}
    server = front.serve(handlers, options=OPTIONS)
    client = Session(lambda: connect(server))
    assert code_of(client.request(ECHO, JSON, b"{}")) == "HTTP 415"
    assert code_of(client.request(TALK, JSON_STREAM, framed(b"{}"))) == "HTTP 415"
    answer = client.request(SERVICE + "UnaryStream", JSON_STREAM, framed(b"{}"))
    assert code_of(answer) == "HTTP 415"
    assert "messages of /test.Service/UnaryStream cannot be had as 'json'" in answer.body.decode()
    assert not reached.is_set()


@pytest.mark.parametrize("headers", [JSON_STREAM, JSON], ids=["stream", "unary"])
def test_codecs_of_methods_that_interceptors_find(
    front: FrontEnd, connect: Connect, headers: dict[str, str]
) -> None:
    base: Any = (
        front.library.root if front.name == "sync" else front.library.aio
    ).ServerInterceptor

    class Sync(base):  # type: ignore[misc]
        def intercept_service(self, continuation: Any, details: Any) -> Any:
            return continuation(details)

    class Aio(base):  # type: ignore[misc]
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            return await continuation(details)

    async def eager(call: ServerCall) -> None:
        await call.send_initial_metadata([("key", "value")])
        while (request := await call.read()) is not None:
            await call.write(request)

    interceptors = [Sync() if front.name == "sync" else Aio()]
    handlers = {**ECHOES, "stream_stream": eager}
    server = front.serve(handlers, options=OPTIONS, interceptors=interceptors)
    client = Session(lambda: connect(server))
    path, body = (ECHO, b"{}") if headers is JSON else (TALK, framed(b"{}"))
    assert code_of(client.request(path, headers, body)) == "HTTP 415"
    still_serves(client)


def split(body: bytes) -> Iterable[list[bytes]]:
    for at in range(1, len(body)):
        yield [body[:at], body[at:]]


def test_text_that_is_not_base64_split_anywhere(front: FrontEnd, connect: Connect) -> None:
    server = front.serve(ECHOES, options=OPTIONS)
    client = Session(lambda: connect(server))
    good = base64.b64encode(framed(b"abc")) + base64.b64encode(framed(b"de"))
    for pieces in split(good):
        assert code_of(client.request(TALK, TEXT, pieces)) == "ok"
    for at in range(len(good)):
        bad = good[:at] + b"*" + good[at + 1 :]
        assert code_of(client.request(TALK, TEXT, [bad[:9], bad[9:17], bad[17:]])) == "internal", at
    for pieces in split(good[:12] + b"==" + good[12:]):
        assert code_of(client.request(TALK, TEXT, pieces)) == "internal"


def test_bodies_that_end_anywhere(front: FrontEnd, connect: Connect) -> None:
    server = serve_notes(front)
    client = Session(lambda: connect(server))
    body = framed(b"abc", b"de")
    whole = {0, len(framed(b"abc")), len(body)}
    for end in range(len(body) + 1):
        cut = body[:end]
        expected = ("ok", "ok") if end in whole else ("internal", "invalid_argument")
        for headers, code in zip((WEB, STREAM), expected, strict=True):
            assert code_of(client.request(TALK, headers, cut)) == code, end
        text = base64.b64encode(body)[: end * 4 // 3]
        fine = not len(text) % 4 and len(text) // 4 * 3 in whole
        assert (code_of(client.request(TALK, TEXT, text)) == "ok") is fine, end
    text = b'{"text": "x", "inner": [{"size": "1"}]}'
    for end in range(len(text)):
        assert code_of(client.request(PUT, JSON, text[:end])) == "invalid_argument", end
    assert code_of(client.request(PUT, JSON, text)) == "ok"
    nothing_left(front, server)


def test_decompression_stops_at_the_limit(front: FrontEnd, connect: Connect) -> None:
    # Twenty million bytes in twenty thousand.
    limit = len(BOMB) + 100
    options = [*OPTIONS[:1], ("grpc.max_receive_message_length", limit)]
    server = front.serve(ECHOES, options=options)
    client = Session(lambda: connect(server))
    packed = framed(BOMB, flags=1)
    for path, headers, body in (
        (ECHO, {**WEB, **GZIP}, packed),
        (ECHO, {**TEXT, **GZIP}, base64.b64encode(packed)),
        (ECHO, {**UNARY, "content-encoding": "gzip"}, BOMB),
        (TALK, {**STREAM, "connect-content-encoding": "gzip"}, packed),
    ):
        answer = client.request(path, headers, body)
        assert code_of(answer) == "resource_exhausted"
        still_serves(client)


LARGE = "v" * 1000


@pytest.mark.parametrize("where", ["first", "last"])
def test_header_lists_that_are_too_large(front: FrontEnd, connect: Connect, where: str) -> None:
    cors = CorsPolicy(origins=["https://app.example"])
    # HTTP/1.1 has one limit for the bytes of heads, and this one for what is in them.
    options = [("clarion.web", WebOptions(cors=cors, max_head=100_000))]
    server = front.serve(ECHOES, options=options)
    client = Session(lambda: connect(server))
    many = [(f"x-{number}", LARGE) for number in range(20)]
    origin = ("origin", "https://app.example")

    def ask(path: str, headers: dict[str, str], body: bytes) -> Answer:
        known = [*headers.items(), origin]
        pairs = [*known, *many] if where == "first" else [*many, *known]
        return client.request(path, Pairs(*pairs), body)

    answers = [
        ask(ECHO, WEB, framed(b"")),
        ask(ECHO, TEXT, b"AAAAAAA="),
        ask(ECHO, UNARY, b""),
        ask(TALK, STREAM, framed(b"")),
        ask(ECHO, {"content-type": "text/html"}, b""),
    ]
    lost = where == "last" and client.name == "h2"
    if lost:
        # What would say which protocol it is was not kept. A client of gRPC reads the status, others that of HTTP.
        assert [(code_of(each), each["grpc-status"]) for each in answers] == [("HTTP 431", "8")] * 5
    else:
        assert [code_of(each) for each in answers[:4]] == ["resource_exhausted"] * 4
        assert code_of(answers[4]) == ("HTTP 431" if client.name == "h2" else "HTTP 415")
        assert answers[2].status == 429
        for answer in answers:
            assert answer["access-control-allow-origin"] == "https://app.example"
    still_serves(client)
    nothing_left(front, server)


def test_calls_of_grpc_with_too_large_headers_end_as_ever(front: FrontEnd) -> None:
    rig = front.rig(**ECHOES, options=OPTIONS)
    metadata = [(f"x-{number}", LARGE) for number in range(20)]
    outcome = rig.call("unary_unary", [b"x"], metadata=metadata)
    assert outcome.code == "RESOURCE_EXHAUSTED"
    assert rig.call("unary_unary", [b"x"]).responses == [b"x"]


QUERIES = {
    "": "HTTP 405",
    "connect=v1": "invalid_argument",
    "encoding=proto": "invalid_argument",
    "message=": "invalid_argument",
    "encoding=proto&message=%zz": "invalid_argument",
    "encoding=proto&message=%e": "invalid_argument",
    "encoding=proto&message=%": "invalid_argument",
    "encoding=proto&base64=1&message=a": "invalid_argument",
    "encoding=proto&base64=1&message=%2B%2F8": "invalid_argument",
    "encoding=proto&message=&message=": "invalid_argument",
    "encoding=proto&encoding=json&message=": "invalid_argument",
    "encoding=proto&message=&connect=v2": "invalid_argument",
    "encoding=proto&message=&compression=lz4": "unimplemented",
    "encoding=proto&compression=gzip&message=x": "invalid_argument",
    "encoding=xml&message=": "HTTP 415",
    "encoding=json&message=%7B": "invalid_argument",
    "encoding=proto&message=%ff": "invalid_argument",
    "encoding=proto&message=" + "&x" * 100: "invalid_argument",
    "encoding=proto&message=" + "a" * (LARGEST + 1): "resource_exhausted",
    "encoding=proto&message=": "ok",
}


def test_queries(front: FrontEnd, connect: Connect) -> None:
    server = serve_notes(front)
    client = Session(lambda: connect(server))
    seen = {
        query: code_of(client.request(f"{NOTES}Get?{query}", {}, method="GET")) for query in QUERIES
    }
    assert seen == QUERIES
    still_serves(client)


def test_queries_that_are_too_long_for_a_head(front: FrontEnd, connect: Connect) -> None:
    server = serve_notes(front)
    client = Session(lambda: connect(server))
    answer = client.request(f"{NOTES}Get?encoding=proto&message={'a' * 20_000}", {}, method="GET")
    assert answer.status == 431
    still_serves(client)


@pytest.mark.parametrize("body", [b"", b"x" * 1000], ids=["none", "some"])
def test_methods_of_http(front: FrontEnd, connect: Connect, body: bytes) -> None:
    server = serve_notes(front)
    client = Session(lambda: connect(server))
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"):
        headers = {"content-length": str(len(body))} if body else {}
        answer = client.request(PUT, headers, body, method=method)
        assert (answer.status, answer["allow"]) == (405, "POST")
        assert (answer.body == b"") is (method == "HEAD")
        still_serves(client)
    nothing_left(front, server)
