"""Calls of both front ends that come together, and a server's door that lets connections in when a test says so."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.credentials import client_tls, server_tls
from support.front_end import SERVICE
from support.handlers import ServerCall
from support.libraries import LIMIT, Library
from support.loops import LoopThread
from support.web_channels import WebFront

UNARY = SERVICE + "UnaryUnary"
# How many attempts a channel has under way when the first connection is there; see `clarion.web.client.core`.
AT_ONCE = 9


class Door:
    """Passes bytes between clients and a server. Connections after the first wait until `open` or `shut`.

    Attributes:
        accepted: how many connections came.
        open: they go on.
        shut: they are closed.
    """

    def __init__(self, port: int) -> None:
        self.accepted = 0
        self.open = threading.Event()
        self.shut = False
        self._port = port
        self._came = threading.Semaphore(0)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.url = f"https://localhost:{self._listener.getsockname()[1]}"
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._sockets.append(sock)
            self._came.release()
            self._start(self._pass, sock, self.accepted == 1)

    def _pass(self, sock: socket.socket, first: bool) -> None:
        if not first:
            self.open.wait(LIMIT)
            if self.shut:
                sock.close()
                return
        other = socket.create_connection(("127.0.0.1", self._port))
        self._sockets.append(other)
        self._start(self._copy, other, sock)
        self._copy(sock, other)

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def wait_for(self, count: int) -> None:
        """Until `count` more connections came."""
        for _ in range(count):
            assert self._came.acquire(timeout=LIMIT), f"{self.accepted} connections came"

    def close(self) -> None:
        self.shut = True
        self.open.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(LIMIT)
        for sock in list(self._sockets):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in list(self._threads):
            thread.join(LIMIT)
            assert not thread.is_alive()
        for sock in self._sockets:
            sock.close()


class Held:
    """A handler: it echoes, and the request `hold` waits until it may."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.let_go = threading.Event()

    async def __call__(self, call: ServerCall) -> Any:
        if call.request == b"hold":
            self.started.set()
            await call.wait(self.let_go)
        return call.request


class Burst:
    """A call that holds the channel's first connection, and others that came then."""

    def __init__(
        self, front: WebFront, held: Held, door: Door, others: int, **options: int
    ) -> None:
        self.held = held
        client = front.connect(
            door.url,
            credentials=client_tls(front.library),
            options=[(f"grpc.{name}", value) for name, value in options.items()],
        )
        self.requests = [b"hold", *(b"%d" % number for number in range(others))]
        self._calls = [client.open(UNARY, "unary_unary", [b"hold"])]
        assert held.started.wait(LIMIT)
        door.wait_for(1)
        self._calls += [client.open(UNARY, "unary_unary", [each]) for each in self.requests[1:]]

    def finish(self) -> None:
        """All are answered."""
        self.held.let_go.set()
        assert [call.finish().responses for call in self._calls] == [[r] for r in self.requests]


@pytest.fixture
def front(name: str, library: Library, loop: LoopThread) -> Iterator[WebFront]:
    front = WebFront(library, name, loop, http="1.1")
    yield front
    front.close()


@pytest.fixture
def held() -> Iterator[Held]:
    held = Held()
    yield held
    held.let_go.set()


@pytest.fixture
def door(front: WebFront, held: Held) -> Iterator[Door]:
    server = front.serve({"unary_unary": held}, credentials=server_tls(front.library))
    door = Door(server.ports[0])
    yield door
    door.close()


def test_connections_are_opened_together(front: WebFront, held: Held, door: Door) -> None:
    burst = Burst(front, held, door, AT_ONCE)
    # None of them has said a word yet.
    door.wait_for(AT_ONCE)
    door.open.set()
    burst.finish()
    assert door.accepted == 1 + AT_ONCE


def test_no_more_than_calls_wait_and_a_free_one_serves_them(
    front: WebFront, held: Held, door: Door
) -> None:
    burst = Burst(front, held, door, 3)
    door.wait_for(3)
    # Not one of the others is let in.
    burst.finish()
    assert door.accepted == 4


def test_a_server_that_lets_nobody_in_is_left_alone(
    front: WebFront, held: Held, door: Door
) -> None:
    forever = 1_000_000
    burst = Burst(
        front,
        held,
        door,
        3 * AT_ONCE,
        initial_reconnect_backoff_ms=forever,
        max_reconnect_backoff_ms=forever,
    )
    door.wait_for(AT_ONCE)
    door.shut = True
    door.open.set()
    burst.finish()
    assert door.accepted == 1 + AT_ONCE
