"""WebSockets of ASGI applications: what they are told and may say, how they begin and end, on both front ends."""

from __future__ import annotations

import asyncio
import gc
import logging
import queue
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import clarion
from clarion.web import WebOptions, WebSocketLimits
from clarion.web.apps.exchange import Exchange
from support.credentials import server_tls
from support.front_end import FrontEnd
from support.libraries import LIMIT
from support.simple import ECHOES
from support.web_clients import Http1Client, Http2Client
from support.websockets import Closed, WebSocketClient, client_frame

pytest.importorskip("wsproto", reason="wsproto is not installed")

from wsproto.events import Ping, Pong, TextMessage

from clarion.web.apps.websocket.turn import WebSocketTurn

Open = Callable[..., WebSocketClient]

ACCEPT = {"type": "websocket.accept"}
CLOSE = {"type": "websocket.close"}


class App:
    """An application of one function for WebSockets; keeps what it says of them."""

    def __init__(self, serve: Any) -> None:
        self.serve = serve
        self.said: queue.SimpleQueue[Any] = queue.SimpleQueue()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"http"})
        elif scope["type"] == "websocket":
            assert await receive() == {"type": "websocket.connect"}
            await self.serve(self, scope, receive, send)

    def heard(self) -> Any:
        return self.said.get(timeout=LIMIT)


async def echo(app: App, scope: Any, receive: Any, send: Any) -> None:
    await send(ACCEPT)
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
    app.said.put(message)


def test_the_scope(front: FrontEnd, open_websocket: Open) -> None:
    async def serve(app: App, scope: Any, receive: Any, send: Any) -> None:
        app.said.put(scope)
        await send(ACCEPT)

    for tls in (False, True):
        app = App(serve)
        server = front.serve(
            {},
            options=[("clarion.web", WebOptions(asgi=app))],
            credentials=server_tls(front.library) if tls else None,
        )
        headers = [("sec-websocket-protocol", "a, b"), ("origin", "https://x.example")]
        client = open_websocket(server, "/p%C3%A4th?q=%41", headers=headers, tls=tls)
        assert client.status == 101
        scope = app.heard()
        assert scope["type"] == "websocket"
        assert scope["asgi"] == {"version": "3.0", "spec_version": "2.5"}
        assert scope["http_version"] == "1.1"
        assert scope["scheme"] == ("wss" if tls else "ws")
        assert (scope["path"], scope["raw_path"]) == ("/päth", b"/p%C3%A4th")
        assert (scope["query_string"], scope["root_path"]) == (b"q=%41", "")
        assert scope["subprotocols"] == ["a", "b"]
        assert (b"origin", b"https://x.example") in scope["headers"]
        assert scope["headers"][0] == (b"host", b"localhost")
        assert scope["server"] == ("127.0.0.1", server.ports[0])
        assert scope["client"] == client.sock.getsockname()
        assert "websocket.http.response" in scope["extensions"]
        assert ("tls" in scope["extensions"]) is tls
        assert "method" not in scope


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_messages_both_ways(front: FrontEnd, open_websocket: Open, tls: bool) -> None:
    app = App(echo)
    server = front.serve(
        {},
        options=[("clarion.web", WebOptions(asgi=app))],
        credentials=server_tls(front.library) if tls else None,
    )
    client = open_websocket(server, tls=tls)
    for message in (
        "hello",
        b"\0\xff",
        "",
        b"",
        "ä\u20ac\U0001f600",
        "x" * 1_000_000,
        bytes(3_000_000),
    ):
        client.send(message)
        assert client.next() == message
    # In frames, with a ping between them, and cut anywhere.
    for part in (TextMessage("on", message_finished=False), TextMessage("e"), TextMessage("two")):
        client.say(part)
        client.say(Ping(b"between"))
    # A pong may overtake messages, which the application answers.
    found = [client.next() for _ in range(5)]
    assert [one for one in found if isinstance(one, str)] == ["one", "two"]
    assert sum(one == Pong(b"between") for one in found) == 3
    for byte in client_frame(0x81, b"bytewise"):
        client.raw(bytes([byte]))
    assert client.next() == "bytewise"
    client.close(4321, "bye")
    assert client.next() == Closed((4321, ""))
    assert app.heard() == {"type": "websocket.disconnect", "code": 4321, "reason": "bye"}
    client.until_gone()


