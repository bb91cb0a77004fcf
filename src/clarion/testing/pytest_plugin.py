"""Fixtures for pytest: servers and channels without ports, time by hand, faults, proxies, recorded sessions.

pytest loads this at its start, by an entry point, so it imports nothing of Clarion until a fixture is used: programs that
do not use it pay nothing, and coverage of Clarion's own modules does not miss what runs when they are imported. What the
fixtures make is in `clarion.testing.fixtures`. See docs/testing.md.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from clarion.testing import FakeClock, FaultInjector, fixtures

__all__ = [
    "grpc_aio_channel",
    "grpc_aio_server",
    "grpc_channel",
    "grpc_chaos",
    "grpc_clock",
    "grpc_faults",
    "grpc_servicers",
    "grpc_server",
    "grpc_session",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what says whether sessions are recorded."""
    parser.getgroup("clarion").addoption(
        "--grpc-record",
        action="store_true",
        help="grpc_session: call the real servers, and record the sessions anew",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Let what fixtures made for a test that is a coroutine begin and end on its event loop, whoever runs that."""
    made = getattr(item, "funcargs", {})
    clock = made.get("grpc_clock")
    servers = [made[name] for name in ("grpc_server", "grpc_aio_server") if name in made]
    if not (servers or clock) or not isinstance(item, pytest.Function):
        return
    test = item.obj
    if not inspect.iscoroutinefunction(test):
        return
    # Which other tests need not load.
    import asyncio

    @functools.wraps(test)
    async def run(*args: Any, **kwargs: Any) -> Any:
        loop = asyncio.get_running_loop()
        if clock is not None:
            clock.attach(loop)
        try:
            return await test(*args, **kwargs)
        finally:
            for server in servers:
                await server.close_aio_channels()
            if clock is not None:
                clock.detach(loop)

    item.obj = run


def _wanted(request: pytest.FixtureRequest, name: str) -> Any:
    """Another fixture if the test uses it, set up before and torn down after the one that asks; else None."""
    return request.getfixturevalue(name) if name in request.fixturenames else None


@pytest.fixture
def grpc_servicers() -> list[Any]:
    """What `grpc_server` and `grpc_aio_server` serve; override it.

    Its items are pairs `(add_GreeterServicer_to_server, Greeter())`, generic handlers, or functions that are given the
    server.
    """
    return []


@pytest.fixture
def grpc_clock() -> Iterator[FakeClock]:
    """A `clarion.testing.FakeClock`, by which the test's servers and channels live."""
    from clarion.testing import FakeClock

    with FakeClock() as clock:
        yield clock


@pytest.fixture
def grpc_faults() -> FaultInjector:
    """A `clarion.testing.FaultInjector` without rules, on the server's side of the test's servers.

    For the client's side give an injector's interceptor to the channel.
    """
    from clarion.testing import FaultInjector

    return FaultInjector()


@pytest.fixture
def grpc_server(
    request: pytest.FixtureRequest, grpc_servicers: list[Any]
) -> Iterator[fixtures.ServerFixture]:
    """A sync server with `grpc_servicers`, which has started: see `clarion.testing.fixtures.ServerFixture`."""
    from clarion.testing.fixtures import ServerFixture

    _wanted(request, "grpc_clock")
    server = ServerFixture(grpc_servicers, _wanted(request, "grpc_faults"))
    yield server
    server.close()


@pytest.fixture
def grpc_channel(grpc_server: fixtures.ServerFixture) -> Any:
    """A sync channel to `grpc_server`."""
    return grpc_server.channel()


@pytest.fixture
def grpc_aio_server(
    request: pytest.FixtureRequest, grpc_servicers: list[Any]
) -> Iterator[fixtures.AioServerFixture]:
    """An asyncio server with `grpc_servicers`: see `clarion.testing.fixtures.AioServerFixture`.

    It has an event loop of its own, on a thread of its own, unless the test starts it on its own one; so tests with
    pytest-asyncio, anyio and without any of them can use it.
    """
    from clarion.testing.fixtures import AioServerFixture

    server = AioServerFixture(
        grpc_servicers, _wanted(request, "grpc_faults"), _wanted(request, "grpc_clock")
    )
    yield server
    server.close()


@pytest.fixture
def grpc_aio_channel(grpc_aio_server: fixtures.AioServerFixture) -> Any:
    """An asyncio channel to `grpc_aio_server`, for tests that are coroutines: it is closed at the end of the test."""
    return grpc_aio_server.aio_channel()


@pytest.fixture
def grpc_chaos() -> Iterator[fixtures.ChaosFixture]:
    """Makes chaos proxies: see `clarion.testing.fixtures.ChaosFixture`."""
    from clarion.testing.fixtures import ChaosFixture

    chaos = ChaosFixture()
    yield chaos
    chaos.close()


@pytest.fixture
def grpc_session(request: pytest.FixtureRequest) -> Iterator[fixtures.SessionFixture]:
    """Replays recorded sessions, or records them: see `clarion.testing.fixtures.SessionFixture`."""
    from clarion.testing.fixtures import SessionFixture

    session = SessionFixture(request.path, request.config.getoption("--grpc-record"))
    yield session
    session.close()
