"""`clarion.asgi.Application` as the suite drives it, in another project's server, which the command line names.

    python conformance/connect/connect_asgi.py uvicorn|uvicorn-httptools|uvicorn-zttp|hypercorn|granian

Stdin, stdout and SIGTERM are as for `connect_server.py`, and so is the service.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import delimited
from asgi_servers import HOST, OWN_SOCKET, SERVERS, Place, until_it_listens
from connectrpc.conformance.v1 import server_compat_pb2

__all__ = ["main"]


async def _serve(kind: str, wanted: Any, place: Place) -> None:
    from connect_server import AioService, options_of
    from connectrpc.conformance.v1 import service_pb2_grpc

    import clarion
    import clarion.asgi

    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    application = clarion.asgi.Application(
        options=options_of(wanted), compression=clarion.Compression.Gzip
    )
    service_pb2_grpc.add_ConformanceServiceServicer_to_server(AioService(), application)
    port = place.port
    serving = asyncio.ensure_future(SERVERS[kind](application, place, over))
    if kind in OWN_SOCKET:
        await until_it_listens(port)
    else:
        # The socket listens; what is slow, imports, is done in the task's first step. Some cases have 2 s from here.
        await asyncio.sleep(0)
    delimited.say_where(wanted, HOST, port)
    await serving


def main() -> int:
    """Run the command line; return the exit status."""
    wanted = delimited.read(sys.stdin.buffer, server_compat_pb2.ServerCompatRequest)
    if wanted is None:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_serve(sys.argv[1], wanted, Place.of(wanted, Path(folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
