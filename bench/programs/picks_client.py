"""What choosing a server, and a retry policy that is never used, cost a client; for grpc, clarion and their aio.

`turns` is three pick_first channels, one for each server, that the program itself uses one after another: what three
connections cost without a policy that chooses. The others are one channel each.

The channels are used in turns, a slice of the time each, so that whatever else the machine does meets them alike. What
counts is the CPU time that calls cost this process: the time that they take says more about the servers.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import threading
import time
from collections.abc import Sequence
from typing import Any

from bench.programs.shared import SAY_HELLO, load, messages, print_results, run_loop

__all__: list[str] = []

pb = messages()
SLICES = 12
WORKERS = {"sync": 16, "aio": 64}

ROUND_ROBIN = {"loadBalancingConfig": [{"round_robin": {}}]}
RETRIES = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}
CONFIGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "turns": {},
    "round-robin": ROUND_ROBIN,
    "retries": RETRIES,
}


def options(config: dict[str, Any]) -> Sequence[tuple[str, Any]]:
    """Channel arguments. Each channel has connections of its own, also in grpcio."""
    text = json.dumps(config)
    return (("grpc.service_config", text), ("grpc.use_local_subchannel_pool", 1))


class Totals:
    """Calls and CPU seconds of each channel, a slice at a time."""

    def __init__(self, names: Sequence[str]) -> None:
        self.found = dict.fromkeys(names, (0, 0.0))

    def add(self, name: str, calls: int, seconds: float) -> None:
        done, before = self.found[name]
        self.found[name] = done + calls, before + seconds


def order(names: Sequence[str], turn: int) -> list[str]:
    """Another one begins each time, and every second time it is the other way round."""
    turned = [*names[turn % len(names) :], *names[: turn % len(names)]]
    return turned[::-1] if turn // len(names) % 2 else turned


def targets(name: str, target: str) -> list[str]:
    """Where the channels lead that make a name."""
    if name != "turns":
        return [target]
    return [f"ipv4:{one}" for one in target.removeprefix("ipv4:").split(",")]


def hello(channels: Sequence[Any]) -> Any:
    """Calls the method, on each of the channels in turn."""
    calls = [
        channel.unary_unary(
            SAY_HELLO, pb.HelloRequest.SerializeToString, pb.HelloResponse.FromString
        )
        for channel in channels
    ]
    if len(calls) == 1:
        return calls[0]
    following = itertools.cycle(calls).__next__
    return lambda request: following()(request)


def sync_slice(call: Any, workers: int, seconds: float) -> int:
    end = time.perf_counter() + seconds
    totals: list[int] = []
    faults: list[BaseException] = []

    def work() -> None:
        done = 0
        request = pb.HelloRequest(name="Alice")
        try:
            while time.perf_counter() < end:
                call(request)
                done += 1
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
    return sum(totals)


def run_sync(grpc: Any, target: str, totals: Totals, workers: int, seconds: float) -> None:
    channels = {
        name: [grpc.insecure_channel(one, options=options(config)) for one in targets(name, target)]
        for name, config in CONFIGS.items()
    }
    calls = {name: hello(group) for name, group in channels.items()}
    try:
        for name, group in channels.items():
            for channel in group:
                grpc.channel_ready_future(channel).result(20)
            sync_slice(calls[name], workers, 0.1)
        for turn in range(SLICES):
            for name in order(list(calls), turn):
                before = time.process_time()
                done = sync_slice(calls[name], workers, seconds / SLICES)
                totals.add(name, done, time.process_time() - before)
    finally:
        for channel in itertools.chain(*channels.values()):
            channel.close()


async def aio_slice(call: Any, tasks: int, seconds: float) -> int:
    end = time.perf_counter() + seconds

    async def work() -> int:
        done = 0
        request = pb.HelloRequest(name="Alice")
        while time.perf_counter() < end:
            await call(request)
            done += 1
        return done

    return sum(await asyncio.gather(*(work() for _ in range(tasks))))


async def run_aio(aio: Any, target: str, totals: Totals, tasks: int, seconds: float) -> None:
    channels = {
        name: [aio.insecure_channel(one, options=options(config)) for one in targets(name, target)]
        for name, config in CONFIGS.items()
    }
    calls = {name: hello(group) for name, group in channels.items()}
    try:
        for name, group in channels.items():
            for channel in group:
                await asyncio.wait_for(channel.channel_ready(), 20)
            await aio_slice(calls[name], tasks, 0.1)
        for turn in range(SLICES):
            for name in order(list(calls), turn):
                before = time.process_time()
                done = await aio_slice(calls[name], tasks, seconds / SLICES)
                totals.add(name, done, time.process_time() - before)
    finally:
        for channel in itertools.chain(*channels.values()):
            await channel.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True, choices=["grpcio", "clarion"])
    parser.add_argument("--mode", required=True, choices=list(WORKERS))
    parser.add_argument("--loop", default="asyncio", choices=["asyncio", "uvloop"])
    parser.add_argument("--target", required=True)
    parser.add_argument("--works", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    args = parser.parse_args()
    results: dict[str, tuple[int, float]] = {}
    for width in ("sequential", "concurrent"):
        workers = 1 if width == "sequential" else WORKERS[args.mode]
        totals = Totals(list(CONFIGS))
        if args.mode == "sync":
            run_sync(load(args.library), args.target, totals, workers, args.seconds)
        else:
            aio = load("grpc.aio" if args.library == "grpcio" else f"{args.library}.aio")
            run_loop(run_aio(aio, args.target, totals, workers, args.seconds), args.loop)
        results |= {f"{width}-{name}": found for name, found in totals.found.items()}
    print_results({name: results[name] for name in args.works.split(",")})


if __name__ == "__main__":
    main()
