"""Ten times the calls that a server can serve: it sheds what is too much, and serves the rest."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import clarion
from clarion import aio
from support.loops import LoopThread
from support.verified import SERVICE
from support.verified_calls import Ledger, Planner, SyncCaller

if TYPE_CHECKING:
    from conftest import Start, Target

FULL = os.environ.get("CLARION_OVERLOAD") == "full"
LIMIT = 60.0
SECONDS = 15.0 if FULL else 0.3
# A handler takes 50 ms, and ten may run at a time: 200 calls each second are what can be served.
PAUSE = 0.05
AT_A_TIME = 10
SUSTAINABLE = AT_A_TIME / PAUSE
OFFERED = 10 * SUSTAINABLE
CHANNELS = 8
TICK = 0.01
# For what is queued, and for calls that come and go.
BOUND = 64 << 20


async def offer(
    address: str, seconds: float, timeout: float, shedding: threading.Event
) -> Counter[str]:
    """Start calls at the rate `OFFERED`, whether others end or not; how they ended.

    `shedding` is set when the first one fails.
    """
    ends: Counter[str] = Counter()
    async with contextlib.AsyncExitStack() as stack:
        methods = []
        for _ in range(CHANNELS):
            # Channels with the same options and target are not one connection.
            channel = await stack.enter_async_context(aio.insecure_channel(address))
            await asyncio.wait_for(channel.channel_ready(), LIMIT)
            methods.append(channel.unary_unary(f"/{SERVICE}/unary_unary"))

        async def one(number: int) -> None:
            request = Planner.patient("unary_unary", LIMIT).request()
            try:
                await methods[number % CHANNELS](request, timeout=timeout)
                ends["OK"] += 1
            except aio.AioRpcError as error:
                ends[error.code().name] += 1
                if not shedding.is_set():
                    shedding.set()

        tasks = []
        started = time.monotonic()
        while (elapsed := time.monotonic() - started) < seconds:
            while len(tasks) < elapsed * OFFERED:
                tasks.append(asyncio.create_task(one(len(tasks))))
            await asyncio.sleep(TICK)
        await asyncio.gather(*tasks)
    assert ends.total() == len(tasks)
    return ends


def retried(target: Target) -> int:
    """What a well-behaved client does: it tries again, later each time. How often it had to."""
    pause, tries = 0.01, 0
    give_up = time.monotonic() + LIMIT
    with clarion.insecure_channel(target.address) as channel:
        method = channel.unary_unary(f"/{SERVICE}/unary_unary")
        while True:
            plan = Planner.patient("unary_unary", LIMIT)
            call = method.future(plan.request(), timeout=LIMIT)
            if call.code() is clarion.StatusCode.OK:
                plan.check_only(call.result())
                return tries
            assert call.code() is clarion.StatusCode.RESOURCE_EXHAUSTED, call.details()
            assert f"maximum_concurrent_rpcs={AT_A_TIME}" in call.details()
            assert time.monotonic() < give_up, "shed again and again"
            time.sleep(pause)
            pause, tries = min(pause * 1.6, 0.2), tries + 1


def test_what_is_too_much_is_shed(
    start: Start, loop: LoopThread, front: str, say: Callable[[str], None]
) -> None:
    target = start(f"--concurrent={AT_A_TIME}", f"--pause={PAUSE}")
    retried(target)
    shedding = threading.Event()
    load = loop.start(offer, target.address, SECONDS, LIMIT, shedding)
    # Only now is it that there are more calls than are served.
    assert shedding.wait(LIMIT)
    tries = [retried(target) for _ in range(20 if FULL else 2)]
    ends = load.result(LIMIT)
    assert ends.keys() == {"OK", "RESOURCE_EXHAUSTED"}
    assert target.grown < BOUND
    # As soon as there is room, all is as before.
    assert retried(target) == 0
    say(
        f"{front}, maximum_concurrent_rpcs: {dict(ends)} in {SECONDS:g} s of {OFFERED:g} calls/s;"
        f" a client that retries needed {max(tries)} retries at most;"
        f" {target.grown / 2**20:.0f} MiB more"
    )


def test_what_waits_too_long_ends_at_its_deadline(
    start: Start, loop: LoopThread, front: str, say: Callable[[str], None]
) -> None:
    """Without `maximum_concurrent_rpcs` calls wait for a thread, or for the loop; deadlines bound that."""
    target = start(f"--threads={AT_A_TIME}", f"--pause={PAUSE}")
    ends = loop.start(offer, target.address, SECONDS, 0.5, threading.Event()).result(LIMIT)
    assert ends.keys() <= {"OK", "DEADLINE_EXCEEDED"}
    # How many are served in time is for the machine to say; calls of threads are too many for any.
    assert front == "aio" or ends["DEADLINE_EXCEEDED"] > 0
    assert target.grown < BOUND
    with clarion.insecure_channel(target.address) as channel:
        ledger = Ledger()
        assert SyncCaller(channel, ledger).run(Planner.patient("unary_unary", LIMIT)) == "OK"
    say(
        f"{front}, no limit, deadline 0.5 s: {dict(ends)} in {SECONDS:g} s of {OFFERED:g} calls/s;"
        f" {target.grown / 2**20:.0f} MiB more"
    )
