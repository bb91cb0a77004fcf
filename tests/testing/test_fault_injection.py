"""Calls that are held up, or fail, on purpose."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import clarion
import clarion.aio
from clarion import StatusCode
from clarion.testing import FakeClock, Fault, FaultInjector

LIMIT = 30.0
UNAVAILABLE = StatusCode.UNAVAILABLE


def _one(request: bytes, context: Any) -> bytes:
    return b"ok"


def _many(request: bytes, context: Any) -> Iterator[bytes]:
    yield b"ok"


def _handler(name: str = "S") -> Any:
    return clarion.method_handlers_generic_handler(
        name,
        {
            "One": clarion.unary_unary_rpc_method_handler(_one),
            "Many": clarion.unary_stream_rpc_method_handler(_many),
            "In": clarion.stream_unary_rpc_method_handler(_one),
            "Both": clarion.stream_stream_rpc_method_handler(_many),
        },
    )


@pytest.fixture
def faults() -> FaultInjector:
    return FaultInjector()


@pytest.fixture(params=["client", "server"])
def channel(request: pytest.FixtureRequest, faults: FaultInjector) -> Iterator[Any]:
    """A sync channel with faults at one of its sides."""
    pool = ThreadPoolExecutor(4)
    at_server = request.param == "server"
    interceptors = [faults.server_interceptor()] if at_server else []
    server = clarion.server(pool, [_handler()], interceptors=interceptors)
    server.start()
    with server.in_process_channel() as channel:
        yield (
            channel
            if at_server
            else clarion.intercept_channel(channel, faults.client_interceptor())
        )
    server.stop(None).wait(LIMIT)
    pool.shutdown()


def until(done: Callable[[], bool], clock: FakeClock, step: float) -> None:
    """Move the clock in steps, with time for other threads between them, until something is done."""
    give_up = time.monotonic() + LIMIT
    while not done():
        assert time.monotonic() < give_up, "it did not happen"
        clock.advance(step)
        time.sleep(0.001)


def _call_all(channel: Any) -> list[Any]:
    """What each pattern comes to: its response, or its status and message."""

    def outcome(call: Any) -> Any:
        try:
            return call()
        except clarion.RpcError as error:
            return error.code(), error.details()

    return [
        outcome(lambda: channel.unary_unary("/S/One")(b"", timeout=LIMIT)),
        outcome(lambda: list(channel.unary_stream("/S/Many")(b"", timeout=LIMIT))),
        outcome(lambda: channel.stream_unary("/S/In")(iter([b""]), timeout=LIMIT)),
        outcome(lambda: list(channel.stream_stream("/S/Both")(iter([b""]), timeout=LIMIT))),
    ]


def test_every_pattern_fails_as_the_rule_says(channel: Any, faults: FaultInjector) -> None:
    assert _call_all(channel) == [b"ok", [b"ok"], b"ok", [b"ok"]]
    fault = faults.add(abort=UNAVAILABLE, details="on purpose")
    assert _call_all(channel) == [(UNAVAILABLE, "on purpose")] * 4
    assert faults.injected == faults.happened(fault) == 4
    faults.clear()
    assert _call_all(channel)[0] == b"ok"


def test_a_rule_is_for_some_methods_and_so_many_calls(channel: Any, faults: FaultInjector) -> None:
    faults.add(methods="/S/M*", abort=UNAVAILABLE, count=1)
    failed = (UNAVAILABLE, "injected fault")
    assert _call_all(channel) == [b"ok", failed, b"ok", [b"ok"]]
    assert _call_all(channel) == [b"ok", [b"ok"], b"ok", [b"ok"]]


def test_metadata_says_what_happens(channel: Any, faults: FaultInjector) -> None:
    faults.add(by_headers=True)
    one = channel.unary_unary("/S/One")
    assert one(b"", timeout=LIMIT) == b"ok"
    with pytest.raises(clarion.RpcError) as failed:
        one(b"", metadata=[("x-envoy-fault-abort-grpc-request", "5")], timeout=LIMIT)
    assert failed.value.code() is StatusCode.NOT_FOUND
    never = [
        ("x-envoy-fault-abort-grpc-request", "5"),
        ("x-envoy-fault-abort-percentage", "0"),
    ]
    assert one(b"", metadata=never, timeout=LIMIT) == b"ok"
    assert one(b"", metadata=[("x-envoy-fault-delay-request", "1")], timeout=LIMIT) == b"ok"
    assert faults.injected == 2


def test_chance_is_the_same_in_each_run() -> None:
    def run(seed: int) -> list[bool]:
        injector = FaultInjector(Fault(abort=UNAVAILABLE, abort_percent=30), seed=seed)
        return [injector.judge("/S/One", ()) is not None for _ in range(1000)]

    assert run(1) == run(1) != run(2)
    assert 200 < sum(run(1)) < 400


def test_no_more_at_a_time_than_the_rule_says() -> None:
    injector = FaultInjector(Fault(delay=1, max_active=2))
    first, second = injector.judge("/S/One", ()), injector.judge(b"/S/One", ())
    assert first is not None
    assert second is not None
    assert injector.judge("/S/One", ()) is None
    injector.over(first)
    assert injector.judge("/S/One", ()) is not None


@pytest.mark.parametrize(
    "fields",
    [{"delay_percent": 101}, {"abort_percent": -1}, {"delay": -1}, {"abort": StatusCode.OK}],
)
def test_a_fault_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Fault(**fields)


def test_a_delay_at_the_server_lasts_by_the_clock_and_ends_with_the_call() -> None:
    pool = ThreadPoolExecutor(4)
    faults = FaultInjector(Fault(delay=100))
    with FakeClock() as clock:
        server = clarion.server(pool, [_handler()], interceptors=[faults.server_interceptor()])
        server.start()
        with server.in_process_channel() as channel:
            one = channel.unary_unary("/S/One")
            call = one.future(b"")
            short = one.future(b"", timeout=50)
            # Until both are held up, on threads of the pool, nothing is due.
            until(lambda: faults.injected == 2, clock, 0)
            clock.advance(51)
            assert short.code() is StatusCode.DEADLINE_EXCEEDED
            assert not call.done()
            until(call.done, clock, 10)
            assert call.result() == b"ok"
        server.stop(None).wait(LIMIT)
    pool.shutdown()


def test_a_delay_at_the_client_is_part_of_the_timeout() -> None:
    pool = ThreadPoolExecutor(1)
    faults = FaultInjector(Fault(delay=100))
    ended: list[Any] = []

    def call(channel: Any) -> None:
        try:
            channel.unary_unary("/S/One")(b"", timeout=50)
        except clarion.RpcError as error:
            ended.append(error.code())

    with FakeClock() as clock:
        server = clarion.server(pool, [_handler()])
        server.start()
        with server.in_process_channel() as plain:
            channel = clarion.intercept_channel(plain, faults.client_interceptor())
            thread = threading.Thread(target=call, args=(channel,), daemon=True)
            thread.start()
            until(lambda: not thread.is_alive(), clock, 10)
        server.stop(None).wait(LIMIT)
    assert ended == [StatusCode.DEADLINE_EXCEEDED]
    pool.shutdown()


async def _aio_call_all(channel: Any) -> list[Any]:
    outcomes: list[Any] = []
    for make in (
        lambda: channel.unary_unary("/S/One")(b""),
        lambda: channel.unary_stream("/S/Many")(b""),
        lambda: channel.stream_unary("/S/In")(iter([b""])),
        lambda: channel.stream_stream("/S/Both")(iter([b""])),
    ):
        try:
            call = make()
            if hasattr(call, "__aiter__"):
                outcomes.append([each async for each in call])
            else:
                outcomes.append(await call)
        except clarion.RpcError as error:
            outcomes.append((error.code(), error.details()))
    return outcomes


@pytest.mark.parametrize("at_server", [False, True])
def test_the_asyncio_front_end_has_the_same_faults(at_server: bool) -> None:
    faults = FaultInjector()

    async def use(clock: FakeClock) -> None:
        clock.attach(asyncio.get_running_loop())
        interceptors = [faults.aio_server_interceptor()] if at_server else []
        server = clarion.aio.server(handlers=[_handler()], interceptors=interceptors)
        await server.start()
        ours = [] if at_server else faults.aio_client_interceptors()
        async with server.in_process_channel(interceptors=ours) as channel:
            assert await _aio_call_all(channel) == [b"ok", [b"ok"], b"ok", [b"ok"]]
            faults.add(abort=UNAVAILABLE, details="on purpose", count=4)
            assert await _aio_call_all(channel) == [(UNAVAILABLE, "on purpose")] * 4
            faults.set([Fault(delay=100)])
            late = channel.unary_unary("/S/One")(b"", timeout=50)
            slow = channel.unary_unary("/S/One")(b"", timeout=150)
            await clock.advance_aio(60)
            assert await late.code() is StatusCode.DEADLINE_EXCEEDED
            assert not slow.done()
            await clock.advance_aio(60)
            assert await slow == b"ok"
        await server.stop(None)

    with FakeClock() as clock:
        asyncio.run(use(clock))
