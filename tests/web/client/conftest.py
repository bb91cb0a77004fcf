"""Channels of both front ends in all protocols, over both versions of HTTP, and a raw server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from support.libraries import Library
from support.loops import LoopThread
from support.web_channels import RawRequest, RawServer, WebFront

# The text mode differs in little; a few tests name it.
PROTOCOLS = ["connect", "grpc-web"]


@pytest.fixture(params=["sync", "aio"])
def name(request: pytest.FixtureRequest) -> str:
    pytest.importorskip("h11", reason="h11 is not installed")
    name: str = request.param
    return name


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    protocol: str = request.param
    return protocol


@pytest.fixture(params=["1.1", "2"])
def http(request: pytest.FixtureRequest) -> str:
    http: str = request.param
    return http


@pytest.fixture
def web(
    name: str, protocol: str, http: str, library: Library, loop: LoopThread
) -> Iterator[WebFront]:
    """Every protocol over every version."""
    front = WebFront(library, name, loop, protocol=protocol, http=http)
    yield front
    front.close()


@pytest.fixture
def connect1(name: str, library: Library, loop: LoopThread) -> Iterator[WebFront]:
    """Connect over HTTP/1.1."""
    front = WebFront(library, name, loop)
    yield front
    front.close()


@pytest.fixture
def raw() -> Iterator[Callable[[Callable[[RawRequest], bytes | None]], RawServer]]:
    """Starts a raw server."""
    servers: list[RawServer] = []

    def start(script: Callable[[RawRequest], bytes | None]) -> RawServer:
        servers.append(RawServer(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
