"""Servers with a health service, of either front end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any

import pytest

import clarion
import clarion.aio
from clarion import health
from support.libraries import LIMIT
from support.loops import LoopThread
from support.servers import add_port


class Served:
    """A server, what it says of its health, and a sync channel to it."""

    def __init__(
        self,
        front: str,
        loop: LoopThread,
        board: health.Health | None,
        credentials: Any = None,
        **options: Any,
    ) -> None:
        self._loop = loop
        if front == "sync":
            self._pool = futures.ThreadPoolExecutor(2)
            self._server: Any = clarion.server(self._pool, **options)
            self.health = health.add_service(self._server, board)
            port = add_port(self._server, "127.0.0.1:0", credentials)
            self._server.start()
        else:
            self._pool = None

            async def start() -> int:
                self._server = clarion.aio.server(**options)
                self.health = health.add_service(self._server, board)
                port = add_port(self._server, "127.0.0.1:0", credentials)
                await self._server.start()
                return port

            port = loop.run(start)
        self.target = f"127.0.0.1:{port}"
        self.channel: Any = clarion.insecure_channel(self.target)
        known = health.messages()
        self.watch_method = self.channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            known.HealthCheckRequest.SerializeToString,
            known.HealthCheckResponse.FromString,
        )

    def watch(self, service: str, **options: Any) -> Any:
        request = health.messages().HealthCheckRequest(service=service)
        return self.watch_method(request, timeout=LIMIT, **options)

    def listed(self) -> dict[str, int]:
        known = health.messages()
        call = self.channel.unary_unary(
            "/grpc.health.v1.Health/List",
            known.HealthListRequest.SerializeToString,
            known.HealthListResponse.FromString,
        )
        response = call(known.HealthListRequest(), timeout=LIMIT)
        return {name: value.status for name, value in response.statuses.items()}

    def close(self) -> None:
        """Stop it. Doing so twice is doing so once."""
        self.channel.close()
        if self._pool is not None:
            self._server.stop(None).wait(LIMIT)
            self._pool.shutdown(wait=True)
        else:
            self._loop.run(self._server.stop, None)


Serve = Callable[..., Served]


@pytest.fixture(scope="module")
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture(params=["sync", "aio"])
def serve(request: pytest.FixtureRequest, loop: LoopThread) -> Iterator[Serve]:
    """Starts servers; see `Served`."""
    opened: list[Served] = []

    def start(
        board: health.Health | None = None, interceptors: Sequence[Any] = (), **options: Any
    ) -> Served:
        served = Served(request.param, loop, board, interceptors=interceptors, **options)
        opened.append(served)
        return served

    yield start
    for served in opened:
        served.close()
