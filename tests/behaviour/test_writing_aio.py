"""Writing to an asyncio call step by step, and when it is too late for that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from support.front_end import FrontEnd
from support.interception_aio import AioRig, on_the_loop

stream_requests = pytest.mark.parametrize("pattern", ["stream_unary", "stream_stream"])


@pytest.fixture
def rig(aio: FrontEnd) -> Iterator[AioRig]:
    rig = aio.loop.call(AioRig, aio.library, aio.loop)
    aio.loop.run(rig.serve)
    yield rig
    aio.loop.run(rig.close)


@stream_requests
@on_the_loop
async def test_no_write_after_the_end_of_requests(rig: AioRig, pattern: str) -> None:
    call = rig.open(rig.connect(), pattern)
    await call.write(b"hang")
    await call.done_writing()
    await call.done_writing()
    await rig.hanging.acquire()
    with pytest.raises(asyncio.InvalidStateError):
        await call.write(b"x")
    rig.gate.set()
    assert await rig.finish(call, pattern) == [b"hang"]


@stream_requests
@on_the_loop
async def test_no_write_after_the_end_of_the_call(rig: AioRig, pattern: str) -> None:
    call = rig.open(rig.connect(), pattern)
    await call.write(b"fail")
    if pattern == "stream_unary":
        await call.done_writing()
    with pytest.raises(rig.aio.AioRpcError):
        await rig.finish(call, pattern)
    with pytest.raises(asyncio.InvalidStateError):
        await call.write(b"x")
    await call.done_writing()


@stream_requests
@on_the_loop
async def test_no_write_after_cancel(rig: AioRig, pattern: str) -> None:
    call = rig.open(rig.connect(), pattern)
    await call.write(b"hang")
    await call.done_writing()
    await rig.hanging.acquire()
    assert call.cancel()
    with pytest.raises(asyncio.InvalidStateError):
        await call.write(b"x")
