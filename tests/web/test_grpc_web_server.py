"""gRPC-Web, on servers of both front ends, over both versions of HTTP."""

from __future__ import annotations

import base64
import gc
import struct
import threading
from collections.abc import Callable
from typing import Any

import pytest

from clarion.web import CorsPolicy, WebOptions
from clarion.web.serving.stream import WebStream
from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT
from support.simple import ECHOES, Hang
from support.web_clients import Answer, Http1Client, WebClient

Connect = Callable[..., WebClient]

WEB = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
TEXT = {"content-type": "application/grpc-web-text+proto"}
OPTIONS = [("clarion.web", WebOptions())]


def framed(*messages: bytes) -> bytes:
    return b"".join(struct.pack(">BI", 0, len(message)) + message for message in messages)


def unframed(body: bytes) -> tuple[list[bytes], dict[str, str]]:
    """The messages and the trailers of a body."""
    messages = []
    while body:
        flags, size = struct.unpack_from(">BI", body)
        payload, body = body[5 : 5 + size], body[5 + size :]
        assert len(payload) == size
        if flags == 0x80:
            assert not body
            lines = payload.decode().split("\r\n")
            assert lines.pop() == ""
            return messages, dict((line.partition(":")[::2]) for line in lines)
        assert flags == 0
        messages.append(payload)
    raise AssertionError("the body has no trailers")


def outcome(answer: Answer) -> tuple[list[bytes], str]:
    assert answer.status == 200
    assert answer["content-type"] == WEB["content-type"]
    messages, trailers = unframed(answer.body)
    return messages, trailers["grpc-status"]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_calls_of_every_pattern(front: FrontEnd, connect: Connect, tls: bool) -> None:
    credentials = None
    if tls:
        from support.credentials import server_tls

        credentials = server_tls(front.library)
    server = front.serve(ECHOES, options=OPTIONS, credentials=credentials)
    client = connect(server, tls=tls)
    expected = {
        "UnaryUnary": ([b"a"], [b"a"]),
        "UnaryStream": ([b"a"], [b"a"] * 3),
        "StreamUnary": ([b"a", b"bc", b""], [b"abc"]),
        "StreamStream": ([b"a", b"bc", b""], [b"a", b"bc", b""]),
    }
    for name, (requests, responses) in expected.items():
        answer = client.request(SERVICE + name, WEB, [framed(each) for each in requests])
        assert outcome(answer) == (responses, "0")


def test_grpc_on_the_same_port(front: FrontEnd, connect: Connect) -> None:
    rig = front.rig(**ECHOES, options=OPTIONS)
    assert rig.call("unary_unary", [b"x"]).responses == [b"x"]
    client = connect(rig.server)
    assert outcome(client.request(SERVICE + "UnaryUnary", WEB, framed(b"y"))) == ([b"y"], "0")
    assert rig.call("stream_stream", [b"x", b"y"]).responses == [b"x", b"y"]


def test_text(front: FrontEnd, connect: Connect) -> None:
    client = connect(front.serve(ECHOES, options=OPTIONS))
    body = base64.b64encode(framed(b"a")) + base64.b64encode(framed(b"bcd"))
    answer = client.request(SERVICE + "StreamStream", TEXT, [body[:3], body[3:10], body[10:]])
    assert answer["content-type"] == TEXT["content-type"]
    # Each piece is padded by itself.
    decoded = b"".join(
        base64.b64decode(answer.body[at : at + 4]) for at in range(0, len(answer.body), 4)
    )
    assert unframed(decoded)[0] == [b"a", b"bcd"]


async def _with_metadata(call: ServerCall) -> bytes:
    received = dict(call.metadata)
    await call.send_initial_metadata((("i-key", received["key"]), ("i-bin", received["key-bin"])))
    call.context.set_trailing_metadata((("t-key", "t"), ("t-bin", b"\0\1")))
    return b"".join(name.encode() + b";" for name in sorted(received))


