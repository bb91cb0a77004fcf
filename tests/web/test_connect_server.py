"""Connect, on servers of both front ends, over both versions of HTTP."""

from __future__ import annotations

import base64
import gzip
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from clarion.call_tracing import ServerCallTracer, ServerTracing
from clarion.web import WebOptions
from support.front_end import SERVICE, FrontEnd
from support.handlers import Method, ServerCall
from support.servers import AioServer, SyncServer
from support.simple import ECHOES, Hang
from support.web_clients import Answer, WebClient

Connect = Callable[..., WebClient]

PROTO = {"content-type": "application/proto", "connect-protocol-version": "1"}
JSON = {"content-type": "application/json"}
STREAM = {"content-type": "application/connect+proto"}
OPTIONS = [("clarion.web", WebOptions())]
THINGS = "/webtest.Things/"


def _describe() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="webtest/things.proto", package="webtest", syntax="proto3"
    )
    thing = file.message_type.add(name="Thing")
    thing.field.add(name="the_name", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
    thing.field.add(name="size", number=2, type="TYPE_INT64", label="LABEL_OPTIONAL")
    service = file.service.add(name="Things")
    for name in ("Get", "Put", "Watch", "Look"):
        method = service.method.add(name=name, input_type="Thing", output_type="Thing")
        method.input_type = method.output_type = ".webtest.Thing"
    for number in (0, 3):
        options = service.method[number].options
        options.idempotency_level = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    service.method[2].server_streaming = service.method[3].server_streaming = True
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("webtest.Thing"))


Thing = _describe()


async def _grow(call: ServerCall) -> Any:
    return Thing(the_name=call.request.the_name, size=call.request.size + 1)


async def _watch(call: ServerCall) -> None:
    for number in range(call.request.size):
        await call.write(Thing(the_name=call.request.the_name, size=number))


def serve_things(front: FrontEnd, *more: tuple[str, Any], interceptors: Any = ()) -> Any:
    options = [*OPTIONS, *more]
    codec = (Thing.FromString, Thing.SerializeToString)
    methods = {
        THINGS + "Get": Method("unary_unary", _grow, *codec),
        THINGS + "Put": Method("unary_unary", _grow, *codec),
        THINGS + "Watch": Method("unary_stream", _watch, *codec),
    }
    server: Any
    if front.name == "sync":
        server = SyncServer(front.library, methods, options=options, interceptors=interceptors)
    else:
        loop, library = front.loop, front.library
        server = AioServer(library, methods, loop, options=options, interceptors=interceptors)
    front._opened.append(server)
    return server


def framed(*messages: bytes) -> bytes:
    return b"".join(struct.pack(">BI", 0, len(message)) + message for message in messages)


def unframed(answer: Answer) -> tuple[list[bytes], Any]:
    """The messages of a stream, and what its end says."""
    assert answer.status == 200
    messages, body = [], answer.body
    while body:
        flags, size = struct.unpack_from(">BI", body)
        payload, body = body[5 : 5 + size], body[5 + size :]
        if flags & 2:
            assert not body
            return messages, json.loads(payload)
        messages.append(gzip.decompress(payload) if flags & 1 else payload)
    raise AssertionError("the stream has no end")


def error(answer: Answer) -> tuple[int, str]:
    assert answer["content-type"] == "application/json"
    return answer.status, json.loads(answer.body)["code"]


def test_unary_calls(front: FrontEnd, connect: Connect) -> None:
    client = connect(front.serve(ECHOES, options=OPTIONS))
    for _ in range(2):
        answer = client.request(SERVICE + "UnaryUnary", PROTO, [b"some", b"thing"])
        assert (answer.status, answer.body) == (200, b"something")
        assert answer["content-type"] == "application/proto"
    assert client.request(SERVICE + "UnaryUnary", PROTO, b"").body == b""


