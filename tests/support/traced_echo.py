"""Servers and channels of both front ends whose calls are traced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import clarion
import clarion.aio
from clarion.call_tracing import CLIENT_TRACING, SERVER_TRACING
from support.call_events import ClientEvents, ServerEvents
from support.libraries import LIMIT
from support.servers import end_pool

__all__ = [
    "PATTERNS",
    "SERVICE",
    "Rig",
    "aio_handlers",
    "call_aio",
    "call_sync",
    "method",
    "run_aio",
    "sync_handlers",
]

SERVICE = "traced.Echo"
PATTERNS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


def method(pattern: str) -> str:
    return f"/{SERVICE}/{pattern}"


def sync_handlers(fail: Any = None) -> clarion.GenericRpcHandler:
    def one(request: bytes, context: Any) -> bytes:
        if fail is not None:
            fail(context)
        return request

    def some(request: bytes, context: Any) -> Iterator[bytes]:
        yield request
        yield request

    def joined(requests: Iterator[bytes], context: Any) -> bytes:
        return b"".join(requests)

    def each(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        yield from requests

    return clarion.method_handlers_generic_handler(
        SERVICE,
        {
            "unary_unary": clarion.unary_unary_rpc_method_handler(one),
            "unary_stream": clarion.unary_stream_rpc_method_handler(some),
            "stream_unary": clarion.stream_unary_rpc_method_handler(joined),
            "stream_stream": clarion.stream_stream_rpc_method_handler(each),
        },
    )


def aio_handlers() -> clarion.GenericRpcHandler:
    async def one(request: bytes, context: Any) -> bytes:
        return request

    async def some(request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield request
        yield request

    async def joined(requests: Any, context: Any) -> bytes:
        return b"".join([request async for request in requests])

    async def each(requests: Any, context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request

    return clarion.method_handlers_generic_handler(
        SERVICE,
        {
            "unary_unary": clarion.unary_unary_rpc_method_handler(one),
            "unary_stream": clarion.unary_stream_rpc_method_handler(some),
            "stream_unary": clarion.stream_unary_rpc_method_handler(joined),
            "stream_stream": clarion.stream_stream_rpc_method_handler(each),
        },
    )


class Rig:
    """A server and a channel to it, both traced.

    Attributes:
        client, server: what was heard, unless nobody listens.
        channel: to the server.
        running: the server.
    """

    def __init__(
        self, client_options: Any = (), fail: Any = None, *, listen: bool = True, **server: Any
    ) -> None:
        self.client, self.server = ClientEvents(((b"x-traced", b"yes"),)), ServerEvents()
        self._pool = ThreadPoolExecutor(4)
        self.running: Any = clarion.server(
            self._pool,
            [sync_handlers(fail)],
            options=[(SERVER_TRACING, self.server)] if listen else None,
            **server,
        )
        self.port = self.running.add_insecure_port("127.0.0.1:0")
        self.running.start()
        listening = [(CLIENT_TRACING, self.client)] if listen else []
        self.channel: Any = clarion.insecure_channel(
            f"127.0.0.1:{self.port}", options=[*listening, *client_options]
        )

    def close(self) -> None:
        self.channel.close()
        assert self.running.stop(5).wait(LIMIT)
        end_pool(self._pool)


def run_aio(
    use: Any, *, interceptors: Any = None, client_interceptors: Any = None, listen: bool = True
) -> Any:
    """Run `use(channel)` with an asyncio server; returns what was heard by both, unless nobody listens."""
    client, server = ClientEvents(((b"x-traced", b"yes"),)), ServerEvents()

    async def run() -> None:
        running = clarion.aio.server(
            handlers=[aio_handlers()],
            options=[(SERVER_TRACING, server)] if listen else None,
            interceptors=interceptors,
        )
        port = running.add_insecure_port("127.0.0.1:0")
        await running.start()
        async with clarion.aio.insecure_channel(
            f"127.0.0.1:{port}",
            options=[(CLIENT_TRACING, client)] if listen else None,
            interceptors=client_interceptors,
        ) as channel:
            await use(channel)
            await asyncio.to_thread(server.wait_for, "ended", server.names.count("call"))
        await running.stop(5)

    asyncio.run(run())
    return client, server


def call_sync(channel: Any, pattern: str, **named: Any) -> Any:
    call = getattr(channel, pattern)(method(pattern), _registered_method=True)
    argument = iter([b"a", b"b"]) if pattern.startswith("stream") else b"ab"
    answer = call(argument, **named)
    return answer if pattern.endswith("unary") else list(answer)


async def call_aio(channel: Any, pattern: str, **named: Any) -> Any:
    call = getattr(channel, pattern)(method(pattern), _registered_method=True)
    argument = iter([b"a", b"b"]) if pattern.startswith("stream") else b"ab"
    answer = call(argument, **named)
    if pattern.endswith("unary"):
        return await answer
    return [each async for each in answer]
