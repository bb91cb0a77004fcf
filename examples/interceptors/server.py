"""A service with interceptors and an access log: `python server.py PORT`. README.md says what it shows."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import clarion
from clarion import StatusCode, access_log
from clarion.interceptors import CallInterceptor, ServedCall

STOCK = {b"tea": 3, b"coffee": 0}


def count(name: bytes, context: clarion.ServicerContext) -> bytes:
    return b"%d" % STOCK[name]


def watch(name: bytes, context: clarion.ServicerContext) -> Iterator[bytes]:
    for left in range(STOCK[name], -1, -1):
        yield b"%d" % left


class NotFound(CallInterceptor):
    """A KeyError of a handler means that something is not there."""

    def intercept(
        self, call: ServedCall, requests: Iterator[Any], proceed: Callable[..., Any]
    ) -> Iterator[Any]:
        try:
            yield from proceed(requests)
        except KeyError as error:
            call.context.abort(StatusCode.NOT_FOUND, f"there is no {error}")


class LowerCase(CallInterceptor):
    """Customers write names as they like: handlers get them in lower case."""

    def intercept(
        self, call: ServedCall, requests: Iterator[Any], proceed: Callable[..., Any]
    ) -> Iterator[Any]:
        return proceed(request.lower() for request in requests)


def serve(port: str) -> None:
    server = clarion.server(
        futures.ThreadPoolExecutor(max_workers=10),
        interceptors=[
            access_log.interceptor(access_log.AccessLog(skip=["/grpc.health.v1.Health/*"])),
            NotFound(),
            LowerCase(),
        ],
    )
    handlers = {
        "Count": clarion.unary_unary_rpc_method_handler(count),
        "Watch": clarion.unary_stream_rpc_method_handler(watch),
    }
    server.add_generic_rpc_handlers(
        (clarion.method_handlers_generic_handler("example.Stock", handlers),)
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
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    serve(sys.argv[1])
