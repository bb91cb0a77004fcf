"""The server under test for the libraries with grpcio's API, thread pool or asyncio.

Started as `python -m bench.programs.python_server --library clarion --mode aio --loop uvloop`;
prints `PORT n` and stops on SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import signal
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent import futures
from typing import Any

from bench.harness.layout import CERTIFICATES
from bench.programs.shared import UNLIMITED, load, messages, run_loop

__all__: list[str] = []

pb = messages()


class SyncService:
    """Handlers for the thread pool."""

    def say_hello(self, request: Any, context: Any) -> Any:
        return pb.HelloResponse(message=f"Hello, {request.name}!")

    def echo(self, request: Any, context: Any) -> Any:
        return request

    def down(self, request: Any, context: Any) -> Iterator[Any]:
        item = pb.Item(payload=bytes(request.size))
        for _ in range(request.count):
            yield item

    def talk(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        yield from requests


class AioService:
    """The same for an event loop."""

    async def say_hello(self, request: Any, context: Any) -> Any:
        return pb.HelloResponse(message=f"Hello, {request.name}!")

    async def echo(self, request: Any, context: Any) -> Any:
        return request

    async def down(self, request: Any, context: Any) -> AsyncIterator[Any]:
        item = pb.Item(payload=bytes(request.size))
        for _ in range(request.count):
            yield item

    async def talk(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for item in requests:
            yield item


def handlers(grpc: Any, service: SyncService | AioService) -> tuple[Any, Any]:
    """The generic handlers that generated code would build."""
    greeter = {
        "SayHello": grpc.unary_unary_rpc_method_handler(
            service.say_hello, pb.HelloRequest.FromString, pb.HelloResponse.SerializeToString
        )
    }
    bench = {
        "Echo": grpc.unary_unary_rpc_method_handler(
            service.echo, pb.Item.FromString, pb.Item.SerializeToString
        ),
        "Down": grpc.unary_stream_rpc_method_handler(
            service.down, pb.Ask.FromString, pb.Item.SerializeToString
        ),
        "Talk": grpc.stream_stream_rpc_method_handler(
            service.talk, pb.Item.FromString, pb.Item.SerializeToString
        ),
    }
    return (
        grpc.method_handlers_generic_handler("hello.Greeter", greeter),
        grpc.method_handlers_generic_handler("hello.Bench", bench),
    )


def add_port(grpc: Any, server: Any, tls: bool) -> int:
    """A port of loopback, with the certificate of the tests if it is to have one."""
    if not tls:
        return int(server.add_insecure_port("127.0.0.1:0"))
    pair = (CERTIFICATES / "server.key").read_bytes(), (CERTIFICATES / "server.pem").read_bytes()
    return int(server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair])))


def options(metrics: bool, web: bool) -> Sequence[tuple[str, Any]]:
    """The server's arguments; with metrics, by which OpenTelemetry records its calls, or with `clarion.web` (Clarion alone)."""
    if web:
        from clarion.web import WebOptions

        return (*UNLIMITED, ("clarion.web", WebOptions()))
    if not metrics:
        return UNLIMITED
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import (
        ConsoleMetricExporter,
        PeriodicExportingMetricReader,
    )

    from clarion.telemetry import OpenTelemetryPlugin

    # As programs have it, but more often, and to nowhere.
    exporter = ConsoleMetricExporter(formatter=lambda data: "", out=io.StringIO())
    reader = PeriodicExportingMetricReader(exporter, 1000)
    plugin = OpenTelemetryPlugin(meter_provider=MeterProvider([reader]))
    return (*UNLIMITED, *plugin.server_options())


def serve_sync(grpc: Any, tls: bool, options: Sequence[tuple[str, Any]]) -> None:
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=10), options=options)
    server.add_generic_rpc_handlers(handlers(grpc, SyncService()))
    port = add_port(grpc, server, tls)
    server.start()
    print(f"PORT {port}", flush=True)
    stopping.wait()
    server.stop(0).wait()


async def serve_aio(grpc: Any, aio: Any, tls: bool, options: Sequence[tuple[str, Any]]) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    server = aio.server(options=options)
    server.add_generic_rpc_handlers(handlers(grpc, AioService()))
    port = add_port(grpc, server, tls)
    await server.start()
    print(f"PORT {port}", flush=True)
    await stopping.wait()
    await server.stop(0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True, choices=["grpcio", "clarion"])
    parser.add_argument("--mode", required=True, choices=["sync", "aio"])
    parser.add_argument("--loop", default="asyncio", choices=["asyncio", "uvloop"])
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--metrics", action="store_true")
    parser.add_argument("--web", action="store_true")
    args = parser.parse_args()
    grpc = load(args.library)
    given = options(args.metrics, args.web)
    if args.mode == "sync":
        serve_sync(grpc, args.tls, given)
    else:
        aio = load("grpc.aio" if args.library == "grpcio" else f"{args.library}.aio")
        run_loop(serve_aio(grpc, aio, args.tls, given), args.loop)


if __name__ == "__main__":
    main()
