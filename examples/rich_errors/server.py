"""A service whose errors say more than a code and a text: `python server.py PORT`. README.md says what it shows."""

from __future__ import annotations

import signal
import sys
from concurrent import futures

import clarion
from clarion import StatusCode
from clarion.rich_errors import (
    BadRequest,
    FieldViolation,
    ResourceInfo,
    RetryInfo,
    StatusError,
)

SHELF = {b"isbn/1": b"Moby-Dick"}


def check(name: bytes) -> None:
    kind, _, number = name.partition(b"/")
    violations = []
    if kind != b"isbn":
        violations.append(FieldViolation("name", "does not begin with 'isbn/'"))
    if not number.isdigit():
        violations.append(FieldViolation("name", "does not end with a number"))
    if violations:
        raise StatusError(
            StatusCode.INVALID_ARGUMENT, "that is no name of a book", BadRequest(violations)
        )


def get_book(name: bytes, context: clarion.ServicerContext) -> bytes:
    check(name)
    if name == b"isbn/0":
        raise StatusError(StatusCode.UNAVAILABLE, "the shelf is locked", RetryInfo(1.5))
    if name not in SHELF:
        raise StatusError(
            StatusCode.NOT_FOUND, "there is no such book", ResourceInfo("book", name.decode())
        )
    return SHELF[name]


def serve(port: str) -> None:
    server = clarion.server(futures.ThreadPoolExecutor(max_workers=10))
    handlers = {"GetBook": clarion.unary_unary_rpc_method_handler(get_book)}
    server.add_generic_rpc_handlers(
        (clarion.method_handlers_generic_handler("example.Library", handlers),)
    )
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print(f"Server started, listening on {bound}", flush=True)
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(grace=5).wait()
        print("Server stopped", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    serve(sys.argv[1])
