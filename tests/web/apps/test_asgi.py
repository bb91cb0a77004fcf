"""ASGI applications: what they are told, what they may say, how they start and stop, on both front ends."""

from __future__ import annotations

import asyncio
import http.client
import queue
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import pytest

from clarion.web import WebOptions
from support.credentials import CERTIFICATES, server_tls
from support.front_end import FrontEnd
from support.libraries import LIMIT
from support.web_clients import Http2Client, WebClient, read_until

Connect = Callable[..., WebClient]

START = {"type": "http.response.start", "status": 200}


async def answer(send: Any, body: bytes = b"", **more: Any) -> None:
    await send(START | more)
    await send({"type": "http.response.body", "body": body})


def test_the_scope(front: FrontEnd, connect: Connect) -> None:
    scopes: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scopes.put(scope)
            await answer(send)

    for tls in (False, True):
        server = front.serve(
            {},
            options=[("clarion.web", WebOptions(asgi=app))],
            credentials=server_tls(front.library) if tls else None,
        )
        client = connect(server, tls=tls)
        headers = {"cookie": "a=1", "x-some": "thing", "user-agent": "test"}
        client.request("/p%C3%A4th/%2f?q=%41", headers, method="GET")
        scope = scopes.get(timeout=LIMIT)
        is_http2 = client.name == "h2"
        assert scope["http_version"] == ("2" if is_http2 else "1.1")
        assert scope["scheme"] == ("https" if tls else "http")
        assert (scope["method"], scope["path"]) == ("GET", "/päth//")
        assert (scope["raw_path"], scope["query_string"]) == (b"/p%C3%A4th/%2f", b"q=%41")
        assert scope["root_path"] == ""
        assert scope["asgi"]["version"] == "3.0"
        assert scope["server"] == ("127.0.0.1", server.ports[0])
        assert scope["client"] == client.sock.getsockname()
        assert ("tls" in scope["extensions"]) is tls
        assert ("http.response.trailers" in scope["extensions"]) is is_http2
        assert scope["headers"][0] == (b"host", b"localhost")
        assert (b"x-some", b"thing") in scope["headers"]
        assert [pair for pair in scope["headers"] if pair[0] == b"cookie"] == [(b"cookie", b"a=1")]
        assert not [name for name, _value in scope["headers"] if name.startswith(b":")]


def test_crumbs_of_cookies_are_joined(front: FrontEnd) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await answer(send, dict(scope["headers"])[b"cookie"])

    server = front.serve({}, options=[("clarion.web", WebOptions(asgi=app))])
    client = Http2Client(server.ports[0])

    class Crumbs(dict[str, str]):
        def items(self) -> Any:
            return [("cookie", "a=1"), ("cookie", "b=2")]

    try:
        assert client.request("/", Crumbs(), method="GET").body == b"a=1; b=2"
    finally:
        client.close()


def test_lifespan(front: FrontEnd, connect: Connect) -> None:
    seen: queue.SimpleQueue[str] = queue.SimpleQueue()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            scope["state"]["words"] = ["kept"]
            await send({"type": "lifespan.startup.complete"})
            assert (await receive())["type"] == "lifespan.shutdown"
            seen.put("shutdown")
            await send({"type": "lifespan.shutdown.complete"})
        else:
            scope["state"]["mine"] = 1
            await answer(send, repr(scope["state"]).encode())

    server = front.serve({}, options=[("clarion.web", WebOptions(asgi=app))])
    client = connect(server)
    for _ in range(2):
        # Each request has a copy.
        assert client.request("/", {}, method="GET").body == b"{'words': ['kept'], 'mine': 1}"
    assert seen.empty()
    client.close()
    server.stop(5)()
    assert seen.get(timeout=LIMIT) == "shutdown"


def test_an_application_that_cannot_start(front: FrontEnd) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(RuntimeError, match="did not start: no database"):
        front.serve({}, options=[("clarion.web", WebOptions(asgi=app))])


def test_an_application_that_does_not_shut_down(front: FrontEnd, log: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.Event().wait()

    options = WebOptions(asgi=app, app_stop_timeout=0.05)
    server = front.serve({}, options=[("clarion.web", options)])
    server.stop(None)()
    log.until("app_stop_timeout")


@pytest.mark.parametrize("when", ["body first", "two starts", "after the end", "unknown"])
def test_messages_out_of_order(sites: Any, connect: Connect, log: Any, when: str) -> None:
    body = {"type": "http.response.body", "body": b"hello"}
    messages: dict[str, list[dict[str, Any]]] = {
        "body first": [body],
        "two starts": [START, START],
        "after the end": [START, body, body],
        "unknown": [{"type": "http.response.debug"}],
    }

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            for message in messages[when]:
                await send(message)

    client = connect(sites.asgi(app))
    expected = 200 if when == "after the end" else 500
    assert client.request("/", {}, method="GET").status == expected
    log.until("BadAnswer")


def test_trailers(sites: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send(START | {"trailers": True})
            await send({"type": "http.response.body", "body": b"hello"})
            for more in (True, False):
                headers = [(b"X-Sum", b"5"), (b"content-length", b"9")]
                await send(
                    {
                        "type": "http.response.trailers",
                        "headers": headers,
                        "more_trailers": more,
                    }
                )

    server = sites.asgi(app)
    client = Http2Client(server.ports[0])
    try:
        client.send_head("/", {}, method="GET")
        client.send_end()
        assert client.head().status == 200
        kinds = []
        while not kinds or kinds[-1] != "StreamEnded":
            event = client._event()
            kinds.append(type(event).__name__)
            if kinds[-1] == "TrailersReceived":
                assert event.headers == [("x-sum", "5"), ("x-sum", "5")]
        assert "TrailersReceived" in kinds
    finally:
        client.close()


def test_trailers_are_dropped_where_nobody_takes_them(sites: Any) -> None:
    from support.web_clients import Http1Client

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send(START | {"trailers": True})
            await send({"type": "http.response.body", "body": b"hello"})
            await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"5")]})

    client = Http1Client(sites.asgi(app).ports[0])
    try:
        for _ in range(2):
            assert client.request("/", {}, method="GET").body == b"hello"
    finally:
        client.close()


