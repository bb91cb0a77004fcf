"""One process of the soak: a server, or a client of two servers.

    python -m soak.worker server FRONT --every SECONDS
    python -m soak.worker client FRONT --ports PORT PORT

Rules: it writes JSON lines, samples of itself and at last {"over": ...} with what was not right, if anything; a server first
says {"port": P}. It ends when its input does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import random
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import clarion
from clarion import aio
from clarion.testing import ChaosProxy
from soak.samples import Sample
from support.loops import LoopThread
from support.verified import SERVICE, Witness, handlers
from support.verified_calls import Ledger, Planner
from support.verified_load import AioLoad, SyncLoad

__all__ = ["main"]

_LIMIT = 60.0
# How long channels live, in seconds, and in which of their rounds all connections are reset.
_ROUND = 4.0
_RESET_IN = 3
_CALLERS = 4
_THREADS = 20
_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 300),
]


def _say(words: Any) -> None:
    print(json.dumps(words), flush=True)


def _until_input_ends() -> threading.Event:
    over = threading.Event()

    def wait() -> None:
        with open(0, "rb", buffering=0, closefd=False) as file:
            while file.read(4096):
                pass
        over.set()

    threading.Thread(target=wait, daemon=True).start()
    return over


@contextlib.contextmanager
def _sync_server(witness: Witness) -> Iterator[int]:
    pool = futures.ThreadPoolExecutor(_THREADS)
    # All of them now: a pool that is at work starts its last threads any time, which would look like growth.
    together = threading.Barrier(_THREADS)
    futures.wait([pool.submit(together.wait) for _ in range(_THREADS)])
    server = clarion.server(pool)
    server.add_registered_method_handlers(SERVICE, handlers("sync", witness))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(5).wait()
    pool.shutdown()


@contextlib.contextmanager
def _aio_server(witness: Witness, loop: LoopThread) -> Iterator[int]:
    async def start() -> tuple[Any, int]:
        server = aio.server()
        server.add_registered_method_handlers(SERVICE, handlers("aio", witness))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, port

    server, port = loop.run(start)
    yield port
    loop.run(server.stop, 5)


def _serve(front: str, every: float, loop: LoopThread) -> str:
    over = _until_input_ends()
    witness = Witness(counting=False)
    with _sync_server(witness) if front == "sync" else _aio_server(witness, loop) as port:
        _say({"port": port})
        while not over.wait(every):
            _say(dataclasses.asdict(Sample.now(0, [loop.loop])))
    return "; ".join(witness.faults[:3])


class _Client:
    """Calls two servers, each through a proxy that now and then resets all connections."""

    def __init__(self, front: str, pause: float, loop: LoopThread) -> None:
        self.front = front
        self.pause = pause
        self.loop = loop
        self.ledger = Ledger(each=False)
        self.planner = Planner(timeouts=(0.02, 2.0, 20.0), sizes=(0, 10, 1_000, 20_000, 100_000))

    def _load(self, target: str, seed: str) -> SyncLoad | AioLoad:
        rest: Any = (self.ledger, self.planner, seed, _CALLERS, self.pause)
        if self.front == "sync":
            return SyncLoad(clarion.insecure_channel(target, options=_OPTIONS), *rest)
        return AioLoad(self.loop, target, _OPTIONS, None, *rest)

    def run(self, ports: list[int], over: threading.Event, sample: Callable[[], None]) -> None:
        rng = random.Random(1)
        with contextlib.ExitStack() as stack:
            proxies = [stack.enter_context(ChaosProxy(port)) for port in ports]
            number = 0
            while not over.is_set():
                number += 1
                loads = [self._load(each.target, f"{number}/{each.port}") for each in proxies]
                reset_at = rng.uniform(0.2, 0.8) * _ROUND
                over.wait(reset_at)
                if number % _RESET_IN == 0:
                    for proxy in proxies:
                        proxy.reset()
                over.wait(_ROUND - reset_at)
                # At work, with channels and calls: that is what is compared.
                sample()
                for load in loads:
                    if not load.stop(_LIMIT):
                        self.ledger.wrong.append("a call hangs")
                    load.close()


def _call(front: str, pause: float, loop: LoopThread, ports: list[int]) -> str:
    over = _until_input_ends()
    client = _Client(front, pause, loop)
    ledger = client.ledger
    client.run(ports, over, lambda: _say(dataclasses.asdict(Sample.now(ledger.total, [loop.loop]))))
    _say({"codes": dict(ledger.codes)})
    return "; ".join([*ledger.wrong[:3], *filter(None, [ledger.callbacks_missing()])])


def main() -> None:
    """Work as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["server", "client"])
    parser.add_argument("front", choices=["sync", "aio"])
    parser.add_argument("--ports", nargs="*", type=int, default=[])
    parser.add_argument("--every", type=float, default=5.0)
    parser.add_argument("--pause", type=float, default=0.0)
    args = parser.parse_args()
    with contextlib.closing(LoopThread(asyncio.new_event_loop)) as loop:
        if args.role == "server":
            wrong = _serve(args.front, args.every, loop)
        else:
            wrong = _call(args.front, args.pause, loop, args.ports)
    _say({"over": wrong})


if __name__ == "__main__":
    main()
