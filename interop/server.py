"""The interop test server: serves until it is told to end by SIGTERM or SIGINT.

    python interop/server.py --port=8080 --use_tls=true

The flags are the official programs'; `--front_end` chooses sync or aio, `--library` Clarion or grpcio.
It prints `listening on PORT` when it does.
"""

from __future__ import annotations

import asyncio
import queue
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from interop.program.flags import server_flags
from interop.program.library import load
from interop.program.serving import serve_aio, serve_sync

__all__ = ["main"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def _say(port: int) -> None:
    print(f"listening on {port}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    flags = server_flags(arguments)
    library = load(flags.library)
    if flags.front_end == "sync":
        # Not an event, whose lock the handler of a signal would wait for if the signal struck as `wait` has it.
        end: queue.SimpleQueue[None] = queue.SimpleQueue()
        for number in _SIGNALS:
            signal.signal(number, lambda *_: end.put(None))

        def serving(port: int) -> None:
            _say(port)
            end.get()

        serve_sync(library, flags, serving)
        return 0

    async def serving_aio(port: int) -> None:
        told = asyncio.Event()
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        _say(port)
        await told.wait()

    asyncio.run(serve_aio(library, flags, serving_aio))
    return 0


if __name__ == "__main__":
    sys.exit(main())
