"""Many tasks on one asyncio channel."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

import clarion
from clarion import aio
from support.footprint import Footprint, settled

LIMIT = 60.0
# There is much to do, and more than one wait, for a machine that is slow and busy.
pytestmark = pytest.mark.timeout(4 * LIMIT)


async def _echo(request: bytes, context: Any) -> bytes:
    return request


async def _down(request: bytes, context: Any) -> AsyncIterator[bytes]:
    for _ in range(20):
        yield request


async def _up(requests: AsyncIterator[bytes], context: Any) -> bytes:
    return b"".join([request async for request in requests])


async def _talk(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


async def _never(request: bytes, context: Any) -> bytes:
    await asyncio.get_running_loop().create_future()
    return b""


_HANDLERS = {
    "Unary": clarion.unary_unary_rpc_method_handler(_echo),
    "Down": clarion.unary_stream_rpc_method_handler(_down),
    "Up": clarion.stream_unary_rpc_method_handler(_up),
    "Talk": clarion.stream_stream_rpc_method_handler(_talk),
    "Never": clarion.unary_unary_rpc_method_handler(_never),
}


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[str]:
    server = aio.server()
    server.add_registered_method_handlers("s.S", _HANDLERS)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def run(work: Any) -> None:
    """Run `work(channel)` twice on a loop of its own; nothing may be left after it."""

    async def main() -> None:
        mine = asyncio.all_tasks()
        async with serving() as target, aio.insecure_channel(target) as channel:
            await asyncio.wait_for(work(channel), LIMIT)
            before = Footprint.now()
            await asyncio.wait_for(work(channel), LIMIT)
            # Cancelled calls of the server end a moment later.
            while (after := Footprint.now()).more_than(before):  # noqa: ASYNC110 - they say it to nobody
                await asyncio.sleep(0.02)
            assert after.resident - before.resident < 24 << 20
        assert asyncio.all_tasks() == mine

    before = Footprint.now()
    asyncio.run(asyncio.wait_for(main(), 2 * LIMIT))
    after = settled(before)
    assert after.more_than(before) == ""


def test_ten_thousand_calls_at_once() -> None:
    async def work(channel: aio.Channel) -> None:
        method = channel.unary_unary("/s.S/Unary")
        calls = [method(b"%d" % number) for number in range(10_000)]
        responses = await asyncio.gather(*calls)
        assert responses == [b"%d" % number for number in range(10_000)]

    run(work)


def test_ten_thousand_calls_that_are_cancelled() -> None:
    async def work(channel: aio.Channel) -> None:
        method = channel.unary_unary("/s.S/Never")
        calls = [method(b"x") for _ in range(10_000)]
        await calls[0].wait_for_connection()
        for call in calls:
            assert call.cancel()
        assert {await call.code() for call in calls} == {clarion.StatusCode.CANCELLED}

    run(work)


@pytest.mark.parametrize("seed", range(2))
def test_tasks_do_as_they_like(seed: int) -> None:
    run(lambda channel: _at_will(channel, seed))


async def _at_will(channel: aio.Channel, seed: int) -> None:
    async def caller(number: int) -> None:
        rng = random.Random(f"{seed}/{number}")
        unary = channel.unary_unary("/s.S/Unary")
        down = channel.unary_stream("/s.S/Down")
        up = channel.stream_unary("/s.S/Up")
        talk = channel.stream_stream("/s.S/Talk")
        never = channel.unary_unary("/s.S/Never")
        for _ in range(10):
            act = rng.randrange(8)
            if act == 0:
                assert await unary(b"x") == b"x"
            elif act == 1:
                assert len([each async for each in down(b"x")]) == 20
            elif act == 2:
                call = down(b"x")
                assert await call.read() == b"x"
                call.cancel()
            elif act == 3:
                assert await up(iter([b"a"] * 10)) == b"a" * 10
            elif act == 4:
                stream = talk()
                await stream.write(b"a")
                assert await stream.read() == b"a"
                await stream.done_writing()
                assert await stream.read() is aio.EOF
            elif act == 5:
                with pytest.raises(aio.AioRpcError) as caught:
                    await never(b"", timeout=rng.choice([0.0, 0.001, 0.02]))
                assert caught.value.code() is clarion.StatusCode.DEADLINE_EXCEEDED
            elif act == 6:
                waiting = asyncio.ensure_future(_result(never(b"")))
                await asyncio.sleep(rng.choice([0, 0, 0.001]))
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            else:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(never(b""), 0.001)

    await asyncio.gather(*(caller(number) for number in range(100)))


async def _result(call: Any) -> Any:
    return await call


def test_the_channel_is_closed_in_the_middle() -> None:
    async def main() -> None:
        async with serving() as target:
            channel = aio.insecure_channel(target)
            busy = 0
            enough = asyncio.Event()

            async def caller() -> None:
                nonlocal busy
                method = channel.unary_stream("/s.S/Down")
                while True:
                    async for _ in method(b"x"):
                        busy += 1
                        if busy > 2_000:
                            enough.set()

            tasks = [asyncio.create_task(caller()) for _ in range(100)]
            await enough.wait()
            await channel.close()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            for error in ended:
                if isinstance(error, aio.AioRpcError):
                    assert error.code() is clarion.StatusCode.CANCELLED
                else:
                    assert isinstance(error, (aio.UsageError, asyncio.CancelledError)), error

    before = Footprint.now()
    asyncio.run(asyncio.wait_for(main(), LIMIT))
    after = settled(before)
    assert after.more_than(before) == ""
