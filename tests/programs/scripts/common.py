"""What the programs here share: a server around a test. Like the programs it knows `grpc` alone."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent import futures
from typing import Any

import grpc

LIMIT = 30
"""Seconds for anything that should take milliseconds."""


@contextlib.contextmanager
def serving(add: Callable[[Any], object], **arguments: Any) -> Iterator[str]:
    """A sync server whose servicers `add(server)` adds; gives its target."""
    server = grpc.server(futures.ThreadPoolExecutor(4), **arguments)
    add(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        assert server.stop(None).wait(LIMIT)


@contextlib.asynccontextmanager
async def serving_aio(add: Callable[[Any], object], **arguments: Any) -> AsyncIterator[str]:
    """An asyncio server whose servicers `add(server)` adds; gives its target."""
    server = grpc.aio.server(**arguments)
    add(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def handlers(service: str, **methods: tuple[str, Any, Any, Any]) -> Callable[[Any], None]:
    """Servicers without generated code: a method's kind, behaviour, request parser, response serializer."""
    made = {
        name: getattr(grpc, f"{kind}_rpc_method_handler")(
            behavior, request_deserializer=parse, response_serializer=serialize
        )
        for name, (kind, behavior, parse, serialize) in methods.items()
    }
    return lambda server: server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, made),)
    )
