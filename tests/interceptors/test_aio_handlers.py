"""Interceptors of asyncio servers see the same of all kinds of handlers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import pytest

import clarion.aio
from clarion.interceptors.aio import CallInterceptor
from clarion.status import StatusCode
from support.servers import end_pool

LIMIT = 60

seen: ContextVar[str] = ContextVar("seen", default="nothing")


class Mark(CallInterceptor):
    """Puts a mark behind each message, and sets a context variable."""

    def __init__(self) -> None:
        self.closed: asyncio.Queue[str] = asyncio.Queue()

    async def intercept(self, call: Any, requests: Any, proceed: Any) -> Any:
        seen.set("set")
        try:
            async for response in proceed(request + b"<" async for request in requests):
                yield response + b">"
        finally:
            self.closed.put_nowait(threading.current_thread().name)


async def generates(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request + seen.get().encode()


async def reads_and_writes(requests: Any, context: Any) -> None:
    assert isinstance(context, clarion.aio.ServicerContext)
    assert context.peer() in repr(context)
    while (request := await context.read()) is not clarion.aio.EOF:
        await context.write(request + seen.get().encode())


async def returns_a_generator(requests: Any, context: Any) -> Any:
    return generates(requests, context)


def plain(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    for request in requests:
        yield request + seen.get().encode()


def plain_writes(requests: Iterator[bytes], context: Any) -> None:
    while (request := context.read()) is not clarion.aio.EOF:
        context.write(request + seen.get().encode())


async def joins(requests: Any, context: Any) -> bytes:
    found = []
    while (request := await context.read()) is not clarion.aio.EOF:
        found.append(request)
    return b",".join(found) + seen.get().encode()


def plain_joins(requests: Iterator[bytes], context: Any) -> bytes:
    return b",".join(requests) + seen.get().encode()


def plain_echo(request: bytes, context: Any) -> bytes:
    if request == b"none<":
        context.set_code(StatusCode.ABORTED)
        return None  # type: ignore[return-value]
    return request + seen.get().encode()


async def refuses(requests: Any, context: Any) -> None:
    await context.write(b"one")
    await context.abort(StatusCode.ABORTED, "no more")


async def never_ends(requests: Any, context: Any) -> None:
    while True:
        await context.write(b"x")
        await asyncio.Event().wait()


STREAMS = {
    each.__name__: clarion.stream_stream_rpc_method_handler(each)
    for each in (generates, reads_and_writes, returns_a_generator, plain, plain_writes, refuses)
} | {"never_ends": clarion.stream_stream_rpc_method_handler(never_ends)}
SINGLE = {
    each.__name__: clarion.stream_unary_rpc_method_handler(each) for each in (joins, plain_joins)
} | {"plain_echo": clarion.unary_unary_rpc_method_handler(plain_echo)}


class Rig:
    """A server with all these handlers behind an interceptor, and a channel to it."""

    async def __aenter__(self) -> Rig:
        self.mark = Mark()
        self.pool = ThreadPoolExecutor(2)
        self.server = clarion.aio.server(self.pool, interceptors=[self.mark])
        handler = clarion.method_handlers_generic_handler("a.B", {**STREAMS, **SINGLE})
        self.server.add_generic_rpc_handlers((handler,))
        port = self.server.add_insecure_port("127.0.0.1:0")
        await self.server.start()
        self.channel = clarion.aio.insecure_channel(f"127.0.0.1:{port}")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.channel.close()
        await self.server.stop(None)
        # Not on the loop, which a handler on a thread may need to come to its end.
        await asyncio.to_thread(end_pool, self.pool)


@pytest.mark.parametrize(
    "name", ["generates", "reads_and_writes", "returns_a_generator", "plain", "plain_writes"]
)
def test_streams_of_responses(name: str) -> None:
    async def run() -> list[bytes]:
        async with Rig() as rig:
            call = rig.channel.stream_stream(f"/a.B/{name}")(iter([b"a", b"b"]), timeout=LIMIT)
            return [response async for response in call]

    assert asyncio.run(run()) == [b"a<set>", b"b<set>"]


@pytest.mark.parametrize("name", ["joins", "plain_joins"])
def test_single_responses(name: str) -> None:
    async def run() -> bytes:
        async with Rig() as rig:
            call = rig.channel.stream_unary(f"/a.B/{name}")(iter([b"a", b"b"]), timeout=LIMIT)
            response: bytes = await call
            return response

    assert asyncio.run(run()) == b"a<,b<set>"


def test_a_plain_function_that_gives_no_response() -> None:
    async def run() -> None:
        async with Rig() as rig:
            method = rig.channel.unary_unary("/a.B/plain_echo")
            assert await method(b"x", timeout=LIMIT) == b"x<set>"
            with pytest.raises(clarion.RpcError) as error:
                await method(b"none", timeout=LIMIT)
            assert error.value.code() is StatusCode.ABORTED

    asyncio.run(run())


def test_a_handler_that_writes_and_aborts() -> None:
    async def run() -> None:
        async with Rig() as rig:
            call = rig.channel.stream_stream("/a.B/refuses")(iter([b"a"]), timeout=LIMIT)
            assert await call.read() == b"one>"
            assert (await call.code(), await call.details()) == (StatusCode.ABORTED, "no more")
            assert await asyncio.wait_for(rig.mark.closed.get(), LIMIT)

    asyncio.run(run())


def test_a_client_that_cancels_ends_a_handler_that_writes() -> None:
    async def run() -> None:
        async with Rig() as rig:
            call = rig.channel.stream_stream("/a.B/never_ends")(iter([b"a"]), timeout=LIMIT)
            assert await call.read() == b"x>"
            call.cancel()
            assert await asyncio.wait_for(rig.mark.closed.get(), LIMIT)

    asyncio.run(run())
