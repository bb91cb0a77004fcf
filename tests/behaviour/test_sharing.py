"""Channels that share connections, with real servers."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT
from support.tls import client_tls

UNARY = SERVICE + camel("unary_unary")
SHARED = [("grpc.use_local_subchannel_pool", 0)]
OWN = [("grpc.use_local_subchannel_pool", 1)]


class Peers:
    """A handler that notes where calls come from, and says when they may end."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.arrived = threading.Semaphore(0)
        self.go_on = threading.Event()

    async def __call__(self, call: ServerCall) -> bytes:
        self.seen.append(call.context.peer())
        self.arrived.release()
        if call.request == b"wait":
            await call.wait(self.go_on)
        return b"done"


@pytest.mark.parametrize(("options", "connections"), [(SHARED, 1), (OWN, 3), ([], 3)])
def test_how_many_connections(front: FrontEnd, options: Any, connections: int) -> None:
    if not options:
        front.clarion_only("there it is the other way round, and other tests' channels take part")
    peers = Peers()
    server = front.serve({"unary_unary": peers})
    clients = [front.connect(server.target, options=options) for _ in range(3)]
    for client in clients:
        assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"
    assert len(set(peers.seen)) == connections


def test_the_end_of_one_channel_is_not_that_of_others(front: FrontEnd) -> None:
    peers = Peers()
    server = front.serve({"unary_unary": peers})
    one, other = (front.connect(server.target, options=SHARED) for _ in range(2))
    calls = [client.open(UNARY, "unary_unary", [b"wait"]) for client in (one, other)]
    for _ in calls:
        assert peers.arrived.acquire(timeout=LIMIT)
    one.close()
    assert calls[0].finish().code == "CANCELLED"
    peers.go_on.set()
    assert calls[1].finish().responses == [b"done"]
    assert other.call(UNARY, "unary_unary", [b"x"]).code == "OK"
    assert len(set(peers.seen)) == 1


def test_the_server_goes_away_for_all(front: FrontEnd) -> None:
    server = front.serve({"unary_unary": Peers()})
    clients = [front.connect(server.target, options=SHARED) for _ in range(2)]
    for client in clients:
        assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"
    server.close()
    for client in clients:
        assert client.call(UNARY, "unary_unary", [b"x"]).code == "UNAVAILABLE"


def test_credentials_make_a_difference(front: FrontEnd) -> None:
    """Channels with one credentials object share; another object, if it is the same in all respects, is another."""
    from support.tls import tls_rig

    front.clarion_only("the reference compares what is in them")
    peers = Peers()
    rig = tls_rig(front, unary_unary=peers)
    one, two = client_tls(front.library), client_tls(front.library)
    for credentials in (one, one, two):
        client = front.connect(rig.server.target, options=SHARED, credentials=credentials)
        assert client.call(UNARY, "unary_unary", [b"x"]).code == "OK"
    assert len(set(peers.seen)) == 2
