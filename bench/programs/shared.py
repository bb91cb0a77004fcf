"""What every Python program under test shares: names, messages, sizes and the result line.

Rules: nothing here imports a gRPC library, so that a process holds only the one it was started
for; and no generated stub is used, so that both libraries run the very same code against the API
they have in common.
"""

from __future__ import annotations

import importlib
import json
from typing import Any

__all__ = [
    "DOWN",
    "ECHO",
    "ITEM_SIZE",
    "MEBIBYTE",
    "PER_CALL",
    "PER_PING_PONG",
    "SAY_HELLO",
    "TALK",
    "UNLIMITED",
    "load",
    "messages",
    "print_results",
    "run_loop",
    "step_of",
]

SAY_HELLO = "/hello.Greeter/SayHello"
DOWN = "/hello.Bench/Down"
TALK = "/hello.Bench/Talk"
ECHO = "/hello.Bench/Echo"

# peers/go/client.go has the same figures.
PER_CALL = 2000
PER_PING_PONG = 200
ITEM_SIZE = 32
MEBIBYTE = 1 << 20

UNLIMITED = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


def load(implementation: str) -> Any:
    """Return the module with grpcio's API: `grpc` itself or `clarion`.

    Typed Any because neither library's annotations may differ in what both programs see.
    """
    return importlib.import_module("grpc" if implementation == "grpcio" else implementation)


def messages() -> Any:
    """Return the module generated from protos/bench.proto, which run.py puts on the path."""
    return importlib.import_module("bench_pb2")


def step_of(work: Any, name: str, concurrency: int) -> tuple[Any, int, int]:
    """The step of a client's `Work`, how many workers repeat it, how often it is tried before."""
    if name.startswith("payload-"):
        mebibytes = int(name.removeprefix("payload-"))
        return work.payload(mebibytes * MEBIBYTE), 1, 1 if mebibytes == 1 else 0
    return {
        "unary-sequential": (work.hello, 1, 100),
        "unary-concurrent": (work.hello, concurrency, 100),
        "down": (work.down, 1, 1),
        "window": (work.window, 1, 1),
        "pingpong-1": (work.ping_pong, 1, 1),
        "pingpong-8": (work.ping_pong, 8, 1),
    }[name]


def print_results(results: dict[str, tuple[int, float]]) -> None:
    """Print the one line that the harness reads: operations and seconds of each piece of work."""
    print(json.dumps({k: {"ops": n, "seconds": s} for k, (n, s) in results.items()}), flush=True)


def run_loop(main: Any, loop: str) -> None:
    """Run the coroutine on `asyncio` or `uvloop`."""
    importlib.import_module(loop).run(main)
