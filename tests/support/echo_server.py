"""The echo service as a program: `python -m support.echo_server --library grpc --front-end aio`.

Prints one JSON line with its ports once it listens. Then obeys lines on its standard input: `stop
SECONDS` begins a graceful stop and prints a line when that is over, `release KEY` lets held calls
go on. Its life ends with its input's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from support.credentials import server_tls
from support.echo import Store, echo_methods
from support.libraries import Library, load
from support.loops import LoopThread, uvloop_factory
from support.servers import AioServer, Server, SyncServer

__all__ = ["main"]

VARIANTS: dict[str, tuple[list[tuple[str, Any]], str | None]] = {
    "plain": ([], None),
    "roomy": ([("grpc.max_receive_message_length", 16 << 20)], None),
    "gzip": ([], "Gzip"),
    "tls": ([], None),
    "mtls": ([], None),
}


def _credentials(library: Library, variant: str) -> Any:
    if variant == "tls":
        return server_tls(library)
    return server_tls(library, roots="ca", require=True) if variant == "mtls" else None


def main() -> None:
    """Serves until the standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True)
    parser.add_argument("--front-end", choices=("sync", "aio", "uvloop"), required=True)
    parser.add_argument("--port", type=int, default=0, help="of the plain variant, alone")
    arguments = parser.parse_args()
    library = load(arguments.library)
    store = Store()
    methods = echo_methods(store)
    start: Callable[..., Server]
    if arguments.front_end == "sync":
        start = SyncServer
        extra: tuple[Any, ...] = ()
    else:
        start = AioServer
        uvloop = arguments.front_end == "uvloop"
        extra = (LoopThread(uvloop_factory) if uvloop else LoopThread(),)
    names = ["plain"] if arguments.port else list(VARIANTS)
    servers = {
        name: start(
            library,
            methods,
            *extra,
            addresses=(f"127.0.0.1:{arguments.port}",),
            options=VARIANTS[name][0],
            compression=library.compression(VARIANTS[name][1]),
            credentials=_credentials(library, name),
        )
        for name in names
    }
    _say({name: server.ports[0] for name, server in servers.items()})
    for line in sys.stdin:
        command, argument = line.split()
        if command == "release":
            store.event(argument).set()
        else:
            wait = servers["plain"].stop(float(argument))
            _say({"stopping": True})
            threading.Thread(target=_report, args=(wait,), daemon=True).start()
    for server in servers.values():
        server.stop(None)
    sys.stdout.flush()
    # Handlers that a failed test left hanging must not keep the program alive.
    os._exit(0)


def _report(wait: Callable[[], None]) -> None:
    wait()
    _say({"stopped": True})


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
