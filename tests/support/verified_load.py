"""Clients of both front ends that make planned calls at once, until they are told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import clarion
from clarion import aio
from support.loops import LoopThread
from support.verified_calls import AioCaller, Ledger, Planner, SyncCaller

__all__ = ["AioLoad", "SyncLoad", "loads_end"]

_loads: weakref.WeakSet[SyncLoad | AioLoad] = weakref.WeakSet()


@contextlib.contextmanager
def loads_end() -> Iterator[None]:
    """All loads make their last calls when the block is left, however that is.

    A test that fails leaves no threads and tasks behind that call, one failing call after another, and take the
    processor from all tests that follow.
    """
    try:
        yield
    finally:
        for load in list(_loads):
            load.end()


class SyncLoad:
    """Threads that share a channel, each with a pause after each call."""

    def __init__(
        self,
        channel: clarion.Channel,
        ledger: Ledger,
        planner: Planner,
        seed: object,
        callers: int,
        pause: float = 0.0,
    ) -> None:
        self.channel = channel
        self.ledger = ledger
        self.planner = planner
        self._pause = pause
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._work, args=(random.Random(f"{seed}/{number}"),), daemon=True
            )
            for number in range(callers)
        ]
        _loads.add(self)
        for thread in self._threads:
            thread.start()

    def _work(self, rng: random.Random) -> None:
        caller = SyncCaller(self.channel, self.ledger)
        while not self._stop.is_set():
            caller.run(self.planner.draw(rng))
            if self._pause:
                self._stop.wait(self._pause)

    def end(self) -> None:
        """Begin no more calls."""
        self._stop.set()

    def stop(self, patience: float) -> bool:
        """Let calls end; return whether all did within `patience` seconds."""
        self.end()
        for thread in self._threads:
            thread.join(patience)
        return not any(thread.is_alive() for thread in self._threads)

    def call(self, plan: Any) -> str:
        """Make one call now, and return its status."""
        return SyncCaller(self.channel, self.ledger).run(plan)

    def close(self) -> None:
        self.channel.close()


class AioLoad:
    """Tasks that share a channel, on a loop on a thread; each with a pause after each call."""

    def __init__(
        self,
        loop: LoopThread,
        target: str,
        options: Sequence[tuple[str, Any]],
        credentials: Any,
        ledger: Ledger,
        planner: Planner,
        seed: object,
        callers: int,
        pause: float = 0.0,
    ) -> None:
        self.loop = loop
        self.ledger = ledger
        self.planner = planner
        self._pause = pause
        self._stopping = False
        if credentials is None:
            self.channel = aio.insecure_channel(target, options=options)
        else:
            self.channel = aio.secure_channel(target, credentials, options=options)
        self._work = loop.start(self._all, seed, callers)
        _loads.add(self)

    async def _all(self, seed: object, callers: int) -> None:
        await asyncio.gather(
            *(self._one(random.Random(f"{seed}/{number}")) for number in range(callers))
        )

    async def _one(self, rng: random.Random) -> None:
        caller = AioCaller(self.channel, self.ledger)
        while not self._stopping:
            await caller.run(self.planner.draw(rng))
            # A call that fails at once must not keep the loop to itself.
            await asyncio.sleep(self._pause)

    def end(self) -> None:
        """Begin no more calls."""
        self._stopping = True

    def stop(self, patience: float) -> bool:
        """Let calls end; return whether all did within `patience` seconds."""
        self.end()
        try:
            self._work.result(patience)
        except TimeoutError:
            return False
        return True

    def call(self, plan: Any) -> str:
        """Make one call now, and return its status."""
        return self.loop.run(AioCaller(self.channel, self.ledger).run, plan)

    def close(self) -> None:
        self.loop.run(self.channel.close)
