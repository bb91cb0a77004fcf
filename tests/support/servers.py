"""A running server with the same small interface for both front ends of a library."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent import futures
from typing import Any, Protocol

from support.handlers import Method, aio_handler, sync_handler
from support.libraries import LIMIT, Library
from support.loops import LoopThread

__all__ = ["AioServer", "Server", "SyncServer", "end_pool", "generic_handlers", "thread_pool"]

Options = Sequence[tuple[str, Any]]


class Server(Protocol):
    """What tests need of a started server. `stop` returns a wait for the stop's end."""

    ports: list[int]
    raw: Any

    @property
    def target(self) -> str: ...
    def stop(self, grace: float | None) -> Callable[[], None]: ...
    def close(self) -> None: ...


def generic_handlers(
    library: Library,
    methods: Mapping[str, Method],
    adapt: Callable[[Library, Method], Any],
) -> tuple[Any, ...]:
    """Generic handlers for `methods`, by their full path `/package.Service/Method`."""
    services: dict[str, dict[str, Any]] = {}
    for path, method in methods.items():
        _, service, name = path.split("/")
        services.setdefault(service, {})[name] = adapt(library, method)
    return tuple(
        library.root.method_handlers_generic_handler(service, handlers)
        for service, handlers in services.items()
    )


def add_port(server: Any, address: str, credentials: Any) -> int:
    """Adds a port, a secure one with credentials."""
    port: int
    if credentials is None:
        port = server.add_insecure_port(address)
    else:
        port = server.add_secure_port(address, credentials)
    return port


def end_pool(pool: futures.ThreadPoolExecutor) -> None:
    """Wait until all handlers are over; a bound, for a handler that is not would keep the test run for good."""
    pool.shutdown(wait=False)
    give_up = time.monotonic() + LIMIT
    for thread in list(pool._threads):
        thread.join(max(give_up - time.monotonic(), 0))
        assert not thread.is_alive(), "a handler did not end"


@contextlib.asynccontextmanager
async def thread_pool(workers: int) -> AsyncIterator[futures.ThreadPoolExecutor]:
    """A pool for handlers beside a loop, which goes on while they come to their end: they may wait for it."""
    pool = futures.ThreadPoolExecutor(workers)
    try:
        yield pool
    finally:
        await asyncio.to_thread(end_pool, pool)


class SyncServer:
    """The library's thread-pool server."""

    def __init__(
        self,
        library: Library,
        methods: Mapping[str, Method],
        *,
        addresses: Sequence[str] = ("127.0.0.1:0",),
        options: Options | None = None,
        credentials: Any = None,
        compression: Any = None,
        maximum_concurrent_rpcs: int | None = None,
        interceptors: Sequence[Any] = (),
        workers: int = 64,
    ) -> None:
        self._pool = futures.ThreadPoolExecutor(workers)
        self.raw: Any = library.root.server(
            self._pool,
            interceptors=interceptors,
            options=options,
            compression=compression,
            maximum_concurrent_rpcs=maximum_concurrent_rpcs,
        )
        self.raw.add_generic_rpc_handlers(generic_handlers(library, methods, sync_handler))
        self.ports = [add_port(self.raw, address, credentials) for address in addresses]
        self.raw.start()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.ports[0]}"

    def stop(self, grace: float | None) -> Callable[[], None]:
        stopped = self.raw.stop(grace)

        def wait() -> None:
            assert stopped.wait(LIMIT), "the server did not stop"

        return wait

    def close(self) -> None:
        self.stop(None)()
        end_pool(self._pool)


class AioServer:
    """The library's asyncio server, on a loop that runs in another thread."""

    def __init__(
        self,
        library: Library,
        methods: Mapping[str, Method],
        loop: LoopThread,
        *,
        addresses: Sequence[str] = ("127.0.0.1:0",),
        options: Options | None = None,
        credentials: Any = None,
        compression: Any = None,
        maximum_concurrent_rpcs: int | None = None,
        interceptors: Sequence[Any] = (),
    ) -> None:
        self._loop = loop
        self.ports: list[int] = []

        async def start() -> Any:
            server = library.aio.server(
                interceptors=interceptors,
                options=options,
                compression=compression,
                maximum_concurrent_rpcs=maximum_concurrent_rpcs,
            )
            server.add_generic_rpc_handlers(generic_handlers(library, methods, aio_handler))
            self.ports.extend(add_port(server, address, credentials) for address in addresses)
            await server.start()
            return server

        self.raw: Any = loop.run(start)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.ports[0]}"

    def stop(self, grace: float | None) -> Callable[[], None]:
        stopped = self._loop.start(self.raw.stop, grace)
        return lambda: stopped.result(LIMIT)

    def close(self) -> None:
        self.stop(None)()
