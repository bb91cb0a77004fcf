"""A service for callers with a token, and the token server that gives them one: `python server.py PORT`.

Both are in one program here, so that nothing must be set up; the token server's URL goes to standard output.
"""

from __future__ import annotations

import base64
import http.server
import json
import secrets
import signal
import sys
import threading
from concurrent import futures
from typing import Any

import clarion

CLIENTS = {"example-client": "example-secret"}


class TokenServer(http.server.BaseHTTPRequestHandler):
    """Gives a client a token for its name and secret (RFC 6749 §4.4)."""

    tokens: dict[str, str] = {}  # noqa: RUF012

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        pair = base64.b64decode(self.headers.get("authorization", "Basic ").split()[-1]).decode()
        name, _, secret = pair.partition(":")
        if not secrets.compare_digest(CLIENTS.get(name, "").encode(), secret.encode()):
            self.answer(401, {"error": "invalid_client"})
            return
        token = secrets.token_urlsafe()
        self.tokens[token] = name
        self.answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    def answer(self, status: int, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def greet(request: bytes, context: clarion.ServicerContext) -> bytes:
    header = dict(context.invocation_metadata()).get("authorization", "")
    name = TokenServer.tokens.get(str(header).removeprefix("Bearer "))
    if name is None:
        context.abort(clarion.StatusCode.UNAUTHENTICATED, "say who you are: no valid token")
    return f"Hello, {name}!".encode()


def serve(port: str) -> None:
    tokens = http.server.ThreadingHTTPServer(("127.0.0.1", 0), TokenServer)
    threading.Thread(target=tokens.serve_forever, daemon=True).start()
    server = clarion.server(futures.ThreadPoolExecutor(max_workers=10))
    handlers = {"Greet": clarion.unary_unary_rpc_method_handler(greet)}
    server.add_generic_rpc_handlers(
        (clarion.method_handlers_generic_handler("example.Greeter", handlers),)
    )
    # Tokens go over TLS, or within the machine as here; they are never sent on an insecure channel.
    credentials = clarion.local_server_credentials()
    bound = server.add_secure_port(f"127.0.0.1:{port}", credentials)
    server.start()
    print(f"Server started, listening on {bound}", flush=True)
    print(f"Token server: http://127.0.0.1:{tokens.server_address[1]}/token", flush=True)
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(grace=5).wait()
        tokens.shutdown()
        print("Server stopped", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    serve(sys.argv[1])
