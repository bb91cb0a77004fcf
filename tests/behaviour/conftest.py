"""The behaviour suite runs every test once per front end.

CLARION_BEHAVIOUR_IMPL=grpcio runs it against the reference instead, to validate the tests themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.front_end import FrontEnd
from support.libraries import Library, load
from support.loops import LoopThread

IMPLEMENTATIONS = {"clarion": "clarion", "grpcio": "grpc"}


IMPLEMENTATION = os.environ.get("CLARION_BEHAVIOUR_IMPL", "clarion")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if IMPLEMENTATION != "grpcio":
        return
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            # Threads of grpcio that poll a channel's state trip over its being closed.
            item.add_marker(
                pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
            )


@pytest.fixture(scope="session")
def library() -> Library:
    return load(IMPLEMENTATIONS[IMPLEMENTATION])


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
def sync(library: Library, loop: LoopThread) -> Iterator[FrontEnd]:
    """For what only the sync front end has."""
    front = FrontEnd(library, "sync", loop)
    yield front
    front.close()


@pytest.fixture
def aio(library: Library, loop: LoopThread) -> Iterator[FrontEnd]:
    """For what only the asyncio front end has."""
    front = FrontEnd(library, "aio", loop)
    yield front
    front.close()