def test_metadata(front: FrontEnd, connect: Connect) -> None:
    client = connect(front.serve({"unary_unary": _with_metadata}, options=OPTIONS))
    metadata = {"key": "value", "key-bin": base64.b64encode(b"\xff\xfe").decode()}
    answer = client.request(SERVICE + "UnaryUnary", {**WEB, **metadata}, framed(b""))
    messages, trailers = unframed(answer.body)
    assert b"key;key-bin;" in messages[0]
    assert b"content-type" not in messages[0]
    assert answer["i-key"] == "value"
    assert base64.b64decode(answer["i-bin"] + "==") == b"\xff\xfe"
    assert trailers["t-key"] == "t"
    assert base64.b64decode(trailers["t-bin"] + "==") == b"\0\1"


async def _failing(call: ServerCall) -> None:
    call.context.set_trailing_metadata((("t-key", "t"),))
    await call.abort("ABORTED", "no, ünd")


async def _failing_late(call: ServerCall) -> None:
    await call.write(b"one")
    await call.abort("ABORTED", "no, ünd")


async def _with_what_is_http_s(call: ServerCall) -> bytes:
    not_sent = (("access-control-allow-origin", "*"), ("content-encoding", "gzip"))
    if call.request != b"fail":
        await call.send_initial_metadata((*not_sent, ("key", "i")))
    call.context.set_trailing_metadata((*not_sent, ("key", "t")))
    if call.request == b"fail":
        await call.abort("NOT_FOUND", "it is not there")
    return b"done"


def test_metadata_never_becomes_what_http_has_for_itself(front: FrontEnd, connect: Connect) -> None:
    client = connect(front.serve({"unary_unary": _with_what_is_http_s}, options=OPTIONS))
    answer = client.request(SERVICE + "UnaryUnary", WEB, framed(b""))
    _messages, trailers = unframed(answer.body)
    failed = client.request(SERVICE + "UnaryUnary", WEB, framed(b"fail"))
    assert (failed["grpc-status"], answer["key"], trailers["key"]) == ("5", "i", "t")
    for said in (dict(answer.fields), trailers, dict(failed.fields)):
        assert said["key"]
        assert not said.keys() & {"access-control-allow-origin", "content-encoding"}


def test_errors(front: FrontEnd, connect: Connect) -> None:
    handlers = {"unary_unary": _failing, "unary_stream": _failing_late}
    client = connect(front.serve(handlers, options=OPTIONS))
    answer = client.request(SERVICE + "UnaryUnary", WEB, framed(b""))
    assert (answer.status, answer["grpc-status"], answer["t-key"]) == (200, "10", "t")
    assert answer["grpc-message"] == "no, %C3%BCnd"
    assert answer.body == b""
    answer = client.request(SERVICE + "UnaryStream", WEB, framed(b""))
    messages, trailers = unframed(answer.body)
    assert (messages, trailers["grpc-status"]) == ([b"one"], "10")
    assert trailers["grpc-message"] == "no, %C3%BCnd"
    answer = client.request(SERVICE + "Missing", WEB, framed(b""))
    assert answer["grpc-status"] == "12"
    # What a proxy would hand on of gRPC's answer.
    assert "gzip" in answer["grpc-accept-encoding"]