def test_heads_that_repeat(front: FrontEnd, connect: Connect) -> None:
    """Over HTTP/2 they are read once: answers must not be what others had asked for."""
    client = connect(front.serve(ECHOES, options=OPTIONS))
    web = {"content-type": "application/grpc-web+proto"}
    text = {"content-type": "application/grpc-web-text"}
    late = {**PROTO, "connect-timeout-ms": "never"}
    for number in range(4):
        said = b"%d" % number
        assert client.request(SERVICE + "UnaryUnary", PROTO, said).body == said
        assert client.request(SERVICE + "UnaryUnary", web, framed(said)).body[5:6] == said
        answer = client.request(SERVICE + "UnaryUnary", text, base64.b64encode(framed(said)))
        assert base64.b64decode(answer.body[:8])[5:] == said
        answer = client.request(SERVICE + "UnaryStream", STREAM, framed(said))
        assert unframed(answer) == ([said] * 3, {})
        answer = client.request(SERVICE + "UnaryUnary", late, said)
        assert error(answer) == (400, "invalid_argument")
        assert client.request(SERVICE + "Unknown", PROTO, said).status == 404


def test_streams(front: FrontEnd, connect: Connect) -> None:
    client = connect(front.serve(ECHOES, options=OPTIONS))
    answer = client.request(SERVICE + "UnaryStream", STREAM, framed(b"a"))
    assert unframed(answer) == ([b"a"] * 3, {})
    assert answer["content-type"] == STREAM["content-type"]
    answer = client.request(SERVICE + "StreamUnary", STREAM, [framed(b"a"), framed(b"b", b"")])
    assert unframed(answer) == ([b"ab"], {})
    answer = client.request(SERVICE + "StreamStream", STREAM, [framed(b"a"), framed(b"b", b"")])
    assert unframed(answer) == ([b"a", b"b", b""], {})


def test_json(front: FrontEnd, connect: Connect) -> None:
    client = connect(serve_things(front))
    request = json.dumps({"theName": "x", "size": "41", "unknown": []}).encode()
    answer = client.request(THINGS + "Put", JSON, request)
    assert answer.status == 200
    assert answer["content-type"] == "application/json"
    assert json.loads(answer.body) == {"theName": "x", "size": "42"}
    proto = client.request(THINGS + "Put", PROTO, Thing(size=1).SerializeToString())
    assert Thing.FromString(proto.body).size == 2
    stream = {"content-type": "application/connect+json"}
    messages, end = unframed(client.request(THINGS + "Watch", stream, framed(b'{"size": 2}')))
    assert [json.loads(each) for each in messages] == [{}, {"size": "1"}]
    assert end == {}
    for bad in (b"{", b'{"size": "x"}', b"[" * 5000, b"\xff", b""):
        assert error(client.request(THINGS + "Put", JSON, bad)) == (400, "invalid_argument")
    assert error(client.request(THINGS + "Put", PROTO, b"\xff")) == (400, "invalid_argument")


class _Tracer(ServerCallTracer):
    def __init__(self, heard: list[Any]) -> None:
        self.heard = heard

    def message_received(self, wire: bytes, stream: Any) -> None:
        self.heard.append(wire)

    def message_sent(self, payload: bytes, wire: bytes) -> None:
        self.heard.append(json.loads(payload))

    def ended(
        self, code: Any, details: str, fields: Any, *, sent: bool, trailers_only: bool
    ) -> None:
        self.heard.append(code.name)


class _Tracing(ServerTracing):
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def call(self, start: Any) -> _Tracer:
        self.heard.append(start.method)
        return _Tracer(self.heard)


@pytest.mark.parametrize("traced", [False, True], ids=["", "traced"])
def test_json_with_interceptors_and_tracers(
    front: FrontEnd, connect: Connect, traced: bool
) -> None:
    asked: list[str] = []
    base: Any = (
        front.library.root if front.name == "sync" else front.library.aio
    ).ServerInterceptor

    class Sync(base):  # type: ignore[misc]
        def intercept_service(self, continuation: Any, details: Any) -> Any:
            asked.append(details.content_subtype)
            return continuation(details)

    class Aio(base):  # type: ignore[misc]
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            asked.append(details.content_subtype)
            return await continuation(details)

    tracing = _Tracing()
    more = [("clarion.server_call_tracing", tracing)] if traced else []
    interceptors = [Sync() if front.name == "sync" else Aio()]
    client = connect(serve_things(front, *more, interceptors=interceptors))
    answer = client.request(THINGS + "Put", JSON, b'{"size": 1}')
    assert json.loads(answer.body) == {"size": "2"}
    assert asked == ["json"]
    if traced:
        assert tracing.heard == [THINGS + "Put", b'{"size": 1}', {"size": "2"}, "OK"]


