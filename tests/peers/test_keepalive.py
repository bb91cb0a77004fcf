"""Keepalive with the reference at the other end: who pings often is slowed down, and not cut off for good."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clarion.http2.header_blocks import HANDLERS
from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.http2 import ACK, PING
from support.libraries import LIMIT, load
from support.loops import LoopThread

pytest.importorskip("grpc", reason="grpcio is not installed")

UNARY = SERVICE + camel("unary_unary")
CURIOUS = [
    ("grpc.keepalive_time_ms", 100),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
]


@pytest.fixture
def fronts() -> Iterator[Callable[[str, str], FrontEnd]]:
    """Front ends by library and name."""
    loop = LoopThread()
    made: list[FrontEnd] = []

    def make(library: str, name: str) -> FrontEnd:
        made.append(FrontEnd(load(library), name, loop))
        return made[-1]

    yield make
    for front in made:
        front.close()
    loop.close()


@pytest.mark.parametrize("name", ["sync", "aio"])
def test_a_client_that_a_server_finds_too_curious(
    fronts: Callable[[str, str], FrontEnd], name: str
) -> None:
    """grpcio's servers allow one PING in five minutes by default, and end the connection at the third that is early."""
    over = threading.Event()

    async def handler(call: ServerCall) -> bytes:
        if call.request == b"wait":
            await call.wait(over)
        return b"done"

    server = fronts("grpc", "sync").serve({"unary_unary": handler})
    front = fronts("clarion", name)
    client: Any = front.connect(server.target, options=CURIOUS)
    outcome = client.open(UNARY, "unary_unary", [b"wait"]).finish()
    over.set()
    assert outcome.code == "UNAVAILABLE"
    # When it has a new connection it has heard why the old one ended.
    assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"

    async def core() -> Any:
        return client.raw.on_loop().core

    found = client.raw.core if name == "sync" else front.loop.run(core)
    assert found.http2.keepalive.time == 0.2


@pytest.mark.parametrize("name", ["sync", "aio"])
def test_a_server_bears_with_a_client_that_is_curious(
    fronts: Callable[[str, str], FrontEnd], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    enough = threading.Event()
    pings = []
    receive = HANDLERS[PING]

    def ping_frame(connection: Any, payload: bytes, flags: int, sid: int) -> None:
        if not flags & ACK:
            pings.append(payload)
        if len(pings) >= 4:
            enough.set()
        receive(connection, payload, flags, sid)

    monkeypatch.setitem(HANDLERS, PING, ping_frame)

    async def handler(call: ServerCall) -> bytes:
        await call.wait(enough)
        return b"done"

    server = fronts("clarion", name).serve({"unary_unary": handler})
    client = fronts("grpc", "sync").connect(server.target, options=CURIOUS)
    outcome = client.open(UNARY, "unary_unary", [b"x"], timeout=LIMIT).finish()
    assert outcome.responses == [b"done"]
    assert len(pings) >= 4