MALFORMED = {
    "cut message": (WEB, framed(b"abc")[:-1], "13"),
    "cut prefix": (WEB, b"\0\0", "13"),
    "flags": (WEB, b"\x80\0\0\0\0", "13"),
    "base64": (TEXT, b"AAAA====", "13"),
    "large": (WEB, b"\0\x7f\xff\xff\xff", "8"),
    "none": (WEB, b"", "12"),
    "two": (WEB, framed(b"a", b"b"), "12"),
    "timeout": ({**WEB, "grpc-timeout": "soon"}, framed(b""), "13"),
    "encoding": ({**WEB, "grpc-encoding": "lz4"}, framed(b""), "12"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_requests(front: FrontEnd, connect: Connect, what: str) -> None:
    headers, body, status = MALFORMED[what]
    server = front.serve(ECHOES, options=OPTIONS)
    client = connect(server)
    answer = client.request(SERVICE + "UnaryUnary", headers, body)
    trailers = unframed(answer.body)[1] if answer.body else dict(answer.fields)
    assert (answer.status, trailers["grpc-status"]) == (200, status)
    if dict(answer.fields).get("connection") == "close":
        # Gigabytes are announced, which no connection of HTTP/1.1 outlives.
        assert what == "large"
        client = connect(server)
    # The connection is as good as before.
    assert outcome(client.request(SERVICE + "UnaryUnary", WEB, framed(b"y"))) == ([b"y"], "0")


def test_malformed_requests_are_not_left_to_the_collector(
    front: FrontEnd, connect: Connect
) -> None:
    client = connect(front.serve(ECHOES, options=OPTIONS))
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            client.request(SERVICE + "UnaryUnary", WEB, framed(b"abc")[:-1])
        left = [each for each in gc.get_objects() if issubclass(type(each), WebStream)]
    finally:
        gc.enable()
    # The last one may be in use.
    assert len(left) < 5


def test_what_is_no_call(front: FrontEnd, connect: Connect) -> None:
    client = connect(front.serve(ECHOES, options=OPTIONS))
    path = SERVICE + "UnaryUnary"
    assert client.request(path, {"content-type": "text/html"}, b"x").status == 415
    assert client.request(path, {}, method="GET").status == 405
    assert client.request(path, {}, method="DELETE").status == 405
    assert outcome(client.request(path, WEB, framed(b"y"))) == ([b"y"], "0")


def test_deadlines(front: FrontEnd, connect: Connect) -> None:
    hang = Hang()
    client = connect(front.serve({"unary_unary": hang}, options=OPTIONS))
    # A deadline that passes before there is a thread for the handler keeps that from starting at all.
    for timeout in ("50m", "500m", "5S"):
        answer = client.request(
            SERVICE + "UnaryUnary", {**WEB, "grpc-timeout": timeout}, framed(b"")
        )
        assert answer["grpc-status"] == "4"
        if hang.started.acquire(blocking=False):
            break
    hang.wait_ended()


def test_clients_that_go_away(front: FrontEnd, connect: Connect) -> None:
    hang = Hang()
    server = front.serve({"unary_unary": hang, "stream_stream": hang}, options=OPTIONS)
    client = connect(server)
    client.send_head(SERVICE + "UnaryUnary", WEB)
    client.send_piece(framed(b""))
    client.send_end()
    hang.wait_started()
    client.cancel()
    hang.wait_ended()


def test_responses_arrive_one_by_one(front: FrontEnd, connect: Connect) -> None:
    seen = threading.Event()

    async def talk(call: ServerCall) -> None:
        await call.write(b"one")
        await call.wait(seen)
        await call.write(b"two")

    client = connect(front.serve({"unary_stream": talk}, options=OPTIONS))
    client.send_head(SERVICE + "UnaryStream", WEB)
    client.send_piece(framed(b""))
    client.send_end()
    assert client.head().status == 200
    pieces = client.pieces()
    received = next(pieces)
    while received != framed(b"one"):
        received += next(pieces)
    seen.set()
    assert unframed(received + b"".join(pieces))[0] == [b"one", b"two"]


def test_large_messages_and_back_pressure(front: FrontEnd, connect: Connect) -> None:
    all_written = threading.Event()

    async def pour(call: ServerCall) -> None:
        for number in range(16):
            await call.write(bytes([number]) * 1_000_000)
        all_written.set()

    client = connect(front.serve({"unary_stream": pour}, options=OPTIONS))
    client.send_head(SERVICE + "UnaryStream", WEB)
    client.send_piece(framed(b""))
    client.send_end()
    client.head()
    # Nobody has read yet, and sockets' buffers are smaller.
    assert not all_written.wait(0.1)
    messages, trailers = unframed(b"".join(client.pieces()))
    assert [len(each) for each in messages] == [1_000_000] * 16
    assert all(each[0] == number for number, each in enumerate(messages))
    assert trailers["grpc-status"] == "0"


def test_requests_are_not_read_faster_than_consumed(front: FrontEnd, connect: Connect) -> None:
    taken: list[int] = []
    go_on = threading.Event()

    async def sip(call: ServerCall) -> bytes:
        await call.wait(go_on)
        while (request := await call.read()) is not None:
            taken.append(len(request))
        return b"%d" % len(taken)

    client = connect(front.serve({"stream_unary": sip}, options=OPTIONS))
    client.send_head(SERVICE + "StreamUnary", WEB)
    sent = threading.Semaphore(0)

    def send() -> None:
        for _ in range(40):
            client.send_piece(framed(bytes(500_000)))
            sent.release()
        client.send_end()

    thread = threading.Thread(target=send)
    thread.start()
    # Nobody reads yet; buffers and windows take some, but not all.
    assert sent.acquire(timeout=LIMIT)
    thread.join(0.1)
    assert thread.is_alive()
    go_on.set()
    thread.join(LIMIT)
    assert not thread.is_alive()
    assert unframed(client.answer().body)[0] == [b"40"]


def test_interceptors_see_web_calls(front: FrontEnd, connect: Connect) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []
    root = front.library.root if front.name == "sync" else front.library.aio

    if front.name == "sync":

        class Looking(root.ServerInterceptor):  # type: ignore[misc,name-defined]
            def intercept_service(self, continuation: Any, details: Any) -> Any:
                seen.append((details.method, dict(details.invocation_metadata)))
                return continuation(details)
    else:

        class Looking(root.ServerInterceptor):  # type: ignore[misc,name-defined,no-redef]
            async def intercept_service(self, continuation: Any, details: Any) -> Any:
                seen.append((details.method, dict(details.invocation_metadata)))
                return await continuation(details)

    server = front.serve(ECHOES, options=OPTIONS, interceptors=[Looking()])
    client = connect(server)
    for name in ("UnaryUnary", "StreamStream"):
        answer = client.request(SERVICE + name, {**WEB, "key": "v"}, framed(b"y"))
        assert outcome(answer) == ([b"y"], "0")
    assert [method for method, _metadata in seen] == [
        SERVICE + "UnaryUnary",
        SERVICE + "StreamStream",
    ]
    assert seen[0][1]["key"] == "v"


def test_stopping_waits_for_calls(front: FrontEnd) -> None:
    started, go_on = threading.Event(), threading.Event()

    async def wait(call: ServerCall) -> bytes:
        started.set()
        await call.wait(go_on)
        return b"done"

    server = front.serve({"unary_unary": wait}, options=OPTIONS)
    # h2 takes no frames behind GOAWAY, so HTTP/2 is left to the tests of gRPC, which share all of it.
    client = Http1Client(server.ports[0])
    client.send_head(SERVICE + "UnaryUnary", WEB)
    client.send_piece(framed(b""))
    client.send_end()
    assert started.wait(LIMIT)
    wait_stopped = server.stop(LIMIT)
    go_on.set()
    assert outcome(client.answer()) == ([b"done"], "0")
    client.close()
    wait_stopped()


POLICY = CorsPolicy(origins=["https://app.example"], headers=["x-mine"], expose=["t-key"])
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "x-mine"}


def test_cors_is_closed_by_default(front: FrontEnd, connect: Connect) -> None:
    client = connect(front.serve(ECHOES, options=OPTIONS))
    origin = {"origin": "https://app.example"}
    answer = client.request(SERVICE + "UnaryUnary", {**origin, **PREFLIGHT}, method="OPTIONS")
    assert answer.status == 403
    assert not [name for name, _value in answer.fields if name.startswith("access-control")]
    answer = client.request(SERVICE + "UnaryUnary", {**WEB, **origin}, framed(b"y"))
    assert outcome(answer) == ([b"y"], "0")
    assert not [name for name, _value in answer.fields if name.startswith("access-control")]


def test_cors_for_origins(front: FrontEnd, connect: Connect) -> None:
    client = connect(front.serve(ECHOES, options=[("clarion.web", WebOptions(cors=POLICY))]))
    origin = {"origin": "https://app.example"}
    answer = client.request(SERVICE + "UnaryUnary", {**origin, **PREFLIGHT}, method="OPTIONS")
    assert (answer.status, answer.body) == (204, b"")
    assert answer["access-control-allow-origin"] == "https://app.example"
    assert "x-mine" in answer["access-control-allow-headers"].split(", ")
    answer = client.request(SERVICE + "UnaryUnary", {**WEB, **origin}, framed(b"y"))
    assert outcome(answer) == ([b"y"], "0")
    assert answer["access-control-allow-origin"] == "https://app.example"
    assert "t-key" in answer["access-control-expose-headers"].split(", ")
    assert answer["vary"] == "origin"
    other = {"origin": "https://app.example.evil"}
    assert client.request(SERVICE, {**other, **PREFLIGHT}, method="OPTIONS").status == 403
    answer = client.request(SERVICE + "UnaryUnary", {**WEB, **other}, framed(b"y"))
    assert answer.get("access-control-allow-origin") is None
