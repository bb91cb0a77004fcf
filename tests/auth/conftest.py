"""Servers of both front ends with Clarion's own authentication and authorization."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.front_end import FrontEnd
from support.issuer import Issuer
from support.libraries import Library, load
from support.loops import LoopThread


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
    front = FrontEnd(library, request.param, loop)
    yield front
    front.close()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as issuer:
        yield issuer
