"""What is heard of calls of the web where calls of gRPC are heard: wire traces, channelz, access logs, telemetry."""

from __future__ import annotations

import base64
import logging
import queue
import struct
from collections.abc import Callable
from typing import Any

import pytest

import clarion
from clarion import access_log, channelz
from clarion.call_tracing import ServerCallTracer, ServerTracing
from clarion.channelz.answers import ANSWERS
from clarion.channelz.counting import of_server, of_socket
from clarion.channelz.sockets import connection_node
from clarion.web import WebOptions
from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT
from support.simple import ECHOES
from support.web_clients import WebClient

Connect = Callable[..., WebClient]

WEB = {"content-type": "application/grpc-web+proto"}
TEXT = {"content-type": "application/grpc-web-text+proto"}
UNARY = {"content-type": "application/proto"}
STREAM = {"content-type": "application/connect+proto"}
OPTIONS = [("clarion.web", WebOptions())]
ECHO = SERVICE + "UnaryUnary"


def framed(*messages: bytes) -> bytes:
    return b"".join(struct.pack(">BI", 0, len(message)) + message for message in messages)


def test_wire_traces(front: FrontEnd, connect: Connect) -> None:
    events: list[Any] = []
    with clarion.trace("all", to=events.append) as trace:
        server = front.serve(ECHOES, options=OPTIONS)
        client = connect(server)
        secret = {"authorization": "Bearer secret"}
        client.request(ECHO, {**WEB, **secret}, framed(b"\x0a\x03abc"))
        client.request(ECHO, TEXT, base64.b64encode(framed(b"xy")))
        client.request(SERVICE + "StreamStream", STREAM, framed(b"", b"\x08\x01"))
        client.request(ECHO + "?x=y", UNARY, b"hello")
        client.close()
        server.close()
        assert trace.flush()
    text = "\n".join(f"{each.category} {each.direction} {each.text}" for each in events)
    assert len({each.connection for each in events if each.side == "server"} - {0}) == 1
    assert "connections  accepted from ipv4:127.0.0.1:" in text
    assert "connections  closed: " in text
    assert "secret" not in text
    assert "authorization: <masked, 13 bytes>" in text
    if client.name == "http/1.1":
        assert f"frames received POST {ECHO} HTTP/1.1\n" in text
        assert f"frames received POST {ECHO}?x=y HTTP/1.1\n" in text
        assert "frames sent HTTP/1.1 200\ncontent-type: application/grpc-web+proto" in text
        assert "frames received 5 bytes of a body" in text
    else:
        assert "frames received HEADERS stream 1" in text
    messages = [each for each in events if each.category == "messages"]
    assert {each.method for each in messages} == {ECHO, SERVICE + "StreamStream"}
    shown = [each.text.partition(",")[0].partition(":")[0] for each in messages]
    assert shown[:2] == ["request of 5 bytes", "response of 5 bytes"]
    assert shown[2].startswith("response's end of ")
    # Text mode and bare bodies are not read as messages.
    assert shown[3:-1].count("request of 0 bytes") == 1
    assert shown[3:-1].count("response of 2 bytes") == 1
    assert shown[-1] == "response's end of 2 bytes"
    assert len(shown) == 8


