"""Pairs of a client and a server of different implementations, at least one of them Clarion.

With CLARION_PEERS_SELFTEST=1 the peers also meet each other, which shows that the tests hold for the
reference; with CLARION_PEERS_SELFTEST=only nobody else meets.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.peers import Pair, World, why_absent
from support.processes import START_LIMIT

HERE = Path(__file__).parent

CLARION = ("clarion-sync", "clarion-aio")
PEERS = ("grpc-sync", "grpc-aio", "js")


def _pairs() -> list[tuple[str, str]]:
    """(client, server) of every pair under test."""
    selftest = os.environ.get("CLARION_PEERS_SELFTEST", "")
    among_peers = [(client, server) for client in PEERS for server in PEERS]
    if selftest == "only":
        return among_peers
    # A front end against itself is the behaviour suite's matter.
    clarion = [("clarion-sync", "clarion-aio"), ("clarion-aio", "clarion-sync")]
    clarion += [(client, server) for client in CLARION for server in PEERS]
    clarion += [(client, server) for client in PEERS for server in CLARION]
    clarion += [("grpc-sync", "clarion-uvloop"), ("clarion-uvloop", "grpc-aio")]
    return clarion + (among_peers if selftest else [])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # All tests of the run come by here. Those of this folder may have to start programs, more than one.
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(4 * START_LIMIT))


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.fixture(scope="session", params=_pairs(), ids=lambda pair: f"{pair[0]}->{pair[1]}")
def session_pair(request: pytest.FixtureRequest, world: World) -> Iterator[Pair]:
    client, server = request.param
    for kind in (client, server):
        if reason := why_absent(kind):
            pytest.skip(reason)
    pair = Pair(world, client, server)
    yield pair
    pair.close()


@pytest.fixture
def pair(session_pair: Pair) -> Iterator[Pair]:
    yield session_pair
    session_pair.cleanup()
