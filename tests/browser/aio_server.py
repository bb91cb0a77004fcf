"""The example's server on asyncio: the same servicer, options and arguments."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from concurrent import futures
from pathlib import Path

import clarion.aio

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "browser"
sys.path.insert(0, str(EXAMPLE))
os.chdir(EXAMPLE)

import server as example  # noqa: E402


async def serve(args: argparse.Namespace) -> None:
    elsewhere = example.start_elsewhere(0)
    server = clarion.aio.server(
        futures.ThreadPoolExecutor(max_workers=20),
        options=[("clarion.web", example.web_options(elsewhere))],
    )
    example.services.add_BarServicer_to_server(example.BarServicer(args.pace), server)
    port = example.add_port(server, args)
    await server.start()
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked.set)
    example.announce(args, port, elsewhere)
    await asked.wait()
    await server.stop(5)
    print("Server stopped", flush=True)
    elsewhere.shutdown()
    elsewhere.server_close()


if __name__ == "__main__":
    asyncio.run(serve(example.arguments()))