def test_what_the_client_sends_before_the_answer(sites: Any, open_websocket: Open) -> None:
    server = sites.asgi(App(echo))
    early = client_frame(0x81, b"one") + client_frame(0x82, b"two")[:7]
    client = open_websocket(server, early=early)
    client.raw(client_frame(0x82, b"two")[7:])
    assert [client.next(), client.next()] == ["one", b"two"]


def test_an_answer_with_a_subprotocol_and_fields(sites: Any, open_websocket: Open) -> None:
    async def serve(app: App, scope: Any, receive: Any, send: Any) -> None:
        fields = [(b"X-Some", b"thing"), (b"set-cookie", b"a=1"), (b"connection", b"close")]
        await send({**ACCEPT, "subprotocol": "b", "headers": fields})

    headers = [("sec-websocket-protocol", "a"), ("sec-websocket-protocol", "b")]
    client = open_websocket(sites.asgi(App(serve)), headers=headers)
    assert client.status == 101
    assert client.fields[-3:] == [
        ("sec-websocket-protocol", "b"),
        ("x-some", "thing"),
        ("set-cookie", "a=1"),
    ]
    assert ("connection", "close") not in client.fields


@pytest.mark.parametrize(
    ("accept", "why"),
    [
        ({"subprotocol": "c"}, "the client offers a, b"),
        ({"headers": [(b"sec-websocket-protocol", b"a")]}, "the server's to say"),
        ({"headers": [(b"x", b"1\r\ny: 2")]}, "characters that HTTP forbids"),
    ],
)
def test_an_answer_that_cannot_be_sent(
    sites: Any, open_websocket: Open, log: Any, accept: dict[str, Any], why: str
) -> None:
    async def serve(app: App, scope: Any, receive: Any, send: Any) -> None:
        await send(ACCEPT | accept)

    client = open_websocket(sites.asgi(App(serve)), headers=[("sec-websocket-protocol", "a, b")])
    assert client.status == 500
    log.until(why)


def test_the_client_closes_without_a_code(sites: Any, open_websocket: Open) -> None:
    app = App(echo)
    client = open_websocket(sites.asgi(app))
    client.close(None)
    assert client.next() == Closed((1005, ""))
    assert app.heard() == {"type": "websocket.disconnect", "code": 1005, "reason": ""}


@pytest.mark.parametrize(
    ("close", "code", "reason"),
    [
        ({}, 1000, ""),
        ({"code": 3000, "reason": "enough"}, 3000, "enough"),
        ({"code": 1001, "reason": None}, 1001, ""),
        ({"code": 1006}, 1000, ""),
        ({"code": 4000, "reason": "ä" * 100}, 4000, "ä" * 61),
    ],
)
def test_the_application_closes(
    sites: Any, open_websocket: Open, close: dict[str, Any], code: int, reason: str
) -> None:
    async def serve(app: App, scope: Any, receive: Any, send: Any) -> None:
        await send(ACCEPT)
        await send({"type": "websocket.send", "text": "last"})
        await send(CLOSE | close)
        app.said.put(await receive())
        app.said.put(await receive())

    app = App(serve)
    client = open_websocket(sites.asgi(app))
    assert client.next() == "last"
    assert client.next() == Closed((code, reason))
    for _ in range(2):
        assert app.heard()["type"] == "websocket.disconnect"
    # Until the client has closed its side, what it sends is nobody's.
    client.raw(client_frame(0x81, b"late") + client_frame(0x88, b"\x03\xe8"))
    client.until_gone()


