"""Both front ends, for services that are stated in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import ExitStack
from typing import Any

import pytest

import clarion
from clarion.protocol import client_stream
from support.loops import LoopThread


class SyncEnd:
    """Servers and clients with threads."""

    name = "sync"

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def serve(self, add: Callable[[Any], object], interceptors: tuple[Any, ...] = ()) -> int:
        server = clarion.server(futures.ThreadPoolExecutor(4), interceptors=interceptors)
        self._stack.callback(lambda: server.stop(None).wait())
        add(server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        return port

    def call(self, port: int, make: Callable[[Any], Any], *arguments: Any) -> Any:
        """The response, or the list of responses, of what `make` makes of a channel."""
        with clarion.insecure_channel(f"127.0.0.1:{port}") as channel:
            result = make(channel)(*arguments, timeout=20)
            return list(result) if hasattr(result, "__next__") else result


class AioEnd:
    """The same with asyncio."""

    name = "aio"

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._loop = LoopThread()
        stack.callback(self._loop.close)

    def serve(self, add: Callable[[Any], object], interceptors: tuple[Any, ...] = ()) -> int:
        async def start() -> int:
            server = clarion.aio.server(interceptors=interceptors)
            self._stack.callback(lambda: self._loop.run(server.stop, None))
            add(server)
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            return port

        return self._loop.run(start)

    def call(self, port: int, make: Callable[[Any], Any], *arguments: Any) -> Any:
        async def call() -> Any:
            async with clarion.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                result = make(channel)(*arguments, timeout=20)
                if hasattr(result, "__aiter__"):
                    return [each async for each in result]
                return await result

        return self._loop.run(call)


@pytest.fixture(params=[SyncEnd, AioEnd], ids=lambda end: end.name)
def end(request: pytest.FixtureRequest) -> Iterator[Any]:
    with ExitStack() as stack:
        yield request.param(stack)


@pytest.fixture
def response_types(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The content-types of responses that clients receive."""
    seen: list[bytes] = []
    check = client_stream.check_response

    def noting(fields: Any) -> int:
        seen.append(dict(fields)[b"content-type"])
        return check(fields)

    monkeypatch.setattr(client_stream, "check_response", noting)
    return seen
