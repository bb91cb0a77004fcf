"""The lives of asyncio channels and servers: closing with calls in progress, starting and waiting in any order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.libraries import LIMIT, PATTERNS
from support.simple import ECHOES, Hang

GRACES = [None, 0.05]


@pytest.mark.parametrize("grace", GRACES)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_closing_a_channel_cancels_who_waits_for_a_call(
    aio: FrontEnd, pattern: str, grace: float | None
) -> None:
    hang = Hang()
    server = aio.serve({**ECHOES, pattern: hang})
    channels: list[Any] = []

    async def begin() -> tuple[Any, asyncio.Task[Any]]:
        channel = aio.library.aio.insecure_channel(server.target)
        channels.append(channel)
        start = getattr(channel, pattern)(SERVICE + camel(pattern))
        if pattern.startswith("unary"):
            call = start(b"x")
        else:
            call = start()
            await call.write(b"x")

        async def wait() -> Any:
            return await (call if pattern.endswith("unary") else call.read())

        return call, asyncio.ensure_future(wait())

    call, waiting = aio.loop.run(begin)
    hang.wait_started()

    async def close() -> tuple[bool, str]:
        await channels[0].close(grace)
        await asyncio.wait([waiting], timeout=LIMIT)
        assert call.cancelled()
        assert await call.code() is aio.library.root.StatusCode.CANCELLED
        return waiting.cancelled(), await call.details()

    assert aio.loop.run(close) == (True, "Locally cancelled by application!")
    hang.wait_ended()


@pytest.mark.parametrize("grace", GRACES)
def test_closing_a_channel_cancels_calls_that_wait_for_a_connection(
    aio: FrontEnd, grace: float | None
) -> None:
    async def run() -> bool:
        channel = aio.library.aio.insecure_channel("127.0.0.1:1")
        call = channel.unary_unary(SERVICE + "UnaryUnary")(b"x", wait_for_ready=True)

        async def wait() -> Any:
            return await call

        waiting = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        await channel.close(grace)
        await asyncio.wait([waiting], timeout=LIMIT)
        return waiting.cancelled()

    assert aio.loop.run(run)


def test_starting_a_server_again_changes_nothing(aio: FrontEnd) -> None:
    server = aio.serve(ECHOES)
    assert aio.loop.run(server.raw.start) is None
    outcome = aio.connect(server.target).call(SERVICE + "UnaryUnary", "unary_unary", [b"x"])
    assert outcome.responses == [b"x"]
    aio.loop.run(server.raw.stop, None)
    with pytest.raises(aio.library.aio.UsageError):
        aio.loop.run(server.raw.start)


def test_waiting_for_the_termination_of_a_server_that_is_started_later(aio: FrontEnd) -> None:
    async def run() -> tuple[bool, bool]:
        server = aio.library.aio.server()
        early = await server.wait_for_termination(0.01)
        waiting = asyncio.ensure_future(server.wait_for_termination())
        await asyncio.sleep(0)
        await server.start()
        assert not waiting.done()
        await server.stop(None)
        return early, await asyncio.wait_for(waiting, LIMIT)

    assert aio.loop.run(run) == (True, False)


def test_waiting_for_the_termination_of_a_server_that_is_never_started(aio: FrontEnd) -> None:
    aio.clarion_only("a server that is stopped before its start is not stopped")

    async def run() -> tuple[bool, bool]:
        server = aio.library.aio.server()
        waiting = asyncio.ensure_future(server.wait_for_termination())
        await asyncio.sleep(0)
        await server.stop(None)
        return await asyncio.wait_for(waiting, LIMIT), await server.wait_for_termination()

    assert aio.loop.run(run) == (False, False)
