"""What time alone does to connections: keepalive, idleness, age. The peers are sockets that say what the test wants."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from clarion.sockets import give_up_unacknowledged
from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.http2 import ACK, GOAWAY, HEADERS, PING, SETTINGS, frame, headers, settings
from support.libraries import LIMIT
from support.simple import ECHOES
from support.tls import tls_rig

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
UNARY = SERVICE + camel("unary_unary")
QUICK = [("grpc.keepalive_time_ms", 200), ("grpc.keepalive_timeout_ms", 200)]


class Peer:
    """A connection whose other end is the front end."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sock.settimeout(LIMIT)
        self._buffer = b""

    def send(self, *pieces: bytes) -> None:
        self._sock.sendall(b"".join(pieces))

    def read(self, size: int) -> bytes | None:
        while len(self._buffer) < size:
            try:
                more = self._sock.recv(65_536)
            except ConnectionError:
                return None
            if not more:
                return None
            self._buffer += more
        piece, self._buffer = self._buffer[:size], self._buffer[size:]
        return piece

    def frames(self) -> Iterator[tuple[int, int, bytes]]:
        """Kind, flags and payload of each frame, until the other end closes."""
        while head := self.read(9):
            payload = self.read(int.from_bytes(head[:3], "big"))
            if payload is None:
                return
            yield head[3], head[4], payload

    def until(self, kind: int, flags: int = 0) -> bytes:
        for found, its_flags, payload in self.frames():
            if (found, its_flags & 1) == (kind, flags):
                return payload
        raise AssertionError(f"no frame of type {kind} came")


@contextmanager
def client_of(target: str) -> Iterator[Peer]:
    host, _, port = target.rpartition(":")
    with socket.create_connection((host, int(port)), LIMIT) as sock:
        yield Peer(sock)


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(LIMIT)
        yield listener


@contextmanager
def accepted(listener: socket.socket) -> Iterator[Peer]:
    with listener.accept()[0] as sock:
        peer = Peer(sock)
        assert peer.read(len(PREFACE)) == PREFACE
        peer.send(settings())
        yield peer


async def endless(call: ServerCall) -> bytes:
    await call.until_cancelled(lambda: None)
    return b""


def test_a_client_asks_and_gives_up_a_server_that_is_silent(front: FrontEnd) -> None:
    front.clarion_only("grpcio gives the peer a minute, whatever grpc.keepalive_timeout_ms says")
    with listening() as listener:
        client = front.connect(f"127.0.0.1:{listener.getsockname()[1]}", options=QUICK)
        call = client.open(UNARY, "unary_unary", [b"x"])
        with accepted(listener) as peer:
            peer.until(PING)
            outcome = call.finish()
            assert outcome.code == "UNAVAILABLE"
            assert "did not answer a PING within 0.2 s" in outcome.details
            for _ in peer.frames():
                # Until the client hangs up.
                pass


def test_a_server_that_answers_is_kept(front: FrontEnd) -> None:
    options = [("grpc.keepalive_time_ms", 200), ("grpc.http2.max_pings_without_data", 0)]
    with listening() as listener:
        client = front.connect(f"127.0.0.1:{listener.getsockname()[1]}", options=options)
        call = client.open(UNARY, "unary_unary", [b"x"])
        with accepted(listener) as peer:
            for _ in range(4):
                peer.send(frame(PING, ACK, 0, peer.until(PING)))
            call.cancel()
            assert call.finish().code == "CANCELLED"


def test_a_server_asks_and_gives_up_a_client_that_is_silent(front: FrontEnd) -> None:
    front.clarion_only("grpcio gives the peer a minute, whatever grpc.keepalive_timeout_ms says")
    server = front.serve({"unary_unary": endless}, options=QUICK)
    with client_of(server.target) as peer:
        peer.send(PREFACE, settings(), frame(SETTINGS, ACK))
        peer.send(headers(1, request(server.target), end=False))
        assert len(peer.until(PING)) == 8
        # It ends.
        assert HEADERS not in [kind for kind, _, _ in peer.frames()]


def test_a_server_ends_connections_that_are_idle(front: FrontEnd) -> None:
    server = front.serve(ECHOES, options=[("grpc.max_connection_idle_ms", 200)])
    client = front.connect(server.target)
    assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"
    watcher = front.watch(client, connect=False)
    watcher.until("IDLE")
    assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"


def test_a_server_ends_connections_that_are_old(front: FrontEnd) -> None:
    server = front.serve(ECHOES, options=[("grpc.max_connection_age_ms", 200)])
    client = front.connect(server.target)
    call = client.open(SERVICE + camel("stream_stream"), "stream_stream")
    call.write(b"one")
    assert call.read() == b"one"
    front.watch(client, connect=False).until("IDLE")
    # What was under way goes on.
    call.write(b"two")
    assert call.read() == b"two"
    call.done_writing()
    assert call.finish().code == "OK"
    assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"


def test_but_not_for_ever(front: FrontEnd) -> None:
    options = [("grpc.max_connection_age_ms", 200), ("grpc.max_connection_age_grace_ms", 200)]
    server = front.serve({"unary_unary": endless}, options=options)
    client = front.connect(server.target)
    assert client.call(UNARY, "unary_unary", [b"x"]).code in ("UNAVAILABLE", "CANCELLED")


def test_a_client_closes_a_connection_that_it_does_not_use(front: FrontEnd) -> None:
    server = front.serve(ECHOES)
    client = front.connect(server.target, options=[("grpc.client_idle_timeout_ms", 1000)])
    assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"
    front.watch(client, connect=False).until("IDLE")
    assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"


def test_a_server_cuts_off_what_does_not_speak_http2(front: FrontEnd) -> None:
    server = front.serve(ECHOES, options=[("grpc.server_handshake_timeout_ms", 200)])
    with client_of(server.target) as peer:
        assert HEADERS not in [kind for kind, _, _ in peer.frames()]


