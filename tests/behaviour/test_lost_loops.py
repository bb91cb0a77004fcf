"""What becomes of handlers on threads when the event loop of their server is no more."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from clarion.aio import migration
from support.libraries import LIMIT
from support.servers import end_pool


class _Call:
    """A call whose client says nothing. The loop is stopped while its handler waits for that."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.link = self
        self.loop = loop

    async def next_request(self) -> bytes:
        self.loop.stop()
        await self.loop.create_future()
        return b""

    async def write(self, message: object) -> None:
        raise TimeoutError(message)


@pytest.fixture
def pool() -> Any:
    pool = ThreadPoolExecutor(1)
    yield pool
    end_pool(pool)


def test_a_handler_that_waits_for_a_loop_that_is_closed(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "_LOOK", 0.01)
    loop = asyncio.new_event_loop()
    # It is told of the task that is lost with the loop.
    loop.set_exception_handler(lambda *_: None)
    call: Any = _Call(loop)
    read: Future[Any] = pool.submit(migration.ThreadServicerContext(call, call).read)
    loop.run_forever()
    loop.close()
    assert isinstance(read.exception(LIMIT), RuntimeError)
    assert "event loop was closed while this handler waited" in str(read.exception())


def test_an_error_is_told_apart_from_the_wait_for_it(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "_LOOK", 0.01)

    async def run() -> None:
        call: Any = _Call(asyncio.get_running_loop())
        with pytest.raises(TimeoutError, match="late"):
            context = migration.ThreadServicerContext(call, call)
            await call.loop.run_in_executor(pool, context.write, "late")

    asyncio.run(run())
