"""Real servers and channels on a clock that the test moves."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import clarion
import clarion.aio
from clarion import StatusCode
from clarion.testing import FakeClock

LIMIT = 30.0
# Less than it takes a server to ask whether its client is there.
HOUR = 3600.0


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with FakeClock() as clock:
        yield clock


class Waiting:
    """A sync server whose one method waits until the call ends."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.left: list[float | None] = []
        self._pool = ThreadPoolExecutor(4)
        handler = clarion.method_handlers_generic_handler(
            "S",
            {
                "Wait": clarion.unary_unary_rpc_method_handler(self._wait),
                "Echo": clarion.unary_unary_rpc_method_handler(lambda request, context: request),
            },
        )
        self.server = clarion.server(self._pool, [handler])
        self.server.start()

    def _wait(self, request: bytes, context: Any) -> bytes:
        ended = threading.Event()
        self.left.append(context.time_remaining())
        self.begun.release()
        if context.add_callback(ended.set):
            ended.wait(LIMIT)
        return b""

    def close(self) -> None:
        self.server.stop(None).wait(LIMIT)
        self._pool.shutdown()


@pytest.fixture
def waiting(clock: FakeClock) -> Iterator[Waiting]:
    waiting = Waiting()
    yield waiting
    waiting.close()


def test_a_deadline_passes_when_time_does(clock: FakeClock, waiting: Waiting) -> None:
    with waiting.server.in_process_channel() as channel:
        call = channel.unary_unary("/S/Wait").future(b"", timeout=HOUR)
        assert waiting.begun.acquire(timeout=LIMIT)
        assert waiting.left == [pytest.approx(HOUR)]
        assert call.time_remaining() == pytest.approx(HOUR)
        clock.advance(HOUR - 1)
        assert not call.done()
        clock.advance(2)
        assert call.code() is StatusCode.DEADLINE_EXCEEDED


