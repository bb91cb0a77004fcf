"""The client under test of a sync API: grpcio or clarion.

Every piece of work has a warm-up, then repeats its step until the time is up, and ends with one
JSON line.
"""

from __future__ import annotations

import argparse
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from bench.programs.shared import (
    DOWN,
    ECHO,
    ITEM_SIZE,
    PER_CALL,
    PER_PING_PONG,
    SAY_HELLO,
    TALK,
    UNLIMITED,
    load,
    messages,
    print_results,
    step_of,
)

__all__: list[str] = []

pb = messages()
THREADS = 16


class Work:
    """The steps; each returns how many operations it was."""

    def __init__(self, channel: Any) -> None:
        self._request = pb.HelloRequest(name="Alice")
        self._item = pb.Item(payload=bytes(ITEM_SIZE))
        self._ask = pb.Ask(count=PER_CALL, size=ITEM_SIZE)
        item, items = pb.Item.SerializeToString, pb.Item.FromString
        self._say_hello = channel.unary_unary(
            SAY_HELLO, pb.HelloRequest.SerializeToString, pb.HelloResponse.FromString
        )
        self._echo = channel.unary_unary(ECHO, item, items)
        self._down = channel.unary_stream(DOWN, pb.Ask.SerializeToString, items)
        self._talk = channel.stream_stream(TALK, item, items)

    def hello(self) -> int:
        self._say_hello(self._request)
        return 1

    def down(self) -> int:
        return complete(sum(1 for _ in self._down(self._ask)), PER_CALL)

    def window(self) -> int:
        sent = (self._item for _ in range(PER_CALL))
        return complete(sum(1 for _ in self._talk(sent)), PER_CALL)

    def ping_pong(self) -> int:
        outbox: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def requests() -> Iterator[Any]:
            while (item := outbox.get()) is not None:
                yield item

        call = self._talk(requests())
        try:
            for _ in range(PER_PING_PONG):
                outbox.put(self._item)
                next(call)
        finally:
            outbox.put(None)
        return complete(PER_PING_PONG + sum(1 for _ in call), PER_PING_PONG)

    def payload(self, size: int) -> Callable[[], int]:
        item = pb.Item(payload=bytes(size))
        return lambda: complete(len(self._echo(item).payload), size) // size


def complete(got: int, expected: int) -> int:
    if got != expected:
        raise RuntimeError(f"{got} came back where {expected} were expected")
    return got


def timed(step: Callable[[], int], workers: int, warm: int, seconds: float) -> tuple[int, float]:
    """Repeat `step` on `workers` threads for `seconds`; the operations done and the exact time."""
    for _ in range(warm):
        step()
    totals: list[int] = []
    faults: list[BaseException] = []
    start = time.perf_counter()

    def work() -> None:
        done, end = 0, start + seconds
        try:
            while True:
                done += step()
                if time.perf_counter() >= end:
                    break
        except BaseException as fault:
            faults.append(fault)
        totals.append(done)

    threads = [threading.Thread(target=work) for _ in range(workers - 1)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return sum(totals), time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True, choices=["grpcio", "clarion"])
    parser.add_argument("--target", required=True)
    parser.add_argument("--works", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    args = parser.parse_args()
    grpc = load(args.library)
    with grpc.insecure_channel(args.target, options=UNLIMITED) as channel:
        work = Work(channel)
        results = {}
        for name in args.works.split(","):
            step, workers, warm = step_of(work, name, THREADS)
            results[name] = timed(step, workers, warm, args.seconds)
    print_results(results)


if __name__ == "__main__":
    main()
