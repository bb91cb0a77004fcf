"""A server that knows its clients by their certificates: `python server.py PORT DIRECTORY`. See README.md."""

from __future__ import annotations

import signal
import sys
from concurrent import futures
from pathlib import Path

import clarion


def who_am_i(request: bytes, context: clarion.ServicerContext) -> bytes:
    return context.auth_context()["peer_spiffe_id"][0]


def serve(port: str, directory: Path) -> None:
    # Given roots for clients, the server turns away those without a certificate of theirs. All three files
    # are read again for the next connection when they have changed.
    credentials = clarion.tls.server_credentials(
        private_key=directory / "server.key",
        certificate_chain=directory / "server.pem",
        client_root_certificates=directory / "ca.pem",
    )
    server = clarion.server(futures.ThreadPoolExecutor(max_workers=10))
    handlers = {"WhoAmI": clarion.unary_unary_rpc_method_handler(who_am_i)}
    server.add_generic_rpc_handlers(
        (clarion.method_handlers_generic_handler("example.Identity", handlers),)
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
