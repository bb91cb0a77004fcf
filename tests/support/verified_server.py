"""A server of `support.verified` as a process of its own.

    python -m support.verified_server FRONT [--port P] [--journal FILE] [--grace S] [--concurrent N]
        [--pause S] [--descriptors N] [--option NAME=VALUE]

Rules: it says {"port": P} on standard output when it serves. SIGTERM, and the end of its input, stop it with grace; then it
says {"faults": [...]} and exits with 0.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import queue
import resource
import signal
import sys
import threading
from concurrent import futures
from typing import Any

import clarion
from clarion import aio
from support.verified import SERVICE, Witness, handlers

__all__ = ["main"]


def _say(**words: Any) -> None:
    print(json.dumps(words), flush=True)


def _when_input_ends(stop: Any) -> None:
    def wait() -> None:
        # Not `sys.stdin`: its lock would be held at exit.
        with open(0, "rb", buffering=0, closefd=False) as file:
            while file.read(4096):
                pass
        stop()

    threading.Thread(target=wait, daemon=True).start()


def _options(given: list[str]) -> list[tuple[str, Any]]:
    return [(name, int(value)) for name, _, value in (each.partition("=") for each in given)]


def _sync(args: argparse.Namespace, witness: Witness) -> None:
    pool = futures.ThreadPoolExecutor(args.threads)
    server = clarion.server(
        pool, options=_options(args.option), maximum_concurrent_rpcs=args.concurrent
    )
    server.add_registered_method_handlers(SERVICE, handlers("sync", witness, args.pause))
    port = server.add_insecure_port(f"127.0.0.1:{args.port}")
    # Not an event, whose lock the handler of a signal would wait for if the signal struck as `wait` has it.
    over: queue.SimpleQueue[None] = queue.SimpleQueue()
    signal.signal(signal.SIGTERM, lambda *_: over.put(None))
    _when_input_ends(lambda: over.put(None))
    server.start()
    _say(port=port)
    over.get()
    server.stop(args.grace).wait()
    pool.shutdown()


async def _aio(args: argparse.Namespace, witness: Witness) -> None:
    server = aio.server(options=_options(args.option), maximum_concurrent_rpcs=args.concurrent)
    server.add_registered_method_handlers(SERVICE, handlers("aio", witness, args.pause))
    port = server.add_insecure_port(f"127.0.0.1:{args.port}")
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    _when_input_ends(lambda: loop.call_soon_threadsafe(over.set))
    await server.start()
    _say(port=port)
    await over.wait()
    await server.stop(args.grace)


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("front", choices=["sync", "aio"])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--journal")
    parser.add_argument("--grace", type=float, default=30.0)
    parser.add_argument("--concurrent", type=int)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--descriptors", type=int)
    parser.add_argument("--threads", type=int, default=32)
    parser.add_argument("--option", action="append", default=[])
    args = parser.parse_args()
    if args.descriptors is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (args.descriptors, args.descriptors))
    witness = Witness(args.journal, counting=False)
    if args.front == "sync":
        _sync(args, witness)
    else:
        asyncio.run(_aio(args, witness))
    _say(faults=witness.faults)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
