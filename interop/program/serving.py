"""A running interop server of either front end."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from interop.program.identity import Verifier
from interop.program.library import Library
from interop.program.messages import methods
from interop.program.server_call import method_handler
from interop.program.service import Service

__all__ = ["serve_aio", "serve_sync"]

# Load report streams keep a thread each.
_THREADS = 64
_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.so_reuseport", 0),
]


def _options(flags: argparse.Namespace) -> list[tuple[str, Any]]:
    if not flags.web:
        return _OPTIONS
    from clarion.web import WEB, WebOptions

    return [*_OPTIONS, (WEB, WebOptions())]


def _register(server: Any, library: Library, service: Service, *, aio: bool) -> None:
    for name, handlers in service.handlers().items():
        table = {
            method: method_handler(library, methods[name][method], handler, aio=aio)
            for method, handler in handlers.items()
        }
        generic = library.root.method_handlers_generic_handler(name, table)
        server.add_generic_rpc_handlers((generic,))


def _reflect(server: Any, library: Library, flags: argparse.Namespace) -> None:
    """Let `buf curl` ask what there is."""
    if flags.web:
        library.root.reflection.add_service(server, list(methods))


def _bind(server: Any, library: Library, flags: argparse.Namespace) -> int:
    address = f"localhost:{flags.port}" if flags.port else "127.0.0.1:0"
    if not flags.use_tls:
        return int(server.add_insecure_port(address))
    pair = flags.tls_key_file.read_bytes(), flags.tls_cert_file.read_bytes()
    return int(server.add_secure_port(address, library.root.ssl_server_credentials([pair])))


def serve_sync(library: Library, flags: argparse.Namespace, serving: Callable[[int], None]) -> None:
    """Serve while `serving`, which is told the port, runs."""
    with ThreadPoolExecutor(_THREADS) as pool:
        server = library.root.server(pool, options=_options(flags))
        _register(server, library, Service(Verifier(flags.authority_key_file)), aio=False)
        _reflect(server, library, flags)
        port = _bind(server, library, flags)
        server.start()
        try:
            serving(port)
        finally:
            server.stop(None).wait()


async def serve_aio(
    library: Library, flags: argparse.Namespace, serving: Callable[[int], Awaitable[None]]
) -> None:
    """Serve while `serving`, which is told the port, runs."""
    server = library.aio.server(options=_options(flags))
    _register(server, library, Service(Verifier(flags.authority_key_file)), aio=True)
    _reflect(server, library, flags)
    port = _bind(server, library, flags)
    await server.start()
    try:
        await serving(port)
    finally:
        await asyncio.shield(server.stop(None))
