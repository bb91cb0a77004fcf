"""Bodies that are larger, slower or later than one would like, for applications on both front ends."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from support.libraries import LIMIT
from support.web_clients import WebClient, read_until

Connect = Callable[..., WebClient]

PIECE = bytes(64 * 1024)
# More than windows and socket buffers take.
MANY = 1024
SOME = 96


class Endless:
    """Applications of both kinds that send piece after piece, and count them."""

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces
        self.sent = 0
        self.over: queue.SimpleQueue[str] = queue.SimpleQueue()

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200})
        try:
            for _ in range(self.pieces):
                await send({"type": "http.response.body", "body": PIECE, "more_body": True})
                self.sent += 1
            await send({"type": "http.response.body"})
        except OSError as error:
            self.over.put(type(error).__name__)

    def wsgi(self, environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            for _ in range(self.pieces):
                yield PIECE
                self.sent += 1
        except GeneratorExit:
            self.over.put("ClientGone")
            raise


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_a_client_that_does_not_read_stops_the_application(
    sites: Any, connect: Connect, kind: str
) -> None:
    app = Endless(MANY)
    serve = getattr(sites, kind)
    server = serve(getattr(app, kind), write_timeout=0.3)
    client = connect(server)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    client.send_head("/", {}, method="GET")
    client.send_end()
    # It is given up, over HTTP/2, too, where windows hold it back.
    assert app.over.get(timeout=LIMIT) == "ClientGone"
    assert app.sent < MANY


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_a_client_that_reads_gets_all(sites: Any, connect: Connect, kind: str) -> None:
    app = Endless(SOME)
    server = getattr(sites, kind)(getattr(app, kind))
    client = connect(server)
    client.send_head("/", {}, method="GET")
    client.send_end()
    client.head()
    assert sum(map(len, client.pieces())) == SOME * len(PIECE)


def test_a_last_piece_larger_than_windows(sites: Any, connect: Connect) -> None:
    whole = bytes(5_000_000)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": whole})

    client = connect(sites.asgi(app))
    for _ in range(2):
        answer = client.request("/", {}, method="GET")
        assert answer.body == whole
        assert answer["content-length"] == "5000000"


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_an_application_that_does_not_read_stops_the_client(
    sites: Any, connect: Connect, kind: str
) -> None:
    asked, go_on = threading.Event(), threading.Event()
    sizes: queue.SimpleQueue[int] = queue.SimpleQueue()

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        asked.set()
        await asyncio.to_thread(go_on.wait, LIMIT)
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message["more_body"]
        sizes.put(size)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    def wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
        asked.set()
        go_on.wait(LIMIT)
        size = 0
        while piece := environ["wsgi.input"].read(100_000):
            size += len(piece)
        sizes.put(size)
        start_response("200 OK", [])
        return []

    server = getattr(sites, kind)({"asgi": asgi, "wsgi": wsgi}[kind])
    client = connect(server)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    client.send_head("/", {})

    def send() -> None:
        for _ in range(SOME):
            client.send_piece(PIECE)
        client.send_end()

    sender = threading.Thread(target=send)
    sender.start()
    assert asked.wait(LIMIT)
    connection = server.raw.open_links[0].connection
    (stream,) = connection.streams.values()
    deadline = time.monotonic() + LIMIT
    while not getattr(connection, "held", stream.recv_window < len(PIECE)):
        assert time.monotonic() < deadline, "the client was not held back"
        time.sleep(0.01)
    assert len(stream._exchange._body) <= (1 << 20) + 2 * len(PIECE)
    go_on.set()
    assert sizes.get(timeout=LIMIT) == SOME * len(PIECE)
    sender.join(LIMIT)
    assert client.answer().status == 200


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_a_body_that_does_not_come(sites: Any, connect: Connect, kind: str) -> None:
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            message = await receive()
            while message["type"] == "http.request":
                message = await receive()
            heard.put("gone")

    def wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
        try:
            environ["wsgi.input"].read()
        except OSError:
            heard.put("gone")
        return []

    server = getattr(sites, kind)({"asgi": asgi, "wsgi": wsgi}[kind], body_timeout=0.1)
    client = connect(server)
    client.send_head("/", {})
    client.send_piece(b"no more than this")
    answer = client.answer()
    assert answer.status == 408
    assert b"min_body_rate" in answer.body
    assert heard.get(timeout=LIMIT) == "gone"


def test_a_body_that_drips(sites: Any, connect: Connect) -> None:
    """Each byte comes in time, and all of them do not: over HTTP/2 the application's reads find that."""
    taken: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        while piece := environ["wsgi.input"].read1(100):
            taken.put(piece)
        return []

    client = connect(sites.wsgi(app, body_timeout=0.3))
    client.send_head("/", {})

    def drip() -> None:
        # However its library puts it that there is nobody to send to.
        with contextlib.suppress(Exception):
            while True:
                client.send_piece(b"x")
                time.sleep(0.02)

    dripping = threading.Thread(target=drip)
    dripping.start()
    received = b""
    while b"min_body_rate" not in received:
        data = client.sock.recv(65536)
        assert data, received
        received += data
    client.sock.shutdown(socket.SHUT_RDWR)
    dripping.join(LIMIT)
    assert taken.get(timeout=LIMIT)


def test_100_continue(sites: Any) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [body]

    port = sites.wsgi(app).ports[0]
    with socket.create_connection(("127.0.0.1", port), LIMIT) as sock:
        sock.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        assert sock.recv(1000).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"hello")
        received = read_until(sock, b"hello")
        assert received.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET * HTTP/1.1", b"400"),
        (b"OPTIONS * HTTP/1.1", b"200"),
        (b"GET http://other.example/x HTTP/1.1", b"200"),
        (b"CONNECT a:1 HTTP/1.1", b"405"),
        (b"GET nothing HTTP/1.1", b"400"),
    ],
)
def test_odd_targets(sites: Any, request_line: bytes, status: bytes) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body"})

    port = sites.asgi(app).ports[0]
    with socket.create_connection(("127.0.0.1", port), LIMIT) as sock:
        sock.sendall(request_line + b"\r\nHost: a\r\n\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 " + status)


def test_pipelined_requests(sites: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": scope["raw_path"] + b";"})

    port = sites.asgi(app).ports[0]
    with socket.create_connection(("127.0.0.1", port), LIMIT) as sock:
        sock.sendall(
            b"".join(b"GET /%03d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(30))
        )
        received = read_until(sock, b"/029;")
    places = [received.index(b"/%03d;" % number) for number in range(30)]
    assert places == sorted(places)