def test_get(front: FrontEnd, connect: Connect) -> None:
    client = connect(serve_things(front))
    query = "?connect=v1&encoding=json&message=%7B%22size%22%3A1%7D"
    answer = client.request(THINGS + "Get" + query, {}, method="GET")
    assert (answer.status, json.loads(answer.body)) == (200, {"size": "2"})
    message = base64.urlsafe_b64encode(Thing(size=7).SerializeToString()).decode().rstrip("=")
    query = f"?base64=1&encoding=proto&message={message}"
    answer = client.request(THINGS + "Get" + query, {}, method="GET")
    assert Thing.FromString(answer.body).size == 8
    # It may have side effects.
    answer = client.request(THINGS + "Put" + query, {}, method="GET")
    assert (answer.status, answer["allow"]) == (405, "POST")
    answer = client.request(THINGS + "Get", {}, method="DELETE")
    assert (answer.status, answer["allow"]) == (405, "GET, POST")
    bad = "?encoding=proto&message=%zz"
    assert error(client.request(THINGS + "Get" + bad, {}, method="GET")) == (
        400,
        "invalid_argument",
    )


async def _with_metadata(call: ServerCall) -> bytes:
    received = dict(call.metadata)
    await call.send_initial_metadata((("i-key", received["key"]),))
    call.context.set_trailing_metadata((("t-key", "t"),))
    return b"m"


def test_metadata(front: FrontEnd, connect: Connect) -> None:
    async def stream(call: ServerCall) -> None:
        await call.write(await _with_metadata(call))

    handlers = {"unary_unary": _with_metadata, "unary_stream": stream}
    client = connect(front.serve(handlers, options=OPTIONS))
    answer = client.request(SERVICE + "UnaryUnary", {**PROTO, "key": "v"}, b"")
    assert (answer["i-key"], answer["trailer-t-key"]) == ("v", "t")
    answer = client.request(SERVICE + "UnaryStream", {**STREAM, "key": "v"}, framed(b""))
    assert answer["i-key"] == "v"
    assert unframed(answer) == ([b"m"], {"metadata": {"t-key": ["t"]}})


async def _failing(call: ServerCall) -> None:
    call.context.set_trailing_metadata((("t-key", "t"),))
    await call.abort("NOT_FOUND", "no, ünd")


