"""Tasks that wait for the same thing: each has a future of its own, so that cancelling one leaves the others."""

from __future__ import annotations

import asyncio

__all__ = ["Waiters"]


class Waiters:
    """A list of futures.

    Args:
        loop: the event loop the tasks run on.
    """

    __slots__ = ("_futures", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._futures: list[asyncio.Future[None]] = []

    def wait(self) -> asyncio.Future[None]:
        """A future to await; `wake` makes it done."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._futures.append(future)
        return future

    def wake(self) -> None:
        """Wake every task that waits."""
        futures, self._futures = self._futures, []
        for future in futures:
            if not future.done():
                future.set_result(None)
