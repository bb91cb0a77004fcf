"""An asyncio event loop on a thread of its own, so that blocking tests can drive the asyncio front end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from support.libraries import LIMIT

__all__ = ["LoopThread", "uvloop_factory"]

T = TypeVar("T")


def uvloop_factory() -> asyncio.AbstractEventLoop:
    """A new uvloop loop. Raises ImportError where uvloop is not installed."""
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


class LoopThread:
    """Runs a loop until `close`; `run` and `start` hand it coroutines from other threads."""

    def __init__(
        self, factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    ) -> None:
        self.loop = factory()
        self._thread = threading.Thread(target=self._main, name="test-loop", daemon=True)
        self._thread.start()

    def _main(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def start(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> Future[T]:
        """Calls `function` on the loop; the future has its awaited result."""

        async def invoke() -> T:
            return await function(*arguments)

        return asyncio.run_coroutine_threadsafe(invoke(), self.loop)

    def run(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """`start` and wait for the result, at most `LIMIT` seconds."""
        return self.start(function, *arguments).result(LIMIT)

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Calls a plain `function` on the loop and returns its result."""

        async def invoke() -> T:
            return function(*arguments)

        return self.run(invoke)

    def close(self) -> None:
        """Cancels what still runs, stops the loop and joins the thread."""

        async def cancel_all() -> None:
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        try:
            self.run(cancel_all)
        finally:
            # Even if a task goes on: it must not take the processor from the tests that follow.
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(LIMIT)
        assert not self._thread.is_alive(), "the test's event loop did not stop"
        self.loop.close()