def test_errors(front: FrontEnd, connect: Connect) -> None:
    handlers = {"unary_unary": _failing, "unary_stream": _failing}
    client = connect(front.serve(handlers, options=OPTIONS))
    answer = client.request(SERVICE + "UnaryUnary", PROTO, b"")
    assert answer.status == 404
    assert json.loads(answer.body) == {"code": "not_found", "message": "no, ünd"}
    assert answer["trailer-t-key"] == "t"
    _messages, end = unframed(client.request(SERVICE + "UnaryStream", STREAM, framed(b"")))
    assert end == {
        "error": {"code": "not_found", "message": "no, ünd"},
        "metadata": {"t-key": ["t"]},
    }
    assert error(client.request(SERVICE + "Missing", PROTO, b"")) == (404, "unimplemented")


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({**PROTO, "connect-protocol-version": "2"}, b"", 400, "invalid_argument"),
        ({**PROTO, "connect-timeout-ms": "soon"}, b"", 400, "invalid_argument"),
        ({**PROTO, "content-encoding": "lz4"}, b"x", 501, "unimplemented"),
        ({**PROTO, "content-encoding": "gzip"}, b"no gzip", 400, "invalid_argument"),
        (PROTO, bytes(20_000), 429, "resource_exhausted"),
    ],
    ids=["version", "timeout", "encoding", "gzip", "large"],
)
def test_malformed_requests(
    front: FrontEnd, connect: Connect, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    options = [*OPTIONS, ("grpc.max_receive_message_length", 10_000)]
    client = connect(front.serve(ECHOES, options=options))
    assert error(client.request(SERVICE + "UnaryUnary", headers, body)) == (status, code)
    assert client.request(SERVICE + "UnaryUnary", PROTO, b"x").body == b"x"


def test_malformed_streams(front: FrontEnd, connect: Connect) -> None:
    client = connect(front.serve(ECHOES, options=OPTIONS))
    for body in (framed(b"abc")[:-1], b"\x02\0\0\0\0", b"\0\0"):
        _messages, end = unframed(client.request(SERVICE + "StreamUnary", STREAM, body))
        assert end["error"]["code"] == "invalid_argument"


def test_content_types_of_the_other_kind_of_method(front: FrontEnd, connect: Connect) -> None:
    begun = []

    async def note(call: ServerCall) -> None:
        begun.append(call)

    kinds = ["unary_unary", "unary_stream", "stream_unary", "stream_stream"]
    client = connect(front.serve(dict.fromkeys(kinds, note), options=OPTIONS))
    for name in ("UnaryStream", "StreamUnary", "StreamStream"):
        answer = client.request(SERVICE + name, PROTO, b"")
        assert (answer.status, b"has a stream of messages" in answer.body) == (415, True)
    answer = client.request(SERVICE + "UnaryUnary", STREAM, framed(b""))
    assert (answer.status, b"has no stream of messages" in answer.body) == (415, True)
    # Nor by URL, whatever the .proto file says.
    path = THINGS + "Look?connect=v1&encoding=json&message=%7B%7D"
    assert client.request(path, {}, method="GET").status == 405
    assert not begun


def test_compression(front: FrontEnd, connect: Connect) -> None:
    compression = front.library.root.Compression.Gzip
    client = connect(front.serve(ECHOES, options=OPTIONS, compression=compression))
    packed = {**PROTO, "content-encoding": "gzip", "accept-encoding": "br, gzip"}
    answer = client.request(SERVICE + "UnaryUnary", packed, gzip.compress(b"a" * 1000))
    assert answer["content-encoding"] == "gzip"
    assert gzip.decompress(answer.body) == b"a" * 1000
    answer = client.request(SERVICE + "UnaryUnary", PROTO, b"plain")
    assert answer.get("content-encoding") is None
    assert answer.body == b"plain"
    packed = {**STREAM, "connect-content-encoding": "gzip", "connect-accept-encoding": "gzip"}
    message = gzip.compress(b"b" * 1000)
    body = struct.pack(">BI", 1, len(message)) + message
    answer = client.request(SERVICE + "StreamStream", packed, body)
    assert answer["connect-content-encoding"] == "gzip"
    assert unframed(answer) == ([b"b" * 1000], {})


def test_deadlines(front: FrontEnd, connect: Connect) -> None:
    hang = Hang()
    client = connect(front.serve({"unary_unary": hang}, options=OPTIONS))
    # A deadline that passes before there is a thread for the handler keeps that from starting at all.
    for timeout in ("50", "500", "5000"):
        timed = {**PROTO, "connect-timeout-ms": timeout}
        answer = client.request(SERVICE + "UnaryUnary", timed, b"")
        assert error(answer) == (504, "deadline_exceeded")
        if hang.started.acquire(blocking=False):
            break
    hang.wait_ended()


def test_clients_that_go_away(front: FrontEnd, connect: Connect) -> None:
    hang = Hang()
    client = connect(front.serve({"unary_unary": hang}, options=OPTIONS))
    client.send_head(SERVICE + "UnaryUnary", PROTO)
    client.send_end()
    hang.wait_started()
    client.cancel()
    hang.wait_ended()
