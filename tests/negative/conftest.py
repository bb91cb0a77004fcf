"""Every test runs over both front ends of Clarion."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from support.front_end import FrontEnd
from support.libraries import load
from support.loops import LoopThread
from support.raw_peer import RawServer, Script


@pytest.fixture(scope="session")
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture(params=["sync", "aio"])
def front(request: pytest.FixtureRequest, loop: LoopThread) -> Iterator[FrontEnd]:
    front = FrontEnd(load("clarion"), request.param, loop)
    yield front
    front.close()


@pytest.fixture
def raw_server() -> Iterator[Callable[..., RawServer]]:
    """Makes servers of scripts, one for each connection; ends them after the test."""
    servers: list[RawServer] = []

    def make(*scripts: Script) -> RawServer:
        servers.append(RawServer(scripts))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()
