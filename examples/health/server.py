"""A server that says how it is.

python server.py            # or another port than 50051: python server.py 8080
clarion health localhost:50051 --service example.Greeter
python client.py
"""

from __future__ import annotations

import os
import signal
import sys
from concurrent import futures

import clarion
import clarion.health

SERVICE = "example.Greeter"


class Greeter:
    """The service itself. Messages are bytes here, so that there is no code to generate."""

    def __init__(self, health: clarion.health.Health) -> None:
        self._health = health
        self.mend(b"")

    def hello(self, request: bytes, context: clarion.ServicerContext) -> bytes:
        return b"Hello, " + request + b"!"

    def break_down(self, request: bytes, context: clarion.ServicerContext | None = None) -> bytes:
        """As if the database were gone."""
        self._health.set(SERVICE, self._health.NOT_SERVING)
        return b""

    def mend(self, request: bytes, context: clarion.ServicerContext | None = None) -> bytes:
        """As if it were back."""
        self._health.set(SERVICE, self._health.SERVING)
        return b""


def serve(port: str) -> None:
    server = clarion.server(futures.ThreadPoolExecutor(max_workers=10))
    # This is all it takes. The server as a whole, "", is SERVING from the beginning.
    health = clarion.health.add_service(server)
    greeter = Greeter(health)
    methods = {
        "SayHello": clarion.unary_unary_rpc_method_handler(greeter.hello),
        "Break": clarion.unary_unary_rpc_method_handler(greeter.break_down),
        "Mend": clarion.unary_unary_rpc_method_handler(greeter.mend),
    }
    server.add_generic_rpc_handlers([clarion.method_handlers_generic_handler(SERVICE, methods)])
    bound = server.add_insecure_port(f"[::]:{port}")
    server.start()
    print(f"Server started, listening on {bound}", flush=True)
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        # Those who ask go elsewhere from now on, before the calls end.
        health.enter_graceful_shutdown()
        server.stop(grace=5).wait()
        print("Server stopped", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    serve(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "50051"))
