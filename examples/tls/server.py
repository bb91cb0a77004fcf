"""A greeting server with TLS: `python server.py PORT DIRECTORY`. README.md says how to make the certificates."""

from __future__ import annotations

import signal
import sys
from concurrent import futures
from pathlib import Path

import clarion


def greet(request: bytes, context: clarion.ServicerContext) -> bytes:
    return b"Hello, " + request + b"!"


def serve(port: str, directory: Path) -> None:
    # `ssl_server_credentials` of grpcio; these read their files again when they change.
    credentials = clarion.tls.server_credentials(
        private_key=directory / "server.key", certificate_chain=directory / "server.pem"
    )
    server = clarion.server(futures.ThreadPoolExecutor(max_workers=10))
    # Bytes in and bytes out, so that the example needs no generated code.
    handlers = {"Greet": clarion.unary_unary_rpc_method_handler(greet)}
    server.add_generic_rpc_handlers(
        (clarion.method_handlers_generic_handler("example.Greeter", handlers),)
    )
    bound = server.add_secure_port(f"localhost:{port}", credentials)
    server.start()
    print(f"Server started, listening on {bound}", flush=True)
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(grace=5).wait()
        print("Server stopped", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    serve(sys.argv[1], Path(sys.argv[2]))
