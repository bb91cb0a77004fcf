"""Clarion's gRPC-Web and Connect against what Envoy makes of its gRPC, octet for octet; skipped where Envoy is absent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interop.harness.toolchains import Missing
from interop.program.library import load
from interop.web.alike import REQUESTS, compare
from interop.web.envoy import envoy_in_front, find_envoy
from support.interop_server import InteropServer


@pytest.fixture(scope="module")
def envoy() -> str:
    pytest.importorskip("h11", reason="h11 is not installed")
    try:
        return find_envoy()
    except Missing as why:
        pytest.skip(str(why))


@pytest.fixture(scope="module", params=["sync", "aio"])
def ports(request: pytest.FixtureRequest, envoy: str) -> Iterator[tuple[int, int]]:
    """Envoy's port, and Clarion's."""
    server = InteropServer(load("clarion"), request.param, web=True)
    try:
        with envoy_in_front(envoy, server.port) as port:
            yield port, server.port
    finally:
        server.close()


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_answers_are_alike(ports: tuple[int, int], version: str) -> None:
    if version == "2":
        pytest.importorskip("h2", reason="h2 is not installed")
    assert len(REQUESTS) > 90
    assert compare(*ports, version) == []