@pytest.mark.parametrize("size", [5, 3_000_000])
def test_trailers_over_http1(sites: Any, size: int) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            wanted = "http.response.trailers" in scope["extensions"]
            promise = [(b"content-length", b"%d" % size)] if scope["path"] == "/whole" else []
            await send(START | {"trailers": True, "headers": promise})
            await send({"type": "http.response.body", "body": b"x" * size})
            headers = [(b"X-Sum", b"1" if wanted else b"0"), (b"content-length", b"9")]
            await send({"type": "http.response.trailers", "headers": headers})

    with socket.create_connection(("127.0.0.1", sites.asgi(app).ports[0]), LIMIT) as sock:
        sock.settimeout(LIMIT)
        with sock.makefile("rb") as answers:

            def ask(request: bytes) -> tuple[dict[bytes, bytes], bytes, list[bytes]]:
                """The head, the body and the trailers."""
                sock.sendall(request)
                lines = list(iter(lambda: answers.readline().rstrip(), b""))
                head = dict(line.lower().split(b": ", 1) for line in lines[1:])
                if b"content-length" in head:
                    return head, answers.read(int(head[b"content-length"])), []
                body = b""
                while chunk := int(answers.readline(), 16):
                    body += answers.read(chunk)
                    answers.readline()
                return head, body, list(iter(lambda: answers.readline().rstrip(), b""))

            host = b"HTTP/1.1\r\nhost: a\r\n"
            for te, trailers in (
                (b"te: gzip;q=0.5, Trailers\r\nconnection: te\r\n", [b"x-sum: 1"]),
                (b"te: gzip\r\n", []),
                (b"", []),
            ):
                head, body, came = ask(b"GET / " + host + te + b"\r\n")
                assert head[b"transfer-encoding"] == b"chunked"
                assert (len(body), came) == (size, trailers)
            # Where the length was promised there is no place for them, nor is there without a body.
            _head, body, _came = ask(b"GET /whole " + host + b"te: trailers\r\n\r\n")
            assert body == b"x" * size
            sock.sendall(b"HEAD / " + host + b"te: trailers\r\nconnection: close\r\n\r\n")
            assert answers.read().endswith(b"\r\n\r\n")


def test_trailers_over_http10_are_dropped(sites: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            assert "http.response.trailers" not in scope["extensions"]
            await send(START | {"trailers": True})
            await send({"type": "http.response.body", "body": b"hello"})
            await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"5")]})

    with socket.create_connection(("127.0.0.1", sites.asgi(app).ports[0]), LIMIT) as sock:
        sock.settimeout(LIMIT)
        sock.sendall(b"GET / HTTP/1.0\r\nte: trailers\r\n\r\n")
        with sock.makefile("rb") as answers:
            assert answers.read().endswith(b"\r\n\r\nhello")


def test_body_pieces_come_as_they_are_sent(sites: Any, connect: Connect) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await send(START)
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            if message["body"]:
                part = {"type": "http.response.body", "body": message["body"], "more_body": True}
                await send(part)
        await send({"type": "http.response.body"})

    client = connect(sites.asgi(app))
    client.send_head("/echo", {})
    client.send_piece(b"one")
    # HTTP/1.1 hands a piece on when it knows whether it is the last one.
    client.send_piece(b"two")
    assert client.head().status == 200
    pieces = client.pieces()
    received = next(pieces)
    assert received.startswith(b"one")
    client.send_piece(b"three")
    client.send_end()
    assert received + b"".join(pieces) == b"onetwothree"


def test_a_client_that_goes_away(sites: Any, connect: Connect) -> None:
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
    asked = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await receive()
        asked.set()
        heard.put((await receive())["type"])
        try:
            await send(START)
            await send({"type": "http.response.body"})
        except OSError as error:
            heard.put(type(error).__name__)

    client = connect(sites.asgi(app))
    client.send_head("/", {}, method="GET")
    client.send_end()
    assert asked.wait(LIMIT)
    client.cancel()
    assert heard.get(timeout=LIMIT) == "http.disconnect"
    assert heard.get(timeout=LIMIT) == "ClientGone"


