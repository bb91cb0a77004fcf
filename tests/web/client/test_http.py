"""What web channels say in HTTP, and what they make of servers that are none of the protocol."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from clarion.web import WebOptions
from support.front_end import SERVICE
from support.handlers import Method, ServerCall
from support.libraries import LIMIT
from support.servers import AioServer, SyncServer
from support.simple import ECHOES, Hang
from support.web_channels import RawRequest, RawServer, WebFront, answer

Start = Callable[[Callable[[RawRequest], bytes | None]], RawServer]

UNARY = SERVICE + "UnaryUnary"
NOTES = "/webclienttest.Notes/"


def _describe() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="webclienttest/notes.proto", package="webclienttest", syntax="proto3"
    )
    note = file.message_type.add(name="Note")
    note.field.add(name="the_text", number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
    service = file.service.add(name="Notes")
    levels = descriptor_pb2.MethodOptions
    for name, level in (
        ("Get", levels.NO_SIDE_EFFECTS),
        ("Put", levels.IDEMPOTENT),
        ("Post", levels.IDEMPOTENCY_UNKNOWN),
        ("Watch", levels.IDEMPOTENCY_UNKNOWN),
    ):
        method = service.method.add(name=name)
        method.input_type = method.output_type = ".webclienttest.Note"
        method.options.idempotency_level = level
    service.method[3].server_streaming = True
    pool = descriptor_pool.Default()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("webclienttest.Note"))


Note = _describe()
CODEC = {"serializer": Note.SerializeToString, "deserializer": Note.FromString}


def ok(request: RawRequest) -> bytes:
    return answer("200 OK", "application/proto", b"")


def test_a_unary_call_of_connect_is_a_plain_post(connect1: WebFront, raw: Start) -> None:
    server = raw(lambda request: answer("200 OK", "application/proto", request.body))
    client = connect1.connect(server.url + "/rpc/v1/")
    outcome = client.call(UNARY, "unary_unary", [b"abc"], timeout=30, metadata=[("k", "v")])
    assert (outcome.code, outcome.responses) == ("OK", [b"abc"])
    request = server.requests[0]
    assert (request.method, request.target) == ("POST", "/rpc/v1" + UNARY)
    assert request.body == b"abc"
    fields = request.fields
    assert fields["host"] == f"127.0.0.1:{server.port}"
    assert fields["content-type"] == "application/proto"
    assert fields["connect-protocol-version"] == "1"
    assert 0 < int(fields["connect-timeout-ms"]) <= 30_000
    assert fields["content-length"] == "3"
    assert fields["k"] == "v"
    assert "clarion" in fields["user-agent"]
    assert not any(name.startswith("grpc-") or name == "te" for name in fields)


def test_a_call_of_grpc_web(connect1: WebFront, raw: Start) -> None:
    body = b"\0\0\0\0\3abc\x80\0\0\0\x0fgrpc-status:0\r\n"
    server = raw(lambda request: answer("200 OK", "application/grpc-web+proto", body))
    client = connect1.connect(server.url, protocol="grpc-web")
    assert client.call(UNARY, "unary_unary", [b"x"]).responses == [b"abc"]
    request = server.requests[0]
    assert request.body == b"\0\0\0\0\1x"
    assert request.fields["content-type"] == "application/grpc-web+proto"
    assert request.fields["x-grpc-web"] == "1"
    assert request.fields["x-user-agent"] == request.fields["user-agent"] != ""


@pytest.mark.parametrize("code", ["OK", "NOT_FOUND"])
@pytest.mark.parametrize("retried", [False, True], ids=["", "retried"])
def test_a_proxy_that_has_joined_headers_and_trailers(
    connect1: WebFront, raw: Start, code: str, retried: bool
) -> None:
    """Where there is no message, some do. What is in the list may then be either."""
    fields = [f"grpc-status: {0 if code == 'OK' else 5}", "grpc-message: no", "k: v"]
    server = raw(lambda request: answer("200 OK", "application/grpc-web+proto", b"", *fields))
    options = []
    if retried:
        # Until it is known that the call is not made again, nothing is told.
        policy = {
            "maxAttempts": 2,
            "initialBackoff": "0.01s",
            "maxBackoff": "0.01s",
            "backoffMultiplier": 1,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
        config = {"methodConfig": [{"name": [{}], "retryPolicy": policy}]}
        options.append(("grpc.service_config", json.dumps(config)))
    client = connect1.connect(server.url, protocol="grpc-web", options=options)
    outcome = client.call(UNARY, "unary_stream", [b"x"])
    assert (outcome.code, outcome.responses) == (code, [])
    assert ("k", "v") in outcome.trailing
    assert (("k", "v") in outcome.initial) is not retried


def test_connections_are_used_again(connect1: WebFront, raw: Start) -> None:
    server = raw(ok)
    client = connect1.connect(server.url)
    for _ in range(5):
        assert client.call(UNARY, "unary_unary", [b""]).code == "OK"
    assert server.connections == 1


def test_a_server_that_keeps_no_connection(connect1: WebFront, raw: Start) -> None:
    """It is no failure to connect, however often it happens."""
    server = raw(lambda request: answer("200 OK", "application/proto", b"", "connection: close"))
    client = connect1.connect(server.url)
    for _ in range(10):
        assert client.call(UNARY, "unary_unary", [b""], timeout=LIMIT).code == "OK"
    assert server.connections == 10


@pytest.mark.parametrize("protocol", ["connect", "grpc-web", "grpc-web-text"])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("502 Bad Gateway", "UNAVAILABLE"),
        ("404 Not Found", "UNIMPLEMENTED"),
        ("401 Unauthorized", "UNAUTHENTICATED"),
    ],
)
def test_a_proxys_page(
    connect1: WebFront, raw: Start, protocol: str, status: str, code: str
) -> None:
    server = raw(lambda request: answer(status, "text/html; charset=utf-8", b"<h1>no</h1>" * 100))
    client = connect1.connect(server.url, protocol=protocol)
    for pattern in ("unary_unary", "unary_stream"):
        outcome = client.call(UNARY, pattern, [b""])
        assert outcome.code == code
        assert status[:3] in outcome.details
        assert "text/html" in outcome.details
    # The page was read, and the connection is good for more.
    assert server.connections == 1


def test_a_website(connect1: WebFront, raw: Start) -> None:
    server = raw(lambda request: answer("200 OK", "text/html", b"<h1>hello</h1>"))
    outcome = connect1.connect(server.url).call(UNARY, "unary_unary", [b""])
    assert outcome.code == "UNKNOWN"
    assert "text/html" in outcome.details


@pytest.mark.parametrize(
    ("protocol", "content_type", "body", "code"),
    [
        ("connect", "application/connect+proto", b"", "INTERNAL"),
        ("connect", "application/connect+proto", b"\0\0\0\0\1x", "INTERNAL"),
        ("connect", "application/connect+proto", b"\0\0\0", "INTERNAL"),
        ("connect", "application/connect+proto", b"\2\0\0\0\1{", "INTERNAL"),
        ("grpc-web", "application/grpc-web+proto", b"", "INTERNAL"),
        ("grpc-web", "application/grpc-web+proto", b"\x80\0\0\0\1x", "INTERNAL"),
        ("grpc-web", "application/grpc-web+proto", b"\x80\0\0\0\0", "UNKNOWN"),
        ("grpc-web", "application/grpc-web-text+proto", b"!", "INTERNAL"),
    ],
)
def test_answers_without_an_end(
    connect1: WebFront, raw: Start, protocol: str, content_type: str, body: bytes, code: str
) -> None:
    server = raw(lambda request: answer("200 OK", content_type, body))
    client = connect1.connect(server.url, protocol=protocol)
    assert client.call(UNARY, "unary_stream", [b""], timeout=LIMIT).code == code


def test_an_answer_that_is_cut_off(connect1: WebFront, raw: Start) -> None:
    whole = answer("200 OK", "application/proto", b"abc")
    server = raw(lambda request: whole[:-1] if len(server.requests) == 1 else None)
    client = connect1.connect(server.url)
    call = client.open(UNARY, "unary_unary", [b""])
    server.wait_answered()
    server.hang_up()
    outcome = call.finish()
    assert outcome.code == "UNAVAILABLE"
    assert "closed the connection" in outcome.details


@pytest.mark.parametrize(
    ("method", "again"), [("Get", True), ("Put", True), ("Post", False), ("Unknown", False)]
)
def test_a_server_that_closes_a_kept_connection(
    connect1: WebFront, raw: Start, method: str, again: bool
) -> None:
    """Nobody knows whether it saw the request, which is sent again only where that does no harm."""
    closes = threading.Event()

    def script(request: RawRequest) -> bytes | None:
        if closes.is_set():
            closes.clear()
            return None
        return ok(request)

    server = raw(script)
    client = connect1.connect(server.url)
    assert client.call(NOTES + method, "unary_unary", [b""]).code == "OK"
    closes.set()
    outcome = client.call(NOTES + method, "unary_unary", [b""])
    assert outcome.code == ("OK" if again else "UNAVAILABLE"), outcome
    assert len(server.requests) == (3 if again else 2)


def test_get(connect1: WebFront, raw: Start) -> None:
    server = raw(lambda request: answer("200 OK", "application/proto", b"\n\1a"))
    client = connect1.connect(server.url, get=True, max_url=200)
    outcome = client.call(NOTES + "Get", "unary_unary", [Note(the_text="?")], **CODEC)
    assert outcome.responses == [Note(the_text="a")]
    client.call(NOTES + "Get", "unary_unary", [Note(the_text="?" * 200)], **CODEC)
    client.call(NOTES + "Put", "unary_unary", [Note()], **CODEC)
    first, long, other = server.requests
    assert first.method == "GET"
    assert first.target == NOTES + "Get?connect=v1&base64=1&encoding=proto&message=CgE_"
    assert first.body == b""
    assert "content-type" not in first.fields
    assert (long.method, other.method) == ("POST", "POST")


def serve_notes(front: WebFront) -> Any:
    async def echo(call: ServerCall) -> Any:
        return call.request

    async def twice(call: ServerCall) -> None:
        for _ in range(2):
            await call.write(call.request)

    codec = (Note.FromString, Note.SerializeToString)
    methods = {
        NOTES + "Get": Method("unary_unary", echo, *codec),
        NOTES + "Post": Method("unary_unary", echo, *codec),
        NOTES + "Watch": Method("unary_stream", twice, *codec),
    }
    options = [("clarion.web", WebOptions())]
    server: Any
    if front.name == "sync":
        server = SyncServer(front.library, methods, options=options)
    else:
        server = AioServer(front.library, methods, front.loop, options=options)
    front._opened.append(server)
    return server


@pytest.mark.parametrize("protocol", ["connect", "grpc-web"])
@pytest.mark.parametrize("codec", ["proto", "json"])
def test_messages_of_protobuf(web: WebFront, codec: str) -> None:
    server = serve_notes(web)
    get = web.web["protocol"] == "connect"
    client = web.connect(server.target, codec=codec, get=get)
    note = Note(the_text="Grüße")
    for method in ("Get", "Post"):
        outcome = client.call(NOTES + method, "unary_unary", [note], **CODEC)
        assert (outcome.code, outcome.responses) == ("OK", [note])
    assert client.call(NOTES + "Watch", "unary_stream", [note], **CODEC).responses == [note] * 2


def test_json_on_the_wire(connect1: WebFront, raw: Start) -> None:
    server = raw(lambda request: answer("200 OK", "application/json", b'{"theText": "b"}'))
    client = connect1.connect(server.url, codec="json")
    outcome = client.call(NOTES + "Post", "unary_unary", [Note(the_text="a")], **CODEC)
    assert outcome.responses == [Note(the_text="b")]
    assert server.requests[0].body.replace(b" ", b"") == b'{"theText":"a"}'


def test_json_that_is_none(connect1: WebFront, raw: Start) -> None:
    server = raw(lambda request: answer("200 OK", "application/json", b"[1"))
    client = connect1.connect(server.url, codec="json")
    outcome = client.call(NOTES + "Post", "unary_unary", [Note()], **CODEC)
    assert outcome.code == "INTERNAL"


def test_messages_without_types_have_no_json(connect1: WebFront) -> None:
    client = connect1.connect("http://localhost:1", codec="json")
    with pytest.raises(ValueError, match="cannot be had as 'json'"):
        client.call("/not.Known/Method", "unary_unary", [b""])


def test_each_call_has_a_connection_of_its_own(connect1: WebFront) -> None:
    hang, most = Hang(), 3
    rig = connect1.rig(**{**ECHOES, "unary_unary": hang})
    client = connect1.connect(rig.server.target, max_connections=most)
    calls = [client.open(UNARY, "unary_unary", [b""]) for _ in range(2 * most)]
    for _ in range(most):
        hang.wait_started()
    # The others wait: whichever connection is free first serves the one that is first.
    assert not hang.started.acquire(timeout=0.05)
    outcome = client.call(UNARY, "unary_unary", [b""], timeout=0.1)
    assert outcome.code == "DEADLINE_EXCEEDED"
    assert "a free connection: there may be 3 to ipv4:127.0.0.1" in outcome.details
    late = client.open(SERVICE + "UnaryStream", "unary_stream", [b"x"])
    for call in calls[:-1]:
        call.cancel()
        assert call.finish().code == "CANCELLED"
    assert late.finish().responses == [b"x"] * 3
    calls[-1].cancel()
    assert calls[-1].finish().code == "CANCELLED"


def test_many_calls_at_once(web: WebFront) -> None:
    rig = web.rig(**ECHOES)
    for _ in range(3):
        requests = [b"%d" % number for number in range(40)]
        calls = [rig.open("unary_unary", [request]) for request in requests]
        assert [call.finish().responses for call in calls] == [[request] for request in requests]


def test_idle_connections_are_closed(connect1: WebFront) -> None:
    rig = connect1.rig(**ECHOES)
    client = connect1.connect(rig.server.target, idle_timeout=0.05)
    assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"
    watcher = connect1.watch(client, connect=False)
    watcher.until("IDLE")
    assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"
