"""Servers that tell of their services, of either front end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

import clarion
import clarion.aio
from clarion import reflection
from support.libraries import LIMIT
from support.loops import LoopThread
from support.servers import end_pool
from support.trial import POOL, handlers


def tell(server: Any) -> None:
    """How servers are told of by default."""
    reflection.add_service(server, pool=POOL)


@pytest.fixture(scope="session")
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture
def serve_sync() -> Iterator[Callable[..., str]]:
    """Starts sync servers; gives their targets."""
    opened: list[tuple[Any, Any]] = []

    def start(tell: Callable[[Any], object] = tell) -> str:
        pool = futures.ThreadPoolExecutor(4)
        server = clarion.server(pool, handlers=[handlers(sync=True)])
        tell(server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        opened.append((server, pool))
        return f"127.0.0.1:{port}"

    yield start
    for server, pool in opened:
        server.stop(None).wait(LIMIT)
        end_pool(pool)


@pytest.fixture
def serve_aio(loop: LoopThread) -> Iterator[Callable[..., str]]:
    """Starts asyncio servers; gives their targets."""
    opened: list[Any] = []

    def start(tell: Callable[[Any], object] = tell) -> str:
        async def begin() -> int:
            server = clarion.aio.server(handlers=[handlers(sync=False)])
            opened.append(server)
            tell(server)
            port: int = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            return port

        return f"127.0.0.1:{loop.run(begin)}"

    yield start
    for server in opened:
        loop.run(server.stop, None)


@pytest.fixture(params=["sync", "aio"])
def serve(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(f"serve_{request.param}")
