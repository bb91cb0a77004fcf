"""Clients that go away anywhere, and odd addresses: nothing of their requests is left, and the next one is served."""

from __future__ import annotations

import asyncio
import gc
import http.client
import os
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from clarion.web import WebOptions
from clarion.web.apps.exchange import Exchange
from support.front_end import FrontEnd
from support.libraries import LIMIT
from support.web_clients import Http2Client, WebClient

Connect = Callable[..., WebClient]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200})
    for _ in range(3):
        await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"piece", "more_body": True})
    await send({"type": "http.response.body"})


def wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
    environ["wsgi.input"].read()
    start_response("200 OK", [])
    for _ in range(3):
        yield b"piece"


CHUNKED = (
    b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"
    b"GET /y HTTP/1.1\r\nHost: a\r\n\r\n"
)


def over_http2() -> bytes:
    pytest.importorskip("h2", reason="h2 is not installed")
    from h2.config import H2Configuration
    from h2.connection import H2Connection

    client = H2Connection(H2Configuration(client_side=True))
    client.initiate_connection()
    fields = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/x")]
    client.send_headers(1, fields)
    client.send_data(1, b"hello")
    client.send_data(1, b"world", end_stream=True)
    client.send_headers(3, fields)
    client.reset_stream(3, 8)
    data: bytes = client.data_to_send()
    return data


def left() -> list[Any]:
    gc.collect()
    return [each for each in gc.get_objects() if issubclass(type(each), Exchange)]


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
@pytest.mark.parametrize("version", ["http1", "http2"])
def test_clients_that_go_away_anywhere(sites: Any, kind: str, version: str) -> None:
    server = getattr(sites, kind)({"asgi": asgi, "wsgi": wsgi}[kind], wsgi_threads=4)
    request = CHUNKED if version == "http1" else over_http2()
    for end in range(1, len(request) + 1, 3):
        with socket.create_connection(("127.0.0.1", server.ports[0]), LIMIT) as sock:
            sock.sendall(request[:end])
    connection = http.client.HTTPConnection("127.0.0.1", server.ports[0], timeout=LIMIT)
    connection.request("POST", "/", b"body")
    assert connection.getresponse().read() == b"piece" * 3
    connection.close()
    # Some are still noticing.
    deadline = time.monotonic() + LIMIT
    while left():
        assert time.monotonic() < deadline, left()
        time.sleep(0.05)


def test_answers_before_the_end_of_the_request(sites: Any, connect: Connect) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 413})
            await send({"type": "http.response.body", "body": b"too much"})

    client = connect(sites.asgi(app))
    client.send_head("/upload", {"content-length": "1000000000"})
    client.send_piece(b"a little of it")
    answer = client.head()
    assert answer.status == 413
    if client.name == "http/1.1":
        # What follows would have to be read to its end.
        assert answer["connection"] == "close"
        assert b"".join(client.pieces()) == b"too much"


@pytest.mark.parametrize("path", ["nothing", "*", "/a b", "/a\tb", "/\xff"])
def test_paths_that_are_none(sites: Any, path: str) -> None:
    """HTTP/1.1's parser refuses them; over HTTP/2 the server itself does."""
    client = Http2Client(sites.asgi(asgi).ports[0])
    try:
        assert client.request(path, {}, method="GET").status == 400
    finally:
        client.close()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets")
def test_unix_sockets(front: FrontEnd, tmp_path: Path) -> None:
    # Short, as the names of sockets must be.
    where = os.path.relpath(tmp_path / "s")

    def tell(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        names = ("SERVER_NAME", "SERVER_PORT", "REMOTE_ADDR")
        return [" ".join(environ.get(name, "-") for name in names).encode()]

    async def tell_asgi(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            assert scope["client"] is None
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": repr(scope["server"]).encode()})

    def ask(address: str) -> bytes:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(LIMIT)
            sock.connect(address)
            sock.sendall(b"GET / HTTP/1.1\r\nHost: some.example:81\r\nConnection: close\r\n\r\n")
            received = b""
            while data := sock.recv(65536):
                received += data
        return received.partition(b"\r\n\r\n")[2]

    options: dict[str, Any]
    for number, options in enumerate(({"wsgi": tell}, {"asgi": tell_asgi})):
        address = f"{where}{number}"
        front.serve(
            {}, options=[("clarion.web", WebOptions(**options))], addresses=[f"unix:{address}"]
        )
        said = ask(address)
        expected = b"some.example 80 -" if number == 0 else repr((address, None)).encode()
        assert said == expected
