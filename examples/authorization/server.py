"""A service whose callers a policy decides on: `python server.py PORT POLICY`. README.md says what it shows."""

from __future__ import annotations

import logging
import signal
import sys
from concurrent import futures

import clarion
import clarion.auth

TOKENS = {"the-token-of-alice": "alice", "the-token-of-bob": "bob"}


def greet(request: bytes, context: clarion.ServicerContext) -> bytes:
    caller = clarion.auth.identity(context)
    return f"Hello, {caller.subject if caller else 'stranger'}!".encode()


def shout(request: bytes, context: clarion.ServicerContext) -> bytes:
    return greet(request, context).upper()


def serve(port: str, path: str) -> None:
    # One that cannot be used is an error now; later on it changes nothing, and is logged.
    policy = clarion.auth.PolicyFile(path, interval=0.1)
    server = clarion.server(
        futures.ThreadPoolExecutor(max_workers=10),
        interceptors=[
            clarion.auth.AuthenticationInterceptor(
                clarion.auth.TokenAuthenticator(TOKENS), optional=True
            ),
            clarion.auth.AuthorizationInterceptor(policy),
        ],
    )
    handlers = {
        "Greet": clarion.unary_unary_rpc_method_handler(greet),
        "Shout": clarion.unary_unary_rpc_method_handler(shout),
    }
    server.add_generic_rpc_handlers(
        (clarion.method_handlers_generic_handler("example.Greeter", handlers),)
    )
    bound = server.add_secure_port(f"127.0.0.1:{port}", clarion.local_server_credentials())
    server.start()
    print(f"Server started, listening on {bound}", flush=True)
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(grace=5).wait()
        policy.close()
        print("Server stopped", flush=True)


if __name__ == "__main__":
    # Says when there is a new policy.
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    logging.getLogger("clarion.auth").setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    serve(sys.argv[1], sys.argv[2])
