"""Servers of both front ends that check requests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.front_end import FrontEnd
from support.libraries import load
from support.loops import LoopThread


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
