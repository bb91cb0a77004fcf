"""A small server, and channels to it, of both front ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

import clarion
from clarion import aio
from support.credentials import client_tls, server_tls
from support.libraries import LIMIT, load
from support.loops import LoopThread


def _unary(request: bytes, context: Any) -> bytes:
    if request == b"abort":
        context.abort(clarion.StatusCode.NOT_FOUND, "no such thing")
    return request


def _each(requests: Any, context: Any) -> Any:
    context.send_initial_metadata((("head-bin", b"\0\1"),))
    yield from requests


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """Starts servers; gives the port of each."""
    servers: list[clarion.Server] = []
    pool = futures.ThreadPoolExecutor(4)

    def start(*, tls: bool = False, options: Any = None) -> int:
        server = clarion.server(pool, options=options)
        handlers = {
            "Unary": clarion.unary_unary_rpc_method_handler(_unary),
            "Each": clarion.stream_stream_rpc_method_handler(_each),
        }
        generic = clarion.method_handlers_generic_handler("pkg.Service", handlers)
        server.add_generic_rpc_handlers((generic,))
        if tls:
            port = server.add_secure_port("localhost:0", server_tls(load("clarion")))
        else:
            port = server.add_insecure_port("localhost:0")
        server.start()
        servers.append(server)
        return port

    yield start
    for server in servers:
        assert server.stop(None).wait(LIMIT), "the server did not stop"
    pool.shutdown()


class Caller:
    """Makes calls the same way with either front end."""

    def __init__(self, front: str) -> None:
        self.loop = LoopThread() if front == "aio" else None

    def unary(self, port: int, request: bytes, **arguments: Any) -> Any:
        """The response, or the error."""
        options = arguments.pop("options", None)
        credentials = arguments.pop("credentials", None)
        root: Any = clarion if self.loop is None else aio
        target = f"localhost:{port}"

        def channel() -> Any:
            if credentials is None:
                return root.insecure_channel(target, options=options)
            return root.secure_channel(target, credentials, options=options)

        async def call() -> Any:
            async with channel() as opened:
                try:
                    return await opened.unary_unary("/pkg.Service/Unary")(request, **arguments)
                except clarion.RpcError as error:
                    return error

        if self.loop is not None:
            return self.loop.run(call)
        with channel() as opened:
            try:
                return opened.unary_unary("/pkg.Service/Unary")(request, **arguments)
            except clarion.RpcError as error:
                return error

    def close(self) -> None:
        if self.loop is not None:
            self.loop.close()


@pytest.fixture(params=["sync", "aio"])
def caller(request: pytest.FixtureRequest) -> Iterator[Caller]:
    caller = Caller(request.param)
    yield caller
    caller.close()


@pytest.fixture
def client_credentials() -> Any:
    return client_tls(load("clarion"))