def test_closed_before_it_is_accepted(sites: Any, open_websocket: Open) -> None:
    async def serve(app: App, scope: Any, receive: Any, send: Any) -> None:
        await send(CLOSE)
        app.said.put(await receive())

    app = App(serve)
    client = open_websocket(sites.asgi(app))
    assert client.status == 403
    assert app.heard() == {"type": "websocket.disconnect", "code": 1006, "reason": ""}
    # The connection is one of HTTP still.
    client.raw(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    answer = b""
    while data := client.sock.recv(65536):
        answer += data
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"http")


def test_a_refusal_of_the_applications_own(sites: Any, open_websocket: Open) -> None:
    async def serve(app: App, scope: Any, receive: Any, send: Any) -> None:
        kind = "websocket.http.response"
        fields = [(b"content-length", b"10"), (b"www-authenticate", b"Bearer")]
        await send({"type": f"{kind}.start", "status": 401, "headers": fields})
        await send({"type": f"{kind}.body", "body": b"no to", "more_body": True})
        await send({"type": f"{kind}.body", "body": b"ken.."})
        app.said.put(await receive())

    app = App(serve)
    client = open_websocket(sites.asgi(app))
    assert (client.status, client.body) == (401, b"no token..")
    assert dict(client.fields)["www-authenticate"] == "Bearer"
    assert app.heard()["type"] == "websocket.disconnect"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("how", ["raises", "returns", "exits"])
def test_an_application_that_ends(
    sites: Any, open_websocket: Open, log: Any, when: str, how: str
) -> None:
    async def serve(app: App, scope: Any, receive: Any, send: Any) -> None:
        if when == "after":
            await send(ACCEPT)
        if how == "raises":
            raise ValueError("secret reason")
        if how == "exits":
            sys.exit(1)

    client = open_websocket(sites.asgi(App(serve)))
    if when == "before":
        assert client.status == 500
        assert b"secret" not in client.body
        log.until("failed for b'GET' b'/'")
    elif how == "returns":
        assert client.next() == Closed((1000, ""))
    else:
        assert client.next() == Closed((1011, "the application failed"))
        log.until("failed for b'GET' b'/'")


class Failures(logging.Handler):
    """How loud it is said that applications failed."""

    def __init__(self) -> None:
        super().__init__()
        self.levels: queue.SimpleQueue[int] = queue.SimpleQueue()

    def emit(self, record: logging.LogRecord) -> None:
        if "application failed" in record.getMessage():
            self.levels.put(record.levelno)


@pytest.fixture
def failures() -> Iterator[Failures]:
    logger = logging.getLogger("clarion.web.apps.asgi")
    handler = Failures()
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)
    logger.propagate = propagate


@pytest.mark.parametrize("who", ["the client", "bad frames", "idleness", "the server", "itself"])
def test_an_application_that_raises_when_its_websocket_has_ended(
    sites: Any, open_websocket: Open, failures: Failures, who: str
) -> None:
    async def serve(app: App, scope: Any, receive: Any, send: Any) -> None:
        await send(ACCEPT)
        if who == "itself":
            await send(CLOSE)
        # As frameworks do with it.
        raise RuntimeError((await receive())["code"])

    idle = 0.2 if who == "idleness" else 1000.0
    server = sites.asgi(App(serve), websocket=WebSocketLimits(idle_timeout=idle))
    client = open_websocket(server)
    stopped = None
    if who == "the client":
        client.close()
    elif who == "bad frames":
        client.raw(b"\x81\x01a")
    elif who == "the server":
        stopped = server.stop(LIMIT)
    # What ends without it being the application's doing is no failure of the application's.
    expected = logging.ERROR if who == "itself" else logging.DEBUG
    assert failures.levels.get(timeout=LIMIT) == expected
    client.close_socket()
    if stopped is not None:
        stopped()


