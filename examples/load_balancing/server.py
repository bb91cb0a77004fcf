"""Three servers, and a file that lists them, as some registry of services would."""

from __future__ import annotations

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import clarion

REGISTRY = Path(__file__).with_name("servers.txt")


def start(name: str, address: str) -> tuple[clarion.Server, int]:
    """A server that answers with its name."""
    server = clarion.server(ThreadPoolExecutor(2))
    whoami = clarion.unary_unary_rpc_method_handler(lambda request, context: name.encode())
    server.add_registered_method_handlers("example.Names", {"WhoAmI": whoami})
    port = server.add_insecure_port(address)
    server.start()
    return server, port


def serve(port: str) -> None:
    started = [
        start("first", f"127.0.0.1:{port}"),
        start("second", "127.0.0.1:0"),
        start("third", "127.0.0.1:0"),
    ]
    REGISTRY.write_text("".join(f"127.0.0.1:{port}\n" for _, port in started))
    stopping = [False]

    def stop(*_: object) -> None:
        stopping[0] = True
        for server, _ in started:
            server.stop(1)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"Server started, listening on {started[0][1]}", flush=True)
    for server, _ in started:
        server.wait_for_termination()
    REGISTRY.unlink()
    print("Server stopped")


if __name__ == "__main__":
    serve(sys.argv[1] if len(sys.argv) > 1 else "50051")
