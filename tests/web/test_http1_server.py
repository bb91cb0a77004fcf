"""HTTP/1.1 on ports of both front ends: what decides between it and HTTP/2, and what it does with odd clients."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from clarion.web import WebOptions
from support.credentials import CERTIFICATES, server_tls
from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT
from support.simple import ECHOES, Hang
from support.web_clients import read_until

HEAD = b"POST /test.Service/UnaryUnary HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/proto\r\n"
PLAIN = HEAD + b"Content-Length: 5\r\n\r\nhello"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def web(**options: Any) -> list[tuple[str, Any]]:
    return [("clarion.web", WebOptions(**options))]


@pytest.fixture
def opened() -> Iterator[list[socket.socket]]:
    opened: list[socket.socket] = []
    yield opened
    for sock in opened:
        sock.close()


def dial(server: Any, opened: list[socket.socket]) -> socket.socket:
    opened.append(socket.create_connection(("127.0.0.1", server.ports[0]), LIMIT))
    return opened[-1]


def until_closed(sock: socket.socket) -> bytes:
    received = b""
    try:
        while data := sock.recv(65536):
            received += data
    except ConnectionResetError:
        # What was on its way to the server when it closed the connection is answered like that.
        pass
    return received


def until(sock: socket.socket, what: bytes, count: int = 1) -> bytes:
    received = b""
    while received.count(what) < count:
        data = sock.recv(65536)
        assert data, received
        received += data
    return received


def test_the_standard_library_is_a_client(front: FrontEnd) -> None:
    server = front.serve(ECHOES, options=web())
    connection = http.client.HTTPConnection("127.0.0.1", server.ports[0], timeout=LIMIT)
    for body in (b"one", b"two", bytes(300_000)):
        connection.request(
            "POST", SERVICE + "UnaryUnary", body, {"Content-Type": "application/proto"}
        )
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, body)
    connection.request("POST", "/no.Such/Method", b"", {"Content-Type": "application/proto"})
    response = connection.getresponse()
    assert json.loads(response.read())["code"] == "unimplemented"
    connection.close()


@pytest.mark.parametrize("begin", [PLAIN, PREFACE], ids=["http1", "http2"])
def test_the_first_bytes_may_come_one_by_one(
    front: FrontEnd, opened: list[socket.socket], begin: bytes
) -> None:
    sock = dial(front.serve(ECHOES, options=web()), opened)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(len(begin)):
        sock.sendall(begin[at : at + 1])
    if begin is PLAIN:
        assert until(sock, b"hello").startswith(b"HTTP/1.1 200 OK\r\n")
    else:
        # SETTINGS
        assert until(sock, b"\0\0").startswith(b"\0\0")


def test_pipelined_requests(front: FrontEnd, opened: list[socket.socket]) -> None:
    sock = dial(front.serve(ECHOES, options=web()), opened)
    sock.sendall(b"".join(PLAIN.replace(b"hello", b"%05d" % n) for n in range(50)))
    received = until(sock, b"HTTP/1.1 200 OK\r\n", 50)
    received = read_until(sock, b"00049", received)
    assert [received.index(b"%05d" % n) for n in range(50)] == sorted(
        received.index(b"%05d" % n) for n in range(50)
    )


def test_context_variables_stay_with_their_call(
    front: FrontEnd, opened: list[socket.socket]
) -> None:
    seen: ContextVar[int] = ContextVar("seen", default=0)

    started, go_on = threading.Semaphore(0), threading.Event()

    async def count(call: ServerCall) -> bytes:
        before = seen.get()
        seen.set(before + 1)
        started.release()
        await call.wait(go_on)
        return b"%05d" % before

    sock = dial(front.serve({"unary_unary": count}, options=web()), opened)
    sock.sendall(PLAIN * 5)
    # The answer to the first one comes from its own task.
    assert started.acquire(timeout=LIMIT)
    go_on.set()
    assert until(sock, b"00000", 5).count(b"00001") == 0


def test_a_hidden_request_is_not_served(front: FrontEnd, opened: list[socket.socket]) -> None:
    hang = Hang()
    sock = dial(front.serve({"unary_unary": hang}, options=web()), opened)
    body = b"0\r\n\r\n" + PLAIN
    both = HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n" % len(body)
    sock.sendall(both + body)
    received = until_closed(sock)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert received.count(b"HTTP/1.1 ") == 1
    assert not hang.started.acquire(blocking=False)


def test_grpc_needs_http2(front: FrontEnd, opened: list[socket.socket]) -> None:
    sock = dial(front.serve(ECHOES, options=web()), opened)
    sock.sendall(PLAIN.replace(b"application/proto", b"application/grpc"))
    assert until(sock, b"do not\n").startswith(b"HTTP/1.1 505 ")


def test_silent_clients_are_turned_away(front: FrontEnd, opened: list[socket.socket]) -> None:
    # How long clients may take for the rest is tested without a clock.
    silent = dial(front.serve(ECHOES, options=web(head_timeout=0.1)), opened)
    assert until_closed(silent) == b""
    idle = dial(front.serve(ECHOES, options=web(idle_timeout=0.1)), opened)
    idle.sendall(PLAIN)
    assert until_closed(idle).endswith(b"hello")


def test_stopping_closes_connections(front: FrontEnd, opened: list[socket.socket]) -> None:
    hang = Hang()
    server = front.serve({"unary_unary": hang}, options=web())
    busy, idle, silent = (dial(server, opened) for _ in range(3))
    idle.sendall(HEAD)
    busy.sendall(PLAIN)
    hang.wait_started()
    wait_stopped = server.stop(None)
    answer = until_closed(busy)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "unavailable"
    until_closed(idle)
    until_closed(silent)
    for sock in opened:
        sock.close()
    wait_stopped()
    hang.wait_ended()


@pytest.mark.parametrize("asked", [["http/1.1"], None], ids=["asked for", "no ALPN"])
def test_alpn(front: FrontEnd, opened: list[socket.socket], asked: list[str] | None) -> None:
    server = front.serve(ECHOES, options=web(), credentials=server_tls(front.library))
    context = ssl.create_default_context(cafile=str(CERTIFICATES / "ca.pem"))
    if asked is not None:
        context.set_alpn_protocols(asked)
    sock: socket.socket = context.wrap_socket(dial(server, opened), server_hostname="localhost")
    opened.append(sock)
    sock.sendall(PLAIN)
    assert until(sock, b"hello").startswith(b"HTTP/1.1 200 OK\r\n")


def test_http2_alone(front: FrontEnd, opened: list[socket.socket]) -> None:
    server = front.serve(ECHOES, options=web(http1=False))
    sock = dial(server, opened)
    sock.sendall(PLAIN)
    assert b"the client speaks HTTP/1" in until_closed(sock)


@pytest.mark.parametrize("value", [1, "yes"])
def test_the_option_takes_web_options(front: FrontEnd, value: Any) -> None:
    with pytest.raises(TypeError, match="WebOptions"):
        front.serve(ECHOES, options=[("clarion.web", value)])


def test_servers_without_the_option_are_as_they_were(
    front: FrontEnd, opened: list[socket.socket]
) -> None:
    sock = dial(front.serve(ECHOES), opened)
    sock.sendall(PLAIN)
    assert b"the client speaks HTTP/1" in until_closed(sock)