def test_receiving_leaves_others_their_turn() -> None:
    exchange: Any = SimpleNamespace(do=lambda function: ("a", False))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def receive_all() -> None:
        turn = WebSocketTurn(exchange, asyncio.Event())
        beside = asyncio.create_task(other())
        assert await turn.receive() == {"type": "websocket.connect"}
        for _ in range(160):
            assert (await turn.receive())["text"] == "a"
        beside.cancel()

    asyncio.run(receive_all())
    assert turns >= 9


TEXT = {"type": "websocket.send", "text": "a"}
START = {"type": "websocket.http.response.start", "status": 400}
BODY = {"type": "websocket.http.response.body"}
OUT_OF_ORDER: dict[str, list[dict[str, Any]]] = {
    "sent before it is accepted": [TEXT],
    "accepted twice": [ACCEPT, ACCEPT],
    "accepted when refused": [START, ACCEPT],
    "refused twice": [START, START],
    "refused when accepted": [ACCEPT, START],
    "a body alone": [BODY],
    "a body behind the end": [START, BODY, BODY],
    "closed twice": [ACCEPT, CLOSE, CLOSE],
    "closed when refused": [START, CLOSE],
    "sent when closed": [ACCEPT, CLOSE, TEXT],
    "http": [{"type": "http.response.start", "status": 200}],
    "text and bytes": [ACCEPT, TEXT | {"bytes": b"a"}],
    "neither": [ACCEPT, {"type": "websocket.send"}],
    "bytes as text": [ACCEPT, {"type": "websocket.send", "text": b"a"}],
    "a text that is none": [ACCEPT, {"type": "websocket.send", "text": "\ud800"}],
    "a code that is none": [ACCEPT, CLOSE | {"code": 999}],
    "a reason that is none": [ACCEPT, CLOSE | {"reason": "\ud800"}],
}


