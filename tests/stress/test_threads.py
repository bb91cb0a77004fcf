"""Threads that share a sync channel."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

import clarion
from support.footprint import Footprint, settled

THREADS = 64
LIMIT = 60.0
# There is much to do, and more than one wait, for a machine that is slow and busy.
pytestmark = pytest.mark.timeout(4 * LIMIT)

_HANDLERS = {
    "Unary": clarion.unary_unary_rpc_method_handler(lambda request, context: request),
    "Down": clarion.unary_stream_rpc_method_handler(
        lambda request, context: (request for _ in range(20))
    ),
    "Up": clarion.stream_unary_rpc_method_handler(lambda requests, context: b"".join(requests)),
    "Talk": clarion.stream_stream_rpc_method_handler(lambda requests, context: requests),
    "Slow": clarion.unary_unary_rpc_method_handler(lambda request, context: _until_over(context)),
}


def _until_over(context: Any) -> bytes:
    over = threading.Event()
    if context.add_callback(over.set):
        over.wait(LIMIT)
    return b""


@contextlib.contextmanager
def serving() -> Iterator[str]:
    pool = futures.ThreadPoolExecutor(THREADS + 16)
    server = clarion.server(pool)
    server.add_registered_method_handlers("s.S", _HANDLERS)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        assert server.stop(None).wait(LIMIT)
        pool.shutdown()


class Caller:
    """Does one thing or another with a channel, and knows how each may end."""

    def __init__(self, channel: Any, seed: int) -> None:
        self.random = random.Random(seed)
        self.unary = channel.unary_unary("/s.S/Unary")
        self.down = channel.unary_stream("/s.S/Down")
        self.up = channel.stream_unary("/s.S/Up")
        self.talk = channel.stream_stream("/s.S/Talk")
        self.slow = channel.unary_unary("/s.S/Slow")

    def act(self) -> None:
        acts = [self._unary, self._future, self._down, self._left, self._up, self._talk]
        ends = [self._cancelled, self._timed, self._abandoned]
        self.random.choice([*acts, *ends])()

    def _unary(self) -> None:
        assert self.unary(b"x", timeout=LIMIT) == b"x"

    def _future(self) -> None:
        calls = [self.unary.future(b"%d" % n, timeout=LIMIT) for n in range(4)]
        assert [call.result() for call in calls] == [b"0", b"1", b"2", b"3"]

    def _down(self) -> None:
        assert len(list(self.down(b"x", timeout=LIMIT))) == 20

    def _left(self) -> None:
        # Neither read to its end nor cancelled.
        assert next(self.down(b"x", timeout=LIMIT)) == b"x"

    def _up(self) -> None:
        assert self.up(iter([b"a"] * 10), timeout=LIMIT) == b"a" * 10

    def _talk(self) -> None:
        assert list(self.talk(iter([b"a", b"b"]), timeout=LIMIT)) == [b"a", b"b"]

    def _cancelled(self) -> None:
        call = self.slow.future(b"")
        call.cancel()
        assert call.code() is clarion.StatusCode.CANCELLED

    def _timed(self) -> None:
        with pytest.raises(clarion.RpcError) as caught:
            self.slow(b"", timeout=self.random.choice([0.0, 0.001, 0.02]))
        assert caught.value.code() is clarion.StatusCode.DEADLINE_EXCEEDED

    def _abandoned(self) -> None:
        self.slow.future(b"")


def together(work: Callable[[int], None], count: int = THREADS) -> list[BaseException]:
    """Run `work(number)` on that many threads at a time; what they raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait(LIMIT)
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    join(threads)
    return errors


def join(threads: list[threading.Thread]) -> None:
    """Wait for all of them, `LIMIT` seconds altogether."""
    give_up = time.monotonic() + LIMIT
    for thread in threads:
        thread.join(max(give_up - time.monotonic(), 0.0))
    assert not [thread for thread in threads if thread.is_alive()], "a thread hangs"


def _warm() -> None:
    """Start what stays for the life of a process."""
    with serving() as target, clarion.insecure_channel(target) as channel:
        channel.unary_unary("/s.S/Unary")(b"", timeout=LIMIT)


def test_sixty_four_threads_do_as_they_like() -> None:
    _warm()
    before = Footprint.now()
    with serving() as target, clarion.insecure_channel(target) as channel:

        def work(number: int) -> None:
            caller = Caller(channel, number)
            for _ in range(12):
                caller.act()

        assert together(work) == []
    after = settled(before)
    assert after.more_than(before) == ""


def test_memory_stays_where_it_is() -> None:
    _warm()
    with serving() as target, clarion.insecure_channel(target) as channel:

        def work(number: int) -> None:
            caller = Caller(channel, number)
            for _ in range(5):
                caller.act()

        assert together(work) == []
        before = Footprint.now()
        for _ in range(3):
            assert together(work) == []
        after = Footprint.now()
    # Three times the work for no more memory: the slack is for the allocator.
    assert after.resident - before.resident < 12 << 20


@pytest.mark.parametrize("seed", range(2))
def test_the_channel_is_closed_in_the_middle(seed: int) -> None:
    _warm()
    before = Footprint.now()
    with serving() as target:
        _close_amid(clarion.insecure_channel(target), THREADS * (seed + 1))
    after = settled(before)
    assert after.more_than(before) == ""


def _close_amid(channel: Any, acts: int) -> None:
    working = threading.Semaphore(0)

    def work(number: int) -> None:
        caller = Caller(channel, number + acts)
        if number == 0:
            for _ in range(acts):
                assert working.acquire(timeout=LIMIT)
            channel.close()
            return
        while True:
            caller.act()
            working.release()

    errors = together(work)
    # Every thread came to know, by an error that says so.
    assert len(errors) == THREADS - 1
    for error in errors:
        if isinstance(error, clarion.RpcError):
            assert error.code() is clarion.StatusCode.CANCELLED, error
        elif isinstance(error, ValueError):
            assert "closed channel" in str(error)
        else:
            # A deadline that did not come to pass, because the end was there before.
            assert isinstance(error, AssertionError), error


def test_the_server_goes_in_the_middle() -> None:
    _warm()
    before = Footprint.now()
    with serving() as target:
        channel = clarion.insecure_channel(target)
        working = threading.Semaphore(0)
        errors: list[BaseException] = []
        threads = [
            threading.Thread(
                target=_until_unavailable, args=(channel, number, working, errors), daemon=True
            )
            for number in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for _ in range(2 * THREADS):
            assert working.acquire(timeout=LIMIT)
    join(threads)
    channel.close()
    codes = {error.code().name for error in errors if isinstance(error, clarion.RpcError)}
    # Others waited for a deadline or their own cancellation, and met the end before.
    assert codes <= {"UNAVAILABLE", "CANCELLED"}
    assert codes
    assert len(errors) == THREADS
    del channel, errors, threads, thread
    after = settled(before)
    assert after.more_than(before) == ""


def _until_unavailable(
    channel: Any, number: int, working: threading.Semaphore, ended: list[BaseException]
) -> None:
    caller = Caller(channel, number)
    try:
        while True:
            caller.act()
            working.release()
    except (clarion.RpcError, AssertionError) as error:
        ended.append(error)