def test_a_thread_that_waits_for_an_answer_sees_the_clock(
    clock: FakeClock, waiting: Waiting
) -> None:
    ended: list[Any] = []

    def call(channel: Any) -> None:
        try:
            channel.unary_unary("/S/Wait")(b"", timeout=HOUR)
        except clarion.RpcError as error:
            ended.append(error.code())

    with waiting.server.in_process_channel() as channel:
        threads = [threading.Thread(target=call, args=(channel,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert waiting.begun.acquire(timeout=LIMIT)
        clock.advance(HOUR + 1)
        for thread in threads:
            thread.join(LIMIT)
    assert ended == [StatusCode.DEADLINE_EXCEEDED] * 3


def test_a_future_is_waited_for_by_the_clock(clock: FakeClock, waiting: Waiting) -> None:
    with waiting.server.in_process_channel() as channel:
        call = channel.unary_unary("/S/Wait").future(b"")
        assert waiting.begun.acquire(timeout=LIMIT)
        raised: list[BaseException] = []
        looks = threading.Event()

        def wait() -> None:
            looks.set()
            try:
                call.result(timeout=HOUR)
            except clarion.FutureTimeoutError as error:
                raised.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        assert looks.wait(LIMIT)
        give_up = time.monotonic() + LIMIT
        while thread.is_alive() and time.monotonic() < give_up:
            clock.advance(HOUR)
        thread.join(LIMIT)
        assert len(raised) == 1
        assert not call.done()
        call.cancel()


def test_a_call_that_waits_for_a_connection_sees_the_clock(clock: FakeClock) -> None:
    pool = ThreadPoolExecutor(1)
    server = clarion.server(pool)
    ended: list[Any] = []
    looks = threading.Event()

    def call(channel: Any) -> None:
        looks.set()
        try:
            channel.unary_unary("/S/M")(b"", timeout=3, wait_for_ready=True)
        except clarion.RpcError as error:
            ended.append(error.code())

    # It never starts, and so never answers.
    with server.in_process_channel() as channel:
        thread = threading.Thread(target=call, args=(channel,))
        thread.start()
        assert looks.wait(LIMIT)
        give_up = time.monotonic() + LIMIT
        while thread.is_alive() and time.monotonic() < give_up:
            clock.advance(1)
        thread.join(LIMIT)
    assert ended == [StatusCode.DEADLINE_EXCEEDED]
    server.stop(None)
    pool.shutdown()


def test_backoff_lasts_as_long_as_the_clock_says(clock: FakeClock) -> None:
    pool = ThreadPoolExecutor(1)
    server = clarion.server(pool)
    server.stop(None)
    refused = 0
    take = server.take_connection  # type: ignore[attr-defined]

    def count(sock: Any, security: Any = None) -> str:
        nonlocal refused
        refused += 1
        return str(take(sock, security))

    server.take_connection = count  # type: ignore[attr-defined]
    with server.in_process_channel() as channel:
        call = channel.unary_unary("/S/M").future(b"", wait_for_ready=True)
        clock.advance(0)
        assert refused == 1
        clock.advance(0.5)
        assert refused == 1
        clock.advance(3600)
        # Two minutes between attempts, in the end, give or take a fifth.
        assert 25 < refused < 50
        assert not call.done()
        call.cancel()
    pool.shutdown()


def test_an_idle_channel_lets_its_connection_go(clock: FakeClock, waiting: Waiting) -> None:
    with waiting.server.in_process_channel([("grpc.client_idle_timeout_ms", 60_000)]) as channel:
        assert channel.unary_unary("/S/Echo")(b"a", timeout=LIMIT) == b"a"
        states: list[Any] = []
        seen = threading.Condition()

        def note(state: Any) -> None:
            with seen:
                states.append(state)
                seen.notify_all()

        channel.subscribe(note)
        with seen:
            assert seen.wait_for(lambda: states, LIMIT)
        clock.advance(200)
        with seen:
            idle = clarion.ChannelConnectivity.IDLE
            assert seen.wait_for(lambda: states[-1] is idle, LIMIT)


def test_an_event_loop_lives_by_the_clock() -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        await asyncio.sleep(HOUR)
        return b"done"

    async def use(clock: FakeClock) -> None:
        clock.attach(asyncio.get_running_loop())
        handlers = {"M": clarion.unary_unary_rpc_method_handler(handler)}
        server = clarion.aio.server(
            handlers=[clarion.method_handlers_generic_handler("S", handlers)]
        )
        await server.start()
        async with server.in_process_channel() as channel:
            short = channel.unary_unary("/S/M")(b"", timeout=10)
            long = channel.unary_unary("/S/M")(b"")
            await clock.advance_aio(11)
            assert short.done()
            assert await short.code() is StatusCode.DEADLINE_EXCEEDED
            assert not long.done()
            await clock.advance_aio(HOUR)
            assert await long == b"done"
        await server.stop(5)

    with FakeClock() as clock:
        asyncio.run(use(clock))


def test_a_loop_of_another_thread_is_waited_for(clock: FakeClock) -> None:
    loop = asyncio.SelectorEventLoop()
    clock.attach(loop)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    order: list[int] = []

    async def steps() -> None:
        for number in range(3):
            await asyncio.sleep(10)
            order.append(number)

    done = asyncio.run_coroutine_threadsafe(steps(), loop)
    clock.advance(15)
    assert order == [0]
    clock.advance(100)
    assert order == [0, 1, 2]
    done.result(LIMIT)
    clock.detach(loop)
    assert loop.time() == pytest.approx(time.monotonic(), abs=LIMIT)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(LIMIT)
    loop.close()


def test_timers_that_are_left_have_as_long_to_go_as_before() -> None:
    from clarion.sync.runtime import runtime

    with FakeClock() as clock:
        timer = runtime().call_later(2 * HOUR, lambda: None)
        clock.advance(HOUR)
        assert runtime().now() == clock.now()
    due = [when for when, _, each in runtime().io._timers if each is timer]
    timer.cancel()
    assert due == [pytest.approx(time.monotonic() + HOUR, abs=600)]
    assert runtime().now() == pytest.approx(time.monotonic(), abs=LIMIT)


def test_its_misuse_is_refused(clock: FakeClock) -> None:
    with pytest.raises(RuntimeError, match="one at a time"), FakeClock():
        pass
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)
    with pytest.raises(TypeError, match="asyncio's own event loop"):
        clock.attach(object())  # type: ignore[arg-type]

    async def blocks() -> None:
        clock.attach(asyncio.get_running_loop())
        with pytest.raises(RuntimeError, match="advance_aio"):
            clock.advance(1)

    asyncio.run(blocks())
    loop = asyncio.new_event_loop()
    with pytest.raises(RuntimeError, match="enter it first"):
        FakeClock().attach(loop)
    loop.close()


def test_no_module_of_the_sync_front_end_is_forgotten(clock: FakeClock) -> None:
    """Each that looks at the monotonic clock sees this one."""
    looking = {
        name: module
        for name, module in sys.modules.items()
        if name.startswith("clarion.sync.")
        and getattr(module, "time", None) is not None
        and "time.monotonic()" in inspect.getsource(module)
    }
    assert "clarion.sync.call_objects" in looking
    assert [name for name, module in looking.items() if module.time is time] == []