def test_disconnect_is_what_comes_after_the_answer(sites: Any, connect: Connect) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await answer(send, b"early")
        heard.put((await receive())["type"])
        heard.put((await receive())["type"])

    client = connect(sites.asgi(app))
    assert client.request("/", {}, method="GET").body == b"early"
    # What had come by then is still there.
    assert {heard.get(timeout=LIMIT) for _ in range(2)} <= {"http.request", "http.disconnect"}


def test_no_exception_leaves_the_client_waiting(sites: Any, connect: Connect, log: Any) -> None:
    failures = [
        BaseExceptionGroup("some", [asyncio.CancelledError(), ValueError()]),
        SystemExit(1),
        GeneratorExit(),
    ]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            raise failures.pop()

    client = connect(sites.asgi(app))
    for name in ("GeneratorExit", "SystemExit", "BaseExceptionGroup"):
        assert client.request("/", {}, method="GET").status == 500
        log.until(name)


def test_stopping_with_grace_waits_for_answers(sites: Any, connect: Connect) -> None:
    asked, go_on = threading.Event(), threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            asked.set()
            await asyncio.to_thread(go_on.wait, LIMIT)
            await answer(send, b"done")

    server = sites.asgi(app)
    client = connect(server)
    client.send_head("/", {}, method="GET")
    client.send_end()
    assert asked.wait(LIMIT)
    wait_stopped = server.stop(LIMIT)
    go_on.set()
    # h2 takes nothing behind GOAWAY.
    read_until(client.sock, b"done")
    client.close()
    wait_stopped()


def test_stopping_at_once_cancels(sites: Any, connect: Connect) -> None:
    asked, ended = threading.Event(), threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    server = sites.asgi(app)
    client = connect(server)
    client.send_head("/", {}, method="GET")
    client.send_end()
    assert asked.wait(LIMIT)
    wait_stopped = server.stop(None)
    read_until(client.sock, b"the server was stopped")
    client.close()
    wait_stopped()
    assert ended.wait(LIMIT)


def test_stopping_waits_for_what_follows_an_answer(sites: Any, connect: Connect) -> None:
    go_on, ended = threading.Event(), threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await answer(send, b"done")
            await asyncio.to_thread(go_on.wait, LIMIT)
            await asyncio.sleep(0)
            ended.set()

    server = sites.asgi(app)
    client = connect(server)
    assert client.request("/", {}, method="GET").body == b"done"
    client.close()
    wait_stopped = server.stop(None)
    go_on.set()
    wait_stopped()
    assert ended.is_set()


def test_what_follows_an_answer_for_too_long_is_cancelled(sites: Any, connect: Connect) -> None:
    ended = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await answer(send, b"done")
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    server = sites.asgi(app, app_stop_timeout=0.05)
    client = connect(server)
    assert client.request("/", {}, method="GET").body == b"done"
    client.close()
    server.stop(None)()
    assert ended.is_set()


def test_http_1_0(sites: Any) -> None:
    versions: queue.SimpleQueue[str] = queue.SimpleQueue()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            versions.put(scope["http_version"])
            await send(START)
            await send({"type": "http.response.body", "body": b"in ", "more_body": True})
            await send({"type": "http.response.body", "body": b"pieces"})

    server = sites.asgi(app)
    with socket.create_connection(("127.0.0.1", server.ports[0]), LIMIT) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with sock.makefile("rb") as answered:
            received = answered.read()
    # Nothing but the connection's end tells such a client the body's.
    assert received.endswith(b"\r\n\r\nin pieces")
    assert b"chunked" not in received
    assert versions.get(timeout=LIMIT) == "1.0"


def test_the_options() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    with pytest.raises(Exception, match="a port has one application"):
        WebOptions(asgi=app, wsgi=app)
    with pytest.raises(Exception, match="something to call"):
        WebOptions(asgi="module:app")  # type: ignore[arg-type]
    with pytest.raises(Exception, match="wsgi_threads"):
        WebOptions(wsgi_threads=0)
    with pytest.raises(Exception, match="app_stop_timeout"):
        WebOptions(app_stop_timeout=0)


def test_the_client_s_certificate(front: FrontEnd) -> None:
    scopes: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scopes.put(scope)
            await answer(send)

    server = front.serve(
        {},
        options=[("clarion.web", WebOptions(asgi=app))],
        credentials=server_tls(front.library, roots="ca", require=True),
    )
    context = ssl.create_default_context(cafile=str(CERTIFICATES / "ca.pem"))
    context.load_cert_chain(CERTIFICATES / "client.pem", CERTIFICATES / "client.key")
    connection = http.client.HTTPSConnection(
        "localhost", server.ports[0], timeout=LIMIT, context=context
    )
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()
    tls = scopes.get(timeout=LIMIT)["extensions"]["tls"]
    pem = (CERTIFICATES / "client.pem").read_text()
    assert tls["client_cert_chain"][0].strip() in pem
    assert "CN=" in tls["client_cert_name"]
    assert tls["tls_version"] in (0x0303, 0x0304)
    assert tls["client_cert_error"] is None
