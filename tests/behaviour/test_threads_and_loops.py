"""Channels used from many threads, and event loops that each have their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

from support.clients import AioClient
from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.libraries import LIMIT
from support.loops import LoopThread
from support.simple import ECHOES

THREADS = 16
CALLS = 25


def test_a_sync_channel_serves_sixteen_threads(sync: FrontEnd) -> None:
    rig = sync.rig(**ECHOES)
    together = threading.Barrier(THREADS)

    def work(number: int) -> None:
        together.wait(LIMIT)
        for turn in range(CALLS):
            message = b"%d/%d" % (number, turn)
            assert rig.call("unary_unary", [message]).responses == [message]
            assert rig.call("stream_stream", [message] * 3).responses == [message] * 3

    with futures.ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(work, number) for number in range(THREADS)]:
            done.result(LIMIT * 2)


def test_an_end_that_is_quicker_than_a_cancellation_loses_no_response(sync: FrontEnd) -> None:
    sync.clarion_only("the test holds up a part of Clarion")
    server = sync.serve(ECHOES)
    with sync.library.root.insecure_channel(server.target) as channel:
        method = channel.stream_stream(SERVICE + camel("stream_stream"))
        watched = threading.Event()

        def requests() -> Iterator[bytes]:
            yield b"0"
            assert watched.wait(LIMIT)
            yield from (b"1", b"2", b"3", b"4")

        _cancel_too_late(method(requests()), watched)


def _cancel_too_late(call: Any, watched: threading.Event) -> None:
    assert next(call) == b"0"
    inner = call._call
    end, over = inner.end, threading.Event()

    def late(outcome: object) -> None:
        # As if another thread had the connection just now, and the responses and OK came meanwhile.
        assert over.wait(LIMIT)
        end(outcome)

    inner.end = late
    assert call.add_callback(over.set)
    watched.set()
    assert call.cancel()
    assert call.code().name == "OK"
    assert list(call) == [b"1", b"2", b"3", b"4"]
    assert not call.cancel()


def test_two_loops_in_two_threads_have_their_own_channels(aio: FrontEnd) -> None:
    aio.clarion_only("grpc.aio polls for one loop only")
    server = aio.serve(ECHOES)
    loops = [LoopThread(), LoopThread()]
    together = threading.Barrier(len(loops))

    def work(loop: LoopThread) -> None:
        client = AioClient(aio.library, server.target, loop)
        together.wait(LIMIT)
        for turn in range(CALLS):
            message = b"%d" % turn
            path = SERVICE + camel("unary_unary")
            assert client.call(path, "unary_unary", [message]).responses == [message]
        client.close()

    with futures.ThreadPoolExecutor(len(loops)) as pool:
        for done in [pool.submit(work, loop) for loop in loops]:
            done.result(LIMIT)
    for loop in loops:
        loop.close()


def test_one_loop_after_another(aio: FrontEnd) -> None:
    aio.clarion_only("grpc.aio polls for one loop only")
    server = aio.serve(ECHOES)
    for _ in range(3):
        loop = LoopThread()
        client = AioClient(aio.library, server.target, loop)
        outcome = client.call(SERVICE + camel("unary_unary"), "unary_unary", [b"x"])
        assert outcome.responses == [b"x"]
        client.close()
        loop.close()


def test_sync_and_asyncio_together(sync: FrontEnd, aio: FrontEnd) -> None:
    servers = [sync.serve(ECHOES), aio.serve(ECHOES)]
    for server in servers:
        for front in (sync, aio):
            client = front.connect(server.target)
            outcome = client.call(SERVICE + camel("stream_stream"), "stream_stream", [b"x", b"y"])
            assert outcome.responses == [b"x", b"y"]


def test_a_sync_callback_may_start_the_next_call(sync: FrontEnd) -> None:
    rig = sync.rig(**ECHOES)
    answers: list[bytes] = []
    finished = threading.Event()
    multi_callable = rig.client.raw.unary_unary(SERVICE + "UnaryUnary")  # type: ignore[attr-defined]

    def next_call(future: futures.Future[bytes]) -> None:
        answers.append(future.result())
        if len(answers) == 5:
            finished.set()
        else:
            multi_callable.future(b"%d" % len(answers)).add_done_callback(next_call)

    multi_callable.future(b"0").add_done_callback(next_call)
    assert finished.wait(LIMIT)
    assert answers == [b"0", b"1", b"2", b"3", b"4"]
