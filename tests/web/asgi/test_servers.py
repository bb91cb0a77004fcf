"""The same servicers give the same answers on Clarion's own port and within ASGI servers of other people's."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.asgi_servers import SERVERS, AsgiServer, make_application
from support.front_end import SERVICE
from support.handlers import Method, ServerCall
from support.libraries import LIMIT, Library
from support.loops import LoopThread
from support.servers import AioServer
from support.simple import ECHOES, Hang
from support.web_clients import Answer, Http1Client, Http2Client, WebClient

WEB = {"content-type": "application/grpc-web+proto"}
PROTO = {"content-type": "application/proto", "connect-protocol-version": "1"}
STREAM = {"content-type": "application/connect+proto"}
# What servers say of their own.
OWN = {"date", "server", "transfer-encoding", "connection", "content-length"}


def framed(*messages: bytes) -> bytes:
    return b"".join(b"\0" + len(message).to_bytes(4, "big") + message for message in messages)


async def fail(call: ServerCall) -> Any:
    call.context.set_trailing_metadata((("why", "not"), ("data-bin", b"\0\1")))
    await call.send_initial_metadata((("hello", "there"),))
    await call.abort("NOT_FOUND", "nothing of that näme")


async def look(call: ServerCall) -> Any:
    metadata = dict(call.metadata)
    left = call.context.time_remaining()
    return repr((metadata, left is not None and 0 < left <= 100)).encode()


HANG = Hang()
METHODS = {
    SERVICE + "Hang": Method("unary_unary", HANG),
    SERVICE + "UnaryUnary": Method("unary_unary", ECHOES["unary_unary"]),
    SERVICE + "UnaryStream": Method("unary_stream", ECHOES["unary_stream"]),
    SERVICE + "StreamUnary": Method("stream_unary", ECHOES["stream_unary"]),
    SERVICE + "StreamStream": Method("stream_stream", ECHOES["stream_stream"]),
    SERVICE + "Fail": Method("unary_unary", fail),
    SERVICE + "FailStream": Method("unary_stream", fail),
    SERVICE + "Look": Method("unary_unary", look),
}

BIG = b"big" * 50_000
TEXT = base64.b64encode(framed(b"text"))
META = {"x-color": "blue", "data-bin": "AAE", "user-agent": "tests"}
CASES: dict[str, tuple[str, dict[str, str], Any]] = {
    "web-unary": ("UnaryUnary", WEB, [framed(b"some")[:3], framed(b"some")[3:]]),
    "web-text": ("UnaryUnary", {"content-type": "application/grpc-web-text"}, TEXT),
    "web-big": ("UnaryUnary", WEB, framed(BIG)),
    "web-many": ("UnaryStream", WEB, framed(b"a")),
    "web-join": ("StreamUnary", WEB, [framed(b"a"), framed(b"b", b"c")]),
    "web-both": ("StreamStream", WEB, [framed(b"a", b""), framed(BIG)]),
    "web-fails": ("Fail", WEB, framed(b"")),
    "web-metadata": ("Look", {**WEB, **META, "grpc-timeout": "90S"}, framed(b"")),
    "web-unknown": ("Nope", WEB, framed(b"")),
    "web-gzip": ("UnaryUnary", {**WEB, "grpc-encoding": "br"}, framed(b"")),
    "web-broken": ("UnaryUnary", WEB, b"\0\0\0\0\7x"),
    "web-huge": ("UnaryUnary", WEB, b"\0\xff\xff\xff\xff"),
    "connect-unary": ("UnaryUnary", PROTO, [b"some", b"thing"]),
    "connect-big": ("UnaryUnary", PROTO, BIG),
    "connect-gzip": ("UnaryUnary", {**PROTO, "content-encoding": "gzip"}, gzip.compress(b"zip")),
    "connect-fails": ("Fail", PROTO, b""),
    "connect-metadata": ("Look", {**PROTO, **META, "connect-timeout-ms": "90000"}, b""),
    "connect-unknown": ("Nope", PROTO, b""),
    "connect-both": ("StreamStream", STREAM, [framed(b"a", b""), framed(BIG)]),
    "connect-fails-stream": ("FailStream", STREAM, framed(b"")),
    "connect-json": ("UnaryUnary", {"content-type": "application/json"}, b"{}"),
    "media-type": ("UnaryUnary", {"content-type": "text/plain"}, b"x"),
    "origin": ("UnaryUnary", {**PROTO, "origin": "https://app.example"}, b"x"),
}
HTTP1_ALONE = ("uvicorn-h11", "uvicorn-httptools")
PAIRS = [
    pytest.param((kind, client), id=f"{kind}-{client.name}")
    for kind in SERVERS
    for client in (Http1Client, Http2Client)
    if client is Http1Client or kind not in HTTP1_ALONE
]


@pytest.fixture(scope="module")
def servers(library: Library, loop: LoopThread) -> Iterator[Callable[[str], AsgiServer]]:
    """Each kind of server, started when it is first asked for."""
    started: dict[str, AsgiServer] = {}

    def get(kind: str) -> AsgiServer:
        if kind not in started:
            started[kind] = AsgiServer(kind, make_application(library, METHODS), loop)
        return started[kind]

    yield get
    for server in started.values():
        server.close()


@pytest.fixture(params=PAIRS)
def connect(request: pytest.FixtureRequest, servers: Any) -> Iterator[Callable[..., WebClient]]:
    """Opens a client of one version of HTTP to a server, or to the one that is named."""
    kind, client = request.param
    server = servers(kind)
    opened: list[WebClient] = []

    def open_client(other: Any = None) -> WebClient:
        opened.append(client((other or server).ports[0]))
        return opened[-1]

    yield open_client
    for each in opened:
        each.close()


@pytest.fixture(scope="module")
def own(library: Library, loop: LoopThread) -> Iterator[Any]:
    pytest.importorskip("h11", reason="h11 is not installed")
    from clarion.web import WebOptions

    server = AioServer(library, METHODS, loop, options=[("clarion.web", WebOptions())])
    yield server
    server.close()


def _said(answer: Answer) -> Any:
    assert answer.get("content-length") in (None, str(len(answer.body)))
    fields = {name: value for name, value in answer.fields if name not in OWN}
    return answer.status, fields, answer.body


def test_answers_are_those_of_clarions_own_port(own: Any, connect: Any) -> None:
    for name, (method, headers, body) in CASES.items():
        wanted = _said(connect(own).request(SERVICE + method, headers, body))
        for _ in range(5):
            try:
                answer = connect().request(SERVICE + method, headers, body)
            except (OSError, AssertionError):
                # What came behind an answer made the server drop the connection before the answer was read.
                continue
            break
        assert _said(answer) == wanted, name


@pytest.mark.parametrize("kind", HTTP1_ALONE)
def test_native_grpc_over_http1_is_refused(servers: Any, kind: str) -> None:
    client = Http1Client(servers(kind).ports[0])
    headers = {"content-type": "application/grpc", "te": "trailers"}
    answer = client.request(SERVICE + "UnaryUnary", headers, framed(b""))
    assert (answer.status, b"gRPC needs HTTP/2" in answer.body) == (505, True)
    client.close()


@pytest.mark.parametrize("name", ["clarion", "grpc"])
def test_native_grpc_without_trailers_is_refused(servers: Any, name: str) -> None:
    library = pytest.importorskip(name, reason=f"{name} is not installed")
    target = f"127.0.0.1:{servers('granian').ports[0]}"
    with library.insecure_channel(target) as channel, pytest.raises(library.RpcError) as failed:
        channel.unary_unary(SERVICE + "UnaryUnary")(b"", timeout=LIMIT)
    error = failed.value
    if error.code() is library.StatusCode.UNIMPLEMENTED:
        assert "http.response.trailers" in error.details()
    else:
        # If it is slow, the server sends the end of the answer apart from its head, and grpcio reads no status from that.
        assert (name, error.code()) == ("grpc", library.StatusCode.UNKNOWN)


@pytest.mark.parametrize("name", ["clarion", "grpc"])
@pytest.mark.parametrize("kind", ["uvicorn-h2", "hypercorn"])
def test_native_grpc(servers: Any, kind: str, name: str) -> None:
    library = pytest.importorskip(name, reason=f"{name} is not installed")
    with library.insecure_channel(f"127.0.0.1:{servers(kind).ports[0]}") as channel:
        assert channel.unary_unary(SERVICE + "UnaryUnary")(BIG, timeout=LIMIT) == BIG
        messages = [b"a", b"", BIG, b"z"]
        call = channel.stream_stream(SERVICE + "StreamStream")
        assert list(call(iter(messages), timeout=LIMIT)) == messages
        with pytest.raises(library.RpcError) as failed:
            channel.unary_unary(SERVICE + "Fail")(b"", timeout=LIMIT)
        error = failed.value
        assert error.code() is library.StatusCode.NOT_FOUND
        assert error.details() == "nothing of that näme"
        assert ("why", "not") in [tuple(pair) for pair in error.trailing_metadata()]
        assert ("hello", "there") in [tuple(pair) for pair in error.initial_metadata()]


def test_a_client_that_leaves_cancels_its_call(connect: Any) -> None:
    connection = connect()
    connection.send_head(SERVICE + "Hang", WEB)
    connection.send_piece(framed(b""))
    connection.send_end()
    HANG.wait_started()
    connection.cancel()
    HANG.wait_ended()


def test_messages_come_one_by_one(connect: Any) -> None:
    client = connect()
    client.send_head(SERVICE + "StreamStream", WEB)
    pieces: Iterator[bytes] | None = None
    for message in (b"a", b"bc", b"d" * 10_000):
        client.send_piece(framed(message))
        if pieces is None:
            assert client.head().status == 200
            pieces = client.pieces()
        got = b""
        while len(got) < len(framed(message)):
            got += next(pieces)
        assert got == framed(message)
    client.send_end()
    assert b"".join(pieces or ()) == b"\x80\0\0\0\x0fgrpc-status:0\r\n"
