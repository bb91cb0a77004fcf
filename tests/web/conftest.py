"""Servers of both front ends that take web requests, and raw clients of both versions of HTTP."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.credentials import CERTIFICATES
from support.front_end import FrontEnd
from support.libraries import Library, load
from support.loops import LoopThread
from support.web_clients import Http1Client, Http2Client, WebClient

CLIENTS: dict[str, type[WebClient]] = {"http1": Http1Client, "http2": Http2Client}


@pytest.fixture(scope="session")
def library() -> Library:
    return load("clarion")


@pytest.fixture(scope="session")
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture(params=["sync", "aio"])
def front(request: pytest.FixtureRequest, library: Library, loop: LoopThread) -> Iterator[FrontEnd]:
    pytest.importorskip("h11", reason="h11 is not installed")
    front = FrontEnd(library, request.param, loop)
    yield front
    front.close()


@pytest.fixture(params=list(CLIENTS))
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., WebClient]]:
    """Opens a client of one version of HTTP, which is closed after the test."""
    opened: list[WebClient] = []

    def open_client(server: Any, *, tls: bool = False) -> WebClient:
        context = None
        if tls:
            context = ssl.create_default_context(cafile=str(CERTIFICATES / "ca.pem"))
        opened.append(CLIENTS[request.param](server.ports[0], context))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()