def test_traces_that_fail_or_end_leave_the_connection_alone(
    front: FrontEnd, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clarion.wire_trace.http1_watch import Http1Watch

    events: list[Any] = []
    server = front.serve(ECHOES, options=OPTIONS)
    with clarion.trace("frames", to=events.append) as trace:
        client = connect(server)
        assert client.request(ECHO, UNARY, b"one").body == b"one"
        assert trace.flush()
    seen = len(events)
    assert client.request(ECHO, UNARY, b"two").body == b"two"
    assert len(events) == seen
    with clarion.trace("frames", to=events.append):
        monkeypatch.setattr(Http1Watch, "request", None)
        client = connect(server)
        assert client.request(ECHO, UNARY, b"three").body == b"three"


async def _failing(call: ServerCall) -> None:
    await call.abort("NOT_FOUND", "no")


def test_channelz_counts_calls_of_the_web(front: FrontEnd, connect: Connect) -> None:
    handlers = {**ECHOES, "stream_unary": _failing}
    server = front.serve(handlers, options=OPTIONS)
    client = connect(server)
    client.request(ECHO, UNARY, b"a")
    client.request(SERVICE + "StreamStream", WEB, framed(b"a", b"b"))
    client.request(SERVICE + "StreamUnary", STREAM, framed(b"a"))
    client.request(ECHO, {"content-type": "application/json"}, b"{}")
    client.request(ECHO, {"content-type": "text/html"}, b"")
    client.request(ECHO, {**UNARY, "connect-timeout-ms": "x"}, b"")
    assert of_server(server.raw)[:3] == (6, 2, 4)
    (link,) = server.raw.open_links
    counted = of_socket(link)
    assert (counted.started, counted.succeeded, counted.failed) == (6, 6, 0)
    request = channelz.messages()["GetSocketRequest"](socket_id=connection_node(link).number)
    assert ANSWERS["GetSocket"](request).socket.data.streams_started == 6
    # What is no message is not counted: refusals, errors, trailers. A call may fail before its message comes.
    assert counted.messages_sent == 3
    assert counted.messages_received in (3, 4)


@pytest.mark.parametrize("protocol", [WEB, TEXT, UNARY], ids=["gRPC-Web", "text", "Connect"])
def test_access_logs_of_calls_of_the_web(
    front: FrontEnd, connect: Connect, protocol: dict[str, str]
) -> None:
    make = access_log.interceptor if front.name == "sync" else access_log.aio_interceptor
    records: queue.SimpleQueue[Any] = queue.SimpleQueue()

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.put(record)

    logger = logging.Logger("web", logging.INFO)
    logger.addHandler(Kept())
    handlers = {**ECHOES, "unary_stream": _failing}
    log = make(access_log.AccessLog(logger=logger))
    client = connect(front.serve(handlers, options=OPTIONS, interceptors=[log]))
    bodies = {"application/proto": b"abc", "application/grpc-web+proto": framed(b"abc")}
    body = bodies.get(protocol["content-type"], base64.b64encode(framed(b"abc")))
    timeout = "connect-timeout-ms" if protocol is UNARY else "grpc-timeout"
    headers = {
        **protocol,
        "user-agent": "browser/1",
        timeout: "10000" + "m" * (protocol is not UNARY),
    }
    client.request(ECHO, headers, body)
    line = records.get(timeout=LIMIT).call
    assert (line["method"], line["status"]) == (ECHO, "OK")
    assert (line["requests"], line["responses"]) == (1, 1)
    assert (line["request_bytes"], line["response_bytes"]) == (3, 3)
    assert line["peer"].startswith("ipv4:127.0.0.1:")
    assert line["user_agent"] == "browser/1"
    assert 0 < line["deadline_left_ms"] <= 10_000
    client.request(SERVICE + "UnaryStream", STREAM, framed(b"abc"))
    line = records.get(timeout=LIMIT).call
    assert (line["method"], line["status"]) == (SERVICE + "UnaryStream", "NOT_FOUND")


class _Heard(ServerCallTracer):
    def __init__(self, heard: list[str]) -> None:
        self.heard = heard

    def ended(
        self, code: Any, details: str, fields: Any, *, sent: bool, trailers_only: bool
    ) -> None:
        self.heard.append(f"{code.name} {sent}")


class _Tracing(ServerTracing):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def call(self, start: Any) -> _Heard:
        self.heard.append(start.method)
        return _Heard(self.heard)


def test_tracers_hear_how_refused_calls_end(front: FrontEnd, connect: Connect) -> None:
    tracing = _Tracing()
    options = [*OPTIONS, ("clarion.server_call_tracing", tracing)]
    client = connect(front.serve(ECHOES, options=options))
    answer = client.request(ECHO, {"content-type": "application/json"}, b"{}")
    assert answer.status == 415
    assert client.request(ECHO, WEB, framed(b"x")).status == 200
    assert client.request(ECHO, WEB, b"\0\0").status == 200
    assert client.request(SERVICE + "Missing", UNARY, b"").status == 404
    assert tracing.heard == [
        ECHO,
        "UNIMPLEMENTED True",
        ECHO,
        "OK True",
        ECHO,
        "INTERNAL True",
        SERVICE + "Missing",
        "UNIMPLEMENTED True",
    ]