@pytest.mark.parametrize("what", OUT_OF_ORDER)
def test_messages_that_have_no_place(sites: Any, open_websocket: Open, log: Any, what: str) -> None:
    messages = OUT_OF_ORDER[what]

    async def serve(app: App, scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    client = open_websocket(sites.asgi(App(serve)))
    log.until("BadAnswer")
    if messages[0] is ACCEPT:
        code = 1000 if CLOSE in messages else 1011
        assert client.until_closed()[0] == code
    else:
        assert client.status == (400 if BODY in messages[1:] else 500)


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_a_client_that_vanishes(sites: Any, open_websocket: Open, how: str) -> None:
    gone = threading.Event()

    async def serve(app: App, scope: Any, receive: Any, send: Any) -> None:
        await send(ACCEPT)
        await asyncio.to_thread(gone.wait, LIMIT)
        # What it sent before that is the application's.
        app.said.put(await receive())
        app.said.put(await receive())
        try:
            await send(TEXT)
        except OSError as error:
            app.said.put(error)

    app = App(serve)
    server = sites.asgi(app)
    client = open_websocket(server)
    client.send("first")
    client.say(Ping(b""))
    assert client.next() == Pong(b"")
    if how == "reset":
        linger = struct.pack("ii", 1, 0)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    client.close_socket()
    links = server.raw.open_links
    while server.raw.open_links:
        assert links
        threading.Event().wait(0.01)
    gone.set()
    assert app.heard() == {"type": "websocket.receive", "text": "first"}
    last = app.heard()
    assert (last["type"], last["code"]) == ("websocket.disconnect", 1006)
    assert last["reason"]
    assert isinstance(app.heard(), OSError)


def test_a_client_that_vanishes_before_it_is_accepted(sites: Any, log: Any) -> None:
    async def serve(app: App, scope: Any, receive: Any, send: Any) -> None:
        app.said.put("begun")
        app.said.put(await receive())
        try:
            await send(ACCEPT)
        except OSError as error:
            app.said.put(error)

    app = App(serve)
    server = sites.asgi(app)
    with socket.create_connection(("127.0.0.1", server.ports[0]), LIMIT) as sock:
        sock.sendall(
            b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
        )
        assert app.heard() == "begun"
    assert app.heard()["code"] == 1006
    assert isinstance(app.heard(), OSError)


@pytest.mark.parametrize("grace", [LIMIT, None], ids=["grace", "none"])
def test_the_server_stops(sites: Any, open_websocket: Open, grace: float | None) -> None:
    app = App(echo)
    server = sites.asgi(app)
    clients = [open_websocket(server) for _ in range(3)]
    for client in clients:
        client.send("a")
        assert client.next() == "a"
    stopped = server.stop(grace)
    for client in clients:
        assert client.next() == Closed((1001, "the server is going away"))
        if grace is not None:
            client.raw(client_frame(0x88, b"\x03\xe9"))
        client.until_gone()
        assert app.heard()["code"] == 1001
    stopped()


def test_the_server_stops_and_a_client_does_not_answer(sites: Any, open_websocket: Open) -> None:
    async def serve(app: App, scope: Any, receive: Any, send: Any) -> None:
        app.said.put("begun")
        if scope["path"] == "/accepted":
            await send(ACCEPT)
        app.said.put(await receive())

    app = App(serve)
    server = sites.asgi(app, websocket=WebSocketLimits(close_timeout=3600))
    client = open_websocket(server, "/accepted")
    assert app.heard() == "begun"
    with socket.create_connection(("127.0.0.1", server.ports[0]), LIMIT) as sock:
        sock.sendall(
            b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
        )
        assert app.heard() == "begun"
        stopped = server.stop(0.2)
        assert client.next() == Closed((1001, "the server is going away"))
        assert sock.recv(65536).startswith(b"HTTP/1.1 503 ")
        client.until_gone()
    stopped()


def test_the_server_stops_and_the_application_does_not_notice(
    sites: Any, open_websocket: Open
) -> None:
    async def serve(app: App, scope: Any, receive: Any, send: Any) -> None:
        await send(ACCEPT)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            app.said.put("cancelled")
            raise

    app = App(serve)
    server = sites.asgi(app, app_stop_timeout=0.1)
    client = open_websocket(server)
    stopped = server.stop(LIMIT)
    assert client.next() == Closed((1001, "the server is going away"))
    client.raw(client_frame(0x88, b"\x03\xe9"))
    client.until_gone()
    assert app.heard() == "cancelled"
    stopped()


def test_a_websocket_that_is_accepted_while_the_server_stops(
    sites: Any, open_websocket: Open
) -> None:
    go_on = threading.Event()

    async def serve(app: App, scope: Any, receive: Any, send: Any) -> None:
        app.said.put("begun")
        await asyncio.to_thread(go_on.wait, LIMIT)
        await send(ACCEPT)

    app = App(serve)
    server = sites.asgi(app)
    opened: queue.SimpleQueue[WebSocketClient] = queue.SimpleQueue()
    opening = threading.Thread(target=lambda: opened.put(open_websocket(server)))
    opening.start()
    assert app.heard() == "begun"
    stopped = server.stop(LIMIT)
    (link,) = server.raw.open_links
    while not link.connection.draining:
        threading.Event().wait(0.01)
    go_on.set()
    client = opened.get(timeout=LIMIT)
    assert client.status == 503
    client.until_gone()
    opening.join(LIMIT)
    stopped()


@pytest.mark.parametrize(
    ("request_of", "status", "words"),
    [
        ({"method": "POST"}, 405, b"GET"),
        ({"drop": ["upgrade"]}, 400, b"a proxy on the way"),
        ({"drop": ["connection"]}, 400, b"a proxy on the way"),
        ({"drop": ["sec-websocket-version"]}, 400, b"version is not 13"),
        (
            {"drop": ["sec-websocket-version"], "headers": [("sec-websocket-version", "8")]},
            426,
            b"version is not 13",
        ),
        ({"drop": ["sec-websocket-key"], "headers": [("sec-websocket-key", "a")]}, 400, b"base64"),
        ({"headers": [("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")]}, 400, b"base64"),
        ({"headers": [("content-length", "1")], "early": b"a"}, 400, b"no body"),
        ({"version": "1.0"}, 400, b"HTTP/1.1"),
    ],
)
def test_requests_that_are_refused(
    sites: Any, open_websocket: Open, request_of: dict[str, Any], status: int, words: bytes
) -> None:
    client = open_websocket(sites.asgi(App(echo)), **request_of)
    assert client.status == status
    assert words in client.body
    if status == 426:
        fields = dict(client.fields)
        assert fields["sec-websocket-version"] == "13"
        assert fields["upgrade"] == "websocket"
        assert fields["connection"] == "upgrade"
        # And the connection goes on.
        client.raw(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert client.sock.recv(12) == b"HTTP/1.1 200"


def test_where_websockets_are_not_served(
    sites: Any, open_websocket: Open, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wsgi(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["REQUEST_METHOD"].encode()]

    for server in (sites.wsgi(wsgi), sites.asgi(App(echo), websocket=None)):
        client = open_websocket(server)
        assert (client.status, client.body) == (501, b"WebSocket is not served on this port\n")
    server = sites.asgi(App(echo))
    assert open_websocket(server).status == 101
    http2 = Http2Client(server.ports[0])
    try:
        answer = http2.request("/", {"sec-websocket-key": "a"}, method="GET")
        assert answer.status == 501
        assert b"over HTTP/1.1 it is" in answer.body
    finally:
        http2.close()
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "wsproto", None)
        http1 = Http1Client(server.ports[0])
        try:
            answer = http1.request("/", {"sec-websocket-key": "a"}, method="GET")
        finally:
            http1.close()
    assert answer.status == 501
    assert b"clarion-rpc[websocket]" in answer.body
    log.until("clarion-rpc[websocket]")


def test_paths_of_calls_have_no_websockets(front: FrontEnd, open_websocket: Open) -> None:
    options = [("clarion.web", WebOptions(asgi=App(echo)))]
    server = front.serve(ECHOES, options=options)
    assert open_websocket(server, "/test.Service/UnaryUnary").status == 405


def test_traces_show_them(front: FrontEnd, open_websocket: Open) -> None:
    events: list[Any] = []
    with clarion.trace("all", to=events.append) as trace:
        app = App(echo)
        server = front.serve({}, options=[("clarion.web", WebOptions(asgi=app))])
        client = open_websocket(server, early=client_frame(0x81, b"early"))
        assert client.next() == "early"
        client.send("hello")
        assert client.next() == "hello"
        client.close()
        client.until_gone()
        server.close()
        assert trace.flush()
    text = "\n".join(f"{each.direction} {each.text}" for each in events if each.side == "server")
    assert "HTTP/1.1 101" in text
    assert "11 bytes of a body" in text
    assert "7 bytes of a body" in text


def test_websockets_leave_nothing_behind(sites: Any, open_websocket: Open) -> None:
    server = sites.asgi(App(echo))
    request = (
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
        + client_frame(0x01, b"a")
        + client_frame(0x89, b"b")
        + client_frame(0x80, b"c")
        + client_frame(0x88, b"\x03\xe8")
    )
    # Clients that go away anywhere.
    for end in range(1, len(request) + 1, 5):
        with socket.create_connection(("127.0.0.1", server.ports[0]), LIMIT) as sock:
            sock.sendall(request[:end])
    client = open_websocket(server)
    client.send("a")
    assert client.next() == "a"
    client.close()
    client.until_gone()
    # By its type: objects of others may be proxies of what is gone, which have no class.
    deadline = time.monotonic() + LIMIT
    while left := [each for each in gc.get_objects() if issubclass(type(each), Exchange)]:
        assert time.monotonic() < deadline, left
        del left
        time.sleep(0.01)
        gc.collect()
