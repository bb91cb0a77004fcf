"""Several threads or tasks that wait for one call, and waits that are very long."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from concurrent import futures
from typing import Any

import pytest

from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT
from support.simple import ECHOES, Hang


@pytest.mark.parametrize("timeout", [3e6, 1e12])
def test_a_deadline_in_the_far_future(front: FrontEnd, timeout: float) -> None:
    rig = front.rig(**ECHOES)
    assert rig.call("unary_unary", [b"x"], timeout=timeout).code == "OK"
    stream = rig.open("stream_stream", timeout=timeout)
    stream.write(b"y")
    assert stream.read() == b"y"
    # Both sides still keep time.
    assert rig.call("unary_unary", [b"x"], timeout=LIMIT).code == "OK"
    stream.cancel()
    assert stream.finish().code == "CANCELLED"


def test_threads_that_wait_for_one_call(sync: FrontEnd) -> None:
    go_on = threading.Event()

    async def handler(call: ServerCall) -> bytes:
        await call.wait(go_on)
        return b"answer"

    client: Any = sync.rig(unary_unary=handler).client
    future = client.raw.unary_unary(SERVICE + "UnaryUnary").future(b"x", timeout=LIMIT)
    with futures.ThreadPoolExecutor(5) as pool:
        waits = [pool.submit(future.result, LIMIT) for _ in range(3)]
        waits += [pool.submit(future.code), pool.submit(future.trailing_metadata)]
        go_on.set()
        assert [wait.result(LIMIT) for wait in waits[:3]] == [b"answer"] * 3
        assert waits[3].result(LIMIT) is sync.library.root.StatusCode.OK
        waits[4].result(LIMIT)


def test_threads_whose_deadlines_pass_leave_the_reading_to_others(sync: FrontEnd) -> None:
    go_on = threading.Event()

    async def handler(call: ServerCall) -> bytes:
        await call.wait(go_on)
        return b"answer"

    rig = sync.rig(unary_unary=handler)
    sync.wait_ready(rig.client, LIMIT)
    with futures.ThreadPoolExecutor(12) as pool:
        patient = pool.submit(rig.call, "unary_unary", [b"x"])
        hasty = [pool.submit(rig.call, "unary_unary", [b"x"], timeout=0.2) for _ in range(11)]
        assert {wait.result(LIMIT).code for wait in hasty} == {"DEADLINE_EXCEEDED"}
        go_on.set()
        assert patient.result(LIMIT).responses == [b"answer"]


def test_tasks_that_wait_for_one_call(aio: FrontEnd) -> None:
    client: Any = aio.rig(**ECHOES).client

    async def use() -> None:
        call = client.raw.stream_stream(SERVICE + "StreamStream")(timeout=LIMIT)
        await asyncio.gather(call.wait_for_connection(), call.write(b"1"), call.write(b"2"))
        assert sorted(await asyncio.gather(call.read(), call.read())) == [b"1", b"2"]
        await call.done_writing()
        assert await call.code() is aio.library.root.StatusCode.OK
        single = client.raw.unary_unary(SERVICE + "UnaryUnary")(b"x", timeout=LIMIT)
        await single.wait_for_connection()
        assert await single == b"x"

    aio.loop.run(use)


def test_an_abandoned_stream_is_cancelled(sync: FrontEnd) -> None:
    hang = Hang()
    client: Any = sync.rig(unary_stream=hang).client
    stream = client.raw.unary_stream(SERVICE + "UnaryStream")(b"x")
    hang.wait_started()
    assert not hang.ended.acquire(blocking=False)
    del stream
    gc.collect()
    hang.wait_ended()


def test_a_stream_keeps_its_channel(sync: FrontEnd) -> None:
    server = sync.rig(**ECHOES).server
    stream = sync.library.root.insecure_channel(server.target).unary_stream(
        SERVICE + "UnaryStream"
    )(b"x", timeout=LIMIT)
    gc.collect()
    assert list(stream) == [b"x"] * 3


def test_a_handler_that_exits_its_thread(sync: FrontEnd) -> None:
    async def handler(call: ServerCall) -> bytes:
        if call.request == b"exit":
            sys.exit(1)
        return b"alive"

    rig = sync.rig(unary_unary=handler)
    for _ in range(70):
        assert rig.call("unary_unary", [b"exit"], timeout=LIMIT).code == "UNKNOWN"
    assert rig.call("unary_unary", [b"x"], timeout=LIMIT).responses == [b"alive"]


def test_a_subscriber_that_raises(sync: FrontEnd) -> None:
    rig = sync.rig(**ECHOES)
    client: Any = rig.client

    def callback(state: Any) -> None:
        raise ValueError("the application's fault")

    client.raw.subscribe(callback, try_to_connect=True)
    assert rig.call("unary_unary", [b"x"], timeout=LIMIT).code == "OK"


def test_a_callback_may_call(sync: FrontEnd) -> None:
    rig = sync.rig(**ECHOES)
    client: Any = rig.client
    method = client.raw.unary_unary(SERVICE + "UnaryUnary")
    other = sync.library.root.insecure_channel(rig.server.target)
    chained: futures.Future[bytes] = futures.Future()

    def callback(_: Any) -> None:
        chained.set_result(other.unary_unary(SERVICE + "UnaryUnary")(b"2", timeout=LIMIT))

    method.future(b"1").add_done_callback(callback)
    assert chained.result(LIMIT) == b"2"
    other.close()