def test_a_server_with_connections_enough_turns_others_away(front: FrontEnd) -> None:
    server = front.serve(ECHOES, options=[("grpc.max_allowed_incoming_connections", 1)])
    client = front.connect(server.target)
    assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"
    with client_of(server.target) as peer:
        for _ in peer.frames():
            pass
    assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"


def test_who_is_turned_away_is_told_why(front: FrontEnd) -> None:
    front.clarion_only("the reference closes the connection")
    server = front.serve(ECHOES, options=[("grpc.max_allowed_incoming_connections", 1)])
    client = front.connect(server.target)
    assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"
    refused = front.connect(server.target).call(UNARY, "unary_unary", [b"x"])
    assert refused.code == "UNAVAILABLE"
    assert "RESOURCE_EXHAUSTED: the server takes 1 connections" in refused.details


def test_a_connection_without_calls_makes_room(
    front: FrontEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.clarion_only("the reference knows no such thing")
    monkeypatch.setattr("clarion.server_core.admission._CHANCE", 0.0)
    server = front.serve(ECHOES, options=[("grpc.max_allowed_incoming_connections", 2)])
    client = front.connect(server.target)
    assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"
    with client_of(server.target) as idle:
        idle.send(PREFACE, settings())
        idle.until(SETTINGS)
        late = front.connect(server.target)
        assert late.call(UNARY, "unary_unary", [b"x"]).code == "OK"
        for _ in idle.frames():
            pass
    assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"


def test_a_handshake_that_takes_long_makes_room(
    front: FrontEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.clarion_only("the reference knows no such thing")
    monkeypatch.setattr("clarion.server_core.admission._CHANCE", 0.0)
    rig = tls_rig(front, options=[("grpc.max_allowed_incoming_connections", 1)])
    # So many handshakes may be under way beside the one connection.
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(client_of(rig.server.target)) for _ in range(20)]
        assert rig.call("unary_unary", [b"x"]).code == "OK"
        for _ in silent[0].frames():
            pass


def test_pings_that_come_too_often(front: FrontEnd) -> None:
    options = [
        ("grpc.http2.min_ping_interval_without_data_ms", 60_000),
        ("grpc.http2.max_ping_strikes", 1),
    ]
    server = front.serve(ECHOES, options=options)
    with client_of(server.target) as peer:
        peer.send(PREFACE, settings(), frame(SETTINGS, ACK))
        for _ in range(4):
            peer.send(frame(PING, 0, 0, b"12345678"))
        assert peer.until(GOAWAY).endswith(b"too_many_pings")


def request(target: str) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", UNARY.encode()),
        (b":authority", target.encode()),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    )


@pytest.fixture
def user_timeouts(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[float]]:
    """The time limits that are set on sockets, by the module that sets them."""
    seen: dict[str, list[float]] = {"client": [], "server": []}
    places = {
        "client": ("clarion.sync.runtime", "clarion.aio.runtime"),
        "server": ("clarion.listening",),
    }
    for side, modules in places.items():

        def note(sock: socket.socket, keepalive: Any, side: str = side) -> None:
            give_up_unacknowledged(sock, keepalive)
            name = getattr(socket, "TCP_USER_TIMEOUT", None)
            if name is not None:
                seen[side].append(sock.getsockopt(socket.IPPROTO_TCP, name) / 1000)

        for module in modules:
            monkeypatch.setattr(f"{module}.give_up_unacknowledged", note)
    return seen


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system has no such option")
@pytest.mark.parametrize(
    ("options", "client", "server"),
    [
        ((), 0.0, 20.0),
        ((("grpc.keepalive_time_ms", 60_000),), 20.0, 20.0),
        ((("grpc.keepalive_time_ms", 60_000), ("grpc.keepalive_timeout_ms", 3000)), 3.0, 3.0),
        ((("grpc.keepalive_time_ms", 2**31 - 1),), 0.0, 0.0),
    ],
)
def test_how_long_bytes_may_be_unacknowledged(
    front: FrontEnd,
    user_timeouts: dict[str, list[float]],
    options: Sequence[tuple[str, Any]],
    client: float,
    server: float,
) -> None:
    front.clarion_only("whose sockets are not to be seen")
    rig = front.rig(options=options, client_options=options, **ECHOES)
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    assert user_timeouts == {"client": [client], "server": [server]}


def test_calls_beyond_what_one_connection_takes(front: FrontEnd) -> None:
    """gRFC A105."""
    front.clarion_only("grpcio queues them")
    everybody = threading.Event()
    peers = []

    async def together(call: ServerCall) -> bytes:
        peers.append(call.context.peer())
        if len(peers) == 5:
            everybody.set()
        await call.wait(everybody)
        return b"done"

    scaling = '{"connectionScaling": {"maxConnectionsPerSubchannel": 3}}'
    rig = front.rig(
        unary_unary=together,
        options=[("grpc.max_concurrent_streams", 2)],
        client_options=[("grpc.service_config", scaling)],
    )
    calls = [rig.open("unary_unary", [b"x"]) for _ in range(5)]
    assert [call.finish().code for call in calls] == ["OK"] * 5
    assert len(set(peers)) == 3


def test_and_no_more_than_allowed(front: FrontEnd) -> None:
    peers = set()

    async def handler(call: ServerCall) -> bytes:
        peers.add(call.context.peer())
        return b"done"

    rig = front.rig(unary_unary=handler, options=[("grpc.max_concurrent_streams", 1)])
    calls = [rig.open("unary_unary", [b"x"]) for _ in range(9)]
    assert [call.finish().code for call in calls] == ["OK"] * 9
    assert len(peers) == 1
