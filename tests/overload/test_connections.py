"""Clients that hold connections and do next to nothing with them: memory stays bounded, and others are served."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

import clarion
from clarion import aio
from support.attackers import ATTACKS, Swarm
from support.loops import LoopThread
from support.verified import PATTERNS
from support.verified_calls import AioCaller, Ledger, Planner, SyncCaller

if TYPE_CHECKING:
    from conftest import Start, Target

FULL = os.environ.get("CLARION_OVERLOAD") == "full"
LIMIT = 60.0
SIZE = 1000 if FULL else 40
# What one connection may make a server hold: what is handed to its transport (256 KiB), a message that waits
# behind it (64 KiB here), and what the connection itself is. docs/robustness.md states it.
EACH = 384 << 10
# What a server may grow by that serves its first calls.
SLACK = 16 << 20
# What docs/robustness.md recommends for open networks, with shorter times.
CAREFUL = {
    "grpc__server_handshake_timeout_ms": 1000,
    "grpc__keepalive_time_ms": 1000,
    "grpc__keepalive_timeout_ms": 1000,
    "grpc__max_connection_idle_ms": 2000,
}
# They are noticed by themselves; the others are idle, and drained with patience.
QUICK = ("silent", "slow preface", "slow reader")
GROUPS = [[name] for name in ATTACKS] if FULL else [list(ATTACKS)]


def served(target: Target, loop: LoopThread) -> float:
    """One call of each pattern on new connections of both front ends; all succeed. How long the slowest took."""
    ledger = Ledger(unavailable=False)
    slowest = 0.0
    with clarion.insecure_channel(target.address) as channel:
        caller = SyncCaller(channel, ledger)
        for pattern in PATTERNS:
            started = time.monotonic()
            assert caller.run(Planner.patient(pattern, LIMIT)) == "OK", ledger.wrong
            slowest = max(slowest, time.monotonic() - started)

    async def with_aio() -> None:
        async with aio.insecure_channel(target.address) as channel:
            caller = AioCaller(channel, ledger)
            for pattern in PATTERNS:
                assert await caller.run(Planner.patient(pattern, LIMIT)) == "OK", ledger.wrong

    loop.run(with_aio)
    return slowest


def until(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < give_up, what
        time.sleep(0.05)


@pytest.mark.parametrize("names", GROUPS, ids=", ".join if FULL else lambda names: "all")
def test_others_are_served_and_memory_is_bounded(
    start: Start, loop: LoopThread, front: str, names: list[str], say: Callable[[str], None]
) -> None:
    target = start(**CAREFUL)
    served(target, loop)
    with contextlib.ExitStack() as stack:
        swarms = {
            name: stack.enter_context(
                contextlib.closing(Swarm(target.port, ATTACKS[name], SIZE, 1.0 if FULL else 0.2))
            )
            for name in names
        }
        assert not any(swarm.refused for swarm in swarms.values())
        slowest = [served(target, loop) for _ in range(3)]
        for name, swarm in swarms.items():
            if name == "slow reader":
                # It does not read that it was thrown out; that its threads are free again is what counts.
                served(target, loop)
            elif FULL or name in QUICK:
                until(lambda: not swarm.connected, f"{name}: the server keeps it")  # noqa: B023
        slowest.append(served(target, loop))
    size = SIZE * len(names)
    assert target.grown < size * EACH + SLACK
    say(
        f"{front}, {size} x {', '.join(names)}: {target.grown / 2**20:.0f} MiB more,"
        f" {target.grown / size / 1024:.0f} KiB each; slowest call {max(slowest):.2f} s"
    )


def test_connections_above_the_limit(
    start: Start, loop: LoopThread, front: str, say: Callable[[str], None]
) -> None:
    most = 100 if FULL else 30
    target = start(grpc__max_allowed_incoming_connections=most)
    with clarion.insecure_channel(target.address) as channel:
        ledger = Ledger()
        caller = SyncCaller(channel, ledger)
        assert caller.run(Planner.patient("unary_unary", LIMIT)) == "OK"
        with contextlib.closing(Swarm(target.port, ATTACKS["idle"], 4 * most, 0.05)) as swarm:
            until(lambda: swarm.connected <= most, "more connections than the limit")
            # Who was there is served; who comes is told why not.
            assert caller.run(Planner.patient("unary_unary", LIMIT)) == "OK"
            with clarion.insecure_channel(target.address) as another:
                with pytest.raises(clarion.RpcError) as caught:
                    another.unary_unary("/x/y")(b"", timeout=LIMIT)
                assert f"the server takes {most} connections" in caught.value.details()
            if FULL:
                # Those who never made a call make room for one who does.
                served(target, loop)
        served(target, loop)
    say(f"{front}, {4 * most} connections where {most} may be: {target.grown / 2**20:.0f} MiB more")


def test_descriptors_run_out(
    start: Start, loop: LoopThread, front: str, say: Callable[[str], None]
) -> None:
    """Without a limit on connections the server neither dies nor spins, and accepts again when it can."""
    target = start("--descriptors=64", grpc__max_allowed_incoming_connections=100_000)
    with clarion.insecure_channel(target.address) as channel:
        ledger = Ledger()
        caller = SyncCaller(channel, ledger)
        assert caller.run(Planner.patient("unary_unary", LIMIT)) == "OK"
        with contextlib.closing(Swarm(target.port, ATTACKS["idle"], 200)):
            before, since = target.memory.processor, time.monotonic()
            while time.monotonic() - since < (5.0 if FULL else 1.2):
                assert caller.run(Planner.patient("unary_unary", LIMIT)) == "OK"
                time.sleep(0.1)
            busy = (target.memory.processor - before) / (time.monotonic() - since)
            # A loop that spins would have all of it.
            assert busy < 0.5
        served(target, loop)
    complaints = target.process.stderr().count("Too many open files")
    # asyncio says it, a few times a second at most.
    assert complaints <= (0 if front == "sync" else 50)
    say(f"{front}, 64 descriptors and 200 connections: {busy:.0%} of a processor")


@pytest.mark.parametrize("front", ["sync", "aio"] if FULL else ["aio"])
def test_the_default_limit_keeps_descriptors_free(start: Start, loop: LoopThread) -> None:
    target = start("--descriptors=96")
    with clarion.insecure_channel(target.address) as channel:
        caller = SyncCaller(channel, Ledger())
        assert caller.run(Planner.patient("unary_unary", LIMIT)) == "OK"
        with contextlib.closing(Swarm(target.port, ATTACKS["idle"], 200, 0.05)) as swarm:
            until(lambda: swarm.connected <= 96 - 32, "more connections than descriptors allow")
            assert caller.run(Planner.patient("unary_unary", LIMIT)) == "OK"
    assert target.process.stderr() == ""
