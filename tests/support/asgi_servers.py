"""Servers of other people's with an ASGI application, in this process: uvicorn, hypercorn, granian."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import pytest

from support.handlers import Method, aio_handler
from support.libraries import LIMIT, Library
from support.loops import LoopThread
from support.servers import generic_handlers

__all__ = ["SERVERS", "AsgiServer", "make_application"]


def make_application(library: Library, methods: Mapping[str, Method], **arguments: Any) -> Any:
    """A `clarion.asgi.Application` with `methods`."""
    from clarion.asgi import Application

    application = Application(**arguments)
    application.add_generic_rpc_handlers(generic_handlers(library, methods, aio_handler))
    return application


class AsgiServer:
    """A server that runs `app` on a loop in another thread, until `close`."""

    def __init__(self, kind: str, app: Any, loop: LoopThread) -> None:
        self._loop = loop
        self.app = app
        run, needs = SERVERS[kind]
        for name in needs:
            pytest.importorskip(name, reason=f"{name} is not installed")
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.ports = [self.sock.getsockname()[1]]
        self._stop: Callable[[], object] = lambda: None

        def stop_by(stop: Callable[[], object]) -> None:
            self._stop = stop

        ready: Future[None] = Future()
        self._done = loop.start(run, app, self.sock, ready, stop_by)
        self._done.add_done_callback(lambda done: ready.done() or ready.set_exception(_why(done)))
        ready.result(LIMIT)

    def begin_to_stop(self) -> None:
        self._loop.call(self._stop)

    def close(self) -> None:
        if not self._done.done():
            self.begin_to_stop()
        try:
            self._done.result(LIMIT)
        finally:
            self.sock.close()


def _why(done: Future[None]) -> BaseException:
    return done.exception() or RuntimeError("the server ended")


Run = Callable[[Any, socket.socket, "Future[None]", Callable[[Callable[[], object]], None]], Any]


def _uvicorn(http: str, **more: Any) -> Run:
    async def run(app: Any, sock: socket.socket, ready: Any, stop_by: Any) -> None:
        import uvicorn

        class Server(uvicorn.Server):
            async def startup(self, sockets: Any = None) -> None:
                await super().startup(sockets)
                if not self.should_exit:
                    ready.set_result(None)

        config = uvicorn.Config(
            app, http=http, log_config=None, log_level=logging.CRITICAL, ws="none", **more
        )
        server: Any = Server(config)
        stop_by(lambda: setattr(server, "should_exit", True))
        # On another thread than the main one it leaves signals alone.
        await server.serve([sock])

    return run


async def _hypercorn(app: Any, sock: socket.socket, ready: Any, stop_by: Any) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    sock.listen()
    config = Config()
    config.bind = [f"fd://{sock.detach()}"]
    config.graceful_timeout = 5
    config.errorlog = None
    stopping = asyncio.Event()
    stop_by(stopping.set)

    async def started(scope: Any, receive: Any, send: Any) -> None:
        async def telling(message: Any) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                ready.set_result(None)

        await app(scope, receive, telling if scope["type"] == "lifespan" else send)

    await serve(started, config, shutdown_trigger=stopping.wait)


async def _granian(app: Any, sock: socket.socket, ready: Any, stop_by: Any) -> None:
    from granian.constants import Interfaces
    from granian.server.embed import Server

    # It makes its socket by itself.
    port = sock.getsockname()[1]
    sock.close()

    server: Any = Server(
        app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False
    )
    stop_by(server.stop)
    serving = asyncio.create_task(server.serve())
    while not serving.done():
        try:
            _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        ready.set_result(None)
        break
    await serving


SERVERS: dict[str, tuple[Run, Sequence[str]]] = {
    "uvicorn-h11": (_uvicorn("h11"), ("uvicorn",)),
    "uvicorn-httptools": (_uvicorn("httptools"), ("uvicorn", "httptools")),
    "uvicorn-h2": (_uvicorn("zttp", http2=True), ("uvicorn", "zttp")),
    "hypercorn": (_hypercorn, ("hypercorn",)),
    "granian": (_granian, ("granian",)),
}
