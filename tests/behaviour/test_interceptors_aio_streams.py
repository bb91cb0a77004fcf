"""Interceptors of asyncio channels: streams, step by step, and the channel's end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from support.front_end import FrontEnd
from support.interception_aio import (
    AioRig,
    expected,
    on_the_loop,
    proceed,
    requests,
)
from support.libraries import LIMIT, PATTERNS

patterns = pytest.mark.parametrize("pattern", PATTERNS)
stream_responses = pytest.mark.parametrize("pattern", ["unary_stream", "stream_stream"])
stream_requests = pytest.mark.parametrize("pattern", ["stream_unary", "stream_stream"])
one_response = pytest.mark.parametrize("pattern", ["unary_unary", "stream_unary"])


@pytest.fixture
def rig(aio: FrontEnd) -> Iterator[AioRig]:
    rig = aio.loop.call(AioRig, aio.library, aio.loop)
    aio.loop.run(rig.serve)
    yield rig
    aio.loop.run(rig.close)


# Streams, step by step


@stream_responses
@on_the_loop
async def test_reading_step_by_step(rig: AioRig, pattern: str) -> None:
    call = rig.open(rig.connect(rig.interceptor(pattern, proceed)), pattern, b"x")
    responses = []
    while (response := await call.read()) is not rig.aio.EOF:
        responses.append(response)
    assert responses == expected(pattern)
    assert await call.read() is rig.aio.EOF


@stream_responses
@on_the_loop
async def test_reading_and_iterating_may_be_mixed(rig: AioRig, pattern: str) -> None:
    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        async for _ in await continuation(details, request):
            pass
        return requests(b"1", b"2", b"3")

    call = rig.open(rig.connect(rig.interceptor(pattern, intercept)), pattern, b"x")
    assert await call.read() == b"1"
    assert [response async for response in call] == [b"2", b"3"]


@stream_requests
@on_the_loop
async def test_writing_step_by_step(rig: AioRig, pattern: str) -> None:
    seen: list[bytes] = []

    async def intercept(continuation: Any, details: Any, request_iterator: Any) -> Any:
        async def watched() -> AsyncIterator[bytes]:
            async for request in request_iterator:
                seen.append(request)
                yield request

        return await continuation(details, watched())

    call = rig.open(rig.connect(rig.interceptor(pattern, intercept)), pattern)
    for request in (b"a", b"b", b"c"):
        await call.write(request)
    await call.done_writing()
    responses = [b"abc"] if pattern == "stream_unary" else [b"a", b"b", b"c"]
    assert await rig.finish(call, pattern) == responses
    assert seen == [b"a", b"b", b"c"]


@on_the_loop
async def test_a_conversation(rig: AioRig) -> None:
    call = rig.open(rig.connect(rig.interceptor("stream_stream", proceed)), "stream_stream")
    for request in (b"a", b"b", b"c"):
        await call.write(request)
        assert await call.read() == request
    await call.done_writing()
    await call.done_writing()
    assert await call.read() is rig.aio.EOF
    assert await call.code() is rig.grpc.StatusCode.OK


@stream_requests
@on_the_loop
async def test_no_writing_beside_a_request_iterator(rig: AioRig, pattern: str) -> None:
    call = rig.open(rig.connect(rig.interceptor(pattern, proceed)), pattern, b"x")
    with pytest.raises(rig.aio.UsageError):
        await call.write(b"y")
    with pytest.raises(rig.aio.UsageError):
        await call.done_writing()
    assert await rig.finish(call, pattern) == [b"x"]


@stream_requests
@on_the_loop
async def test_writing_to_a_call_that_is_over(rig: AioRig, pattern: str) -> None:
    call = rig.open(rig.connect(rig.interceptor(pattern, proceed)), pattern)
    await call.write(b"fail")
    await call.done_writing()
    assert await call.code() is rig.grpc.StatusCode.NOT_FOUND
    with pytest.raises(asyncio.InvalidStateError):
        await call.write(b"x")


@stream_requests
@on_the_loop
async def test_writing_after_the_end_of_requests(rig: AioRig, pattern: str) -> None:
    if rig.library.name != "clarion":
        pytest.skip("grpcio: depends on whether the end was sent already")
    call = rig.open(rig.connect(rig.interceptor(pattern, proceed)), pattern)
    await call.write(b"hang")
    await call.done_writing()
    await rig.hanging.acquire()
    with pytest.raises(asyncio.InvalidStateError, match="done_writing"):
        await call.write(b"x")
    call.cancel()


@stream_requests
@pytest.mark.parametrize("how", ["cancel", "status"])
@on_the_loop
async def test_writing_without_a_call(rig: AioRig, pattern: str, how: str) -> None:
    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        if how == "cancel":
            await asyncio.Event().wait()
        code = rig.grpc.StatusCode.ABORTED
        raise rig.aio.AioRpcError(code, rig.aio.Metadata(), rig.aio.Metadata())

    call = rig.open(rig.connect(rig.interceptor(pattern, intercept)), pattern)
    if how == "cancel":
        call.cancel()
    with pytest.raises(asyncio.InvalidStateError):
        await call.write(b"x")
    if how == "cancel":
        with pytest.raises(asyncio.InvalidStateError):
            await call.done_writing()


@stream_requests
@on_the_loop
async def test_a_write_that_waits_ends_with_the_call(rig: AioRig, pattern: str) -> None:
    taken = asyncio.Event()

    async def intercept(continuation: Any, details: Any, request_iterator: Any) -> Any:
        async def first() -> AsyncIterator[bytes]:
            async for request in request_iterator:
                yield request
                taken.set()
                await asyncio.Event().wait()

        return await continuation(details, first())

    call = rig.open(rig.connect(rig.interceptor(pattern, intercept)), pattern)
    await call.write(b"a")

    async def write_on() -> None:
        while True:
            await call.write(b"b")

    writing = asyncio.create_task(write_on())
    await taken.wait()
    assert not writing.done()
    call.cancel()
    with pytest.raises(asyncio.InvalidStateError):
        await writing


@stream_requests
@on_the_loop
async def test_an_interceptor_may_take_the_requests_before_it_returns(
    rig: AioRig, pattern: str
) -> None:
    if rig.library.name != "clarion":
        pytest.skip("grpcio: waits for ever")

    async def intercept(continuation: Any, details: Any, request_iterator: Any) -> Any:
        first = await anext(request_iterator)
        rest = [request async for request in request_iterator]
        return await continuation(details, requests(b"+".join([first, *rest])))

    call = rig.open(rig.connect(rig.interceptor(pattern, intercept)), pattern)
    for request in (b"a", b"b", b"c"):
        await call.write(request)
    await call.done_writing()
    assert await rig.finish(call, pattern) == [b"a+b+c"]


@on_the_loop
async def test_a_conversation_with_an_interceptor(rig: AioRig) -> None:
    if rig.library.name != "clarion":
        pytest.skip("grpcio: an iterator without a call takes no requests")

    async def intercept(continuation: Any, details: Any, request_iterator: Any) -> Any:
        async def shout() -> AsyncIterator[bytes]:
            async for request in request_iterator:
                yield request.upper()

        return shout()

    call = rig.open(rig.connect(rig.interceptor("stream_stream", intercept)), "stream_stream")
    for request in (b"a", b"b"):
        await call.write(request)
        assert await call.read() == request.upper()
        assert not call.done()
    await call.done_writing()
    assert await call.read() is rig.aio.EOF
    assert call.done()
    assert await call.code() is rig.grpc.StatusCode.OK


# The channel's end


@on_the_loop
async def test_closing_the_channel_cancels_calls_that_are_not_on_their_way(rig: AioRig) -> None:
    started = asyncio.Event()

    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        started.set()
        await asyncio.Event().wait()

    channel = rig.connect(rig.interceptor("unary_unary", intercept))
    call = rig.open(channel, "unary_unary", b"x")
    await started.wait()
    await channel.close()
    with pytest.raises(asyncio.CancelledError):
        await call


@on_the_loop
async def test_a_grace_period_is_for_interceptors_too(rig: AioRig) -> None:
    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        return await (await continuation(details, request)) + b"!"

    channel = rig.connect(rig.interceptor("unary_unary", intercept))
    call = rig.open(channel, "unary_unary", b"hang")
    await rig.hanging.acquire()
    closing = asyncio.create_task(channel.close(LIMIT))
    await asyncio.sleep(0)
    rig.gate.set()
    await closing
    assert await call == b"hang!"
