"""A service, and a port for its operators: `python server.py PORT`. README.md says what it shows."""

from __future__ import annotations

import signal
import sys
from concurrent import futures

import clarion
import clarion.admin


def greet(request: bytes, context: clarion.ServicerContext) -> bytes:
    if not request:
        context.abort(clarion.StatusCode.INVALID_ARGUMENT, "say who you are")
    return b"Hello, " + request + b"!"


def serve(port: str) -> None:
    server = clarion.server(futures.ThreadPoolExecutor(max_workers=10))
    handlers = {"Greet": clarion.unary_unary_rpc_method_handler(greet)}
    server.add_registered_method_handlers("example.Greeter", handlers)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")

    # Only for this machine, and apart from the service: it answers when that has no thread left.
    operators = clarion.server(futures.ThreadPoolExecutor(max_workers=1))
    clarion.admin.add_services(operators)
    operators_port = operators.add_insecure_port("127.0.0.1:0")

    server.start()
    operators.start()
    print(f"Server started, listening on {bound}", flush=True)
    print(f"For operators: clarion channelz 127.0.0.1:{operators_port}", flush=True)
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(grace=5).wait()
        operators.stop(grace=None).wait()
        print("Server stopped", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    serve(sys.argv[1])
