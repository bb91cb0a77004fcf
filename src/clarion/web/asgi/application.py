"""An ASGI application whose requests are calls to servicers. See docs/asgi.md."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from time import time
from typing import Any, NoReturn

from clarion.aio.aio_server import Server, ServerLink
from clarion.aio.errors import UsageError
from clarion.aio.interceptors import ServerInterceptor
from clarion.channelz_data import SERVER, record
from clarion.credentials.server import ServerCredentials
from clarion.errors import LocalError
from clarion.hpack import HeaderList
from clarion.http2.semantics import MalformedHeaders
from clarion.method import Compression, GenericRpcHandler
from clarion.web.apps.door import is_call
from clarion.web.asgi.lifespan import Lifespan
from clarion.web.asgi.link import AsgiLink
from clarion.web.asgi.scope import request_head
from clarion.web.asgi_types import AsgiApp, Receive, Scope, Send
from clarion.web.options import WEB, WebOptions
from clarion.web.serving.request import WebRequest

__all__ = ["Application"]

_STOPPED = "the application has been stopped, and takes no more calls"


class Application(Server):
    """Services as an ASGI application, for a server such as uvicorn, hypercorn or granian, or to be mounted in another one.

    It takes what `clarion.aio.server` takes, and servicers are added to it as to a server. gRPC-Web and Connect work with any
    ASGI server; native gRPC where the server has HTTP/2 and sends trailers (extension `http.response.trailers`).

    It starts and stops by ASGI's lifespan protocol. Where that does not reach it, as in `app.mount("/", application)`, it starts
    with the first request, and `lifespan` is for the outer application to stop it.

    Args:
        migration_thread_pool: where handlers that are plain functions run; the loop's default executor if None.
        handlers: generic handlers to begin with.
        interceptors: `clarion.aio.ServerInterceptor`s; the first is the outermost.
        options: as a server's. Those that are for connections mean nothing here: the ASGI server has them. `clarion.web` (a
            `WebOptions`) says which pages of other origins may call.
        maximum_concurrent_rpcs: calls served at a time; more get RESOURCE_EXHAUSTED.
        compression: how responses are compressed by default.
        otherwise: an ASGI application for requests that are no calls, such as `django.core.asgi.get_asgi_application()`. It gets
            WebSockets and the lifespan protocol, too. None: such requests are refused.
        grace: seconds that calls in progress may take to finish when the server shuts down.

    Raises:
        ValueError: one of `interceptors` is no server interceptor, or a number is not positive.
        LocalError: the option `clarion.web` has an application of its own; `otherwise` is for that.
    """

    def __init__(
        self,
        migration_thread_pool: Executor | None = None,
        handlers: Sequence[GenericRpcHandler] | None = None,
        interceptors: Sequence[ServerInterceptor] | None = None,
        options: Iterable[tuple[str, Any]] | None = None,
        maximum_concurrent_rpcs: int | None = None,
        compression: Compression | None = None,
        *,
        otherwise: AsgiApp | None = None,
        grace: float = 10.0,
    ) -> None:
        if maximum_concurrent_rpcs is not None and maximum_concurrent_rpcs <= 0:
            raise ValueError(
                f"maximum_concurrent_rpcs is {maximum_concurrent_rpcs}; it must be positive, or None for no limit"
            )
        if not grace >= 0:
            raise ValueError(f"grace is {grace!r}; it must be a number of seconds, 0 for none")
        super().__init__(
            migration_thread_pool,
            handlers,
            _with_web(options),
            maximum_concurrent_rpcs,
            compression,
            interceptors,
        )
        self.grace = grace
        self._otherwise = otherwise

    # ASGI

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what an ASGI server, or an application around this one, has.

        Raises:
            MalformedScope: the scope breaks ASGI.
            LocalError: the scope is of a kind that is not known.
        """
        kind = scope.get("type")
        if kind == "http":
            headers = request_head(scope)
            if self._otherwise is None or self._is_call(headers):
                await self._serve_request(headers, scope, receive, send)
            else:
                await self._otherwise(scope, receive, send)
        elif kind == "lifespan":
            await Lifespan(self, self._otherwise, scope, receive, send).run()
        elif self._otherwise is not None:
            await self._otherwise(scope, receive, send)
        elif kind == "websocket":
            # Before it is accepted that is HTTP's 403.
            await receive()
            await send({"type": "websocket.close", "code": 1000, "reason": ""})
        else:
            raise LocalError(f"clarion.asgi does not know ASGI scopes of the type {kind!r}")

    def _is_call(self, headers: HeaderList) -> bool:
        try:
            request = WebRequest(headers)
        except MalformedHeaders:
            return False
        return is_call(self.core, request)

    async def _serve_request(
        self, headers: HeaderList, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if self._state == "new":
            await self.start()
        elif self._loop is not asyncio.get_running_loop():
            self._move()
        link = AsgiLink(self, scope, receive, send)
        connection = link.connection
        self.links[link] = None  # type: ignore[index]
        if self._state != "started":
            # The call would be refused with fewer words.
            link.close(_STOPPED)
        try:
            await link.serve(headers)
        finally:
            del self.links[link]  # type: ignore[arg-type]
            self.core.totals.add(connection)
            self.check_stopped()

    def _move(self) -> None:
        """Test clients serve each request on a loop of its own."""
        if not self.links:
            self._loop = asyncio.get_running_loop()
            self._stopped, self._drained = asyncio.Event(), asyncio.Event()

    # A server's life

    async def start(self) -> None:
        """Begin to serve; see `clarion.aio.Server.start`. An application that was stopped can be started again."""
        if self._state == "stopped":
            self._state = "new"
            self._stopped, self._drained = asyncio.Event(), asyncio.Event()
            self.core.stopping = False
            self.core.node = record(SERVER, self, time, self.core.options.trace_memory)
        await super().start()

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Start, and stop at the end, as part of the lifespan of an application that this one is mounted in.

            app = FastAPI(lifespan=services.lifespan)
            app.mount("/", services)

        Args:
            app: what Starlette gives; it is not used.
        """
        await self.start()
        try:
            yield
        finally:
            await self.stop(self.grace)

    def add_insecure_port(self, address: str) -> int:
        """Ports are the ASGI server's.

        Raises:
            UsageError: always.
        """
        self._no_port(address)

    def add_secure_port(self, address: str, server_credentials: ServerCredentials) -> int:
        """Ports are the ASGI server's.

        Raises:
            UsageError: always.
        """
        self._no_port(address)

    @staticmethod
    def _no_port(address: str) -> NoReturn:
        raise UsageError(
            f"an ASGI application has no port of its own; the ASGI server that runs it listens on {address}"
        )

    @property
    def open_links(self) -> list[ServerLink]:
        """Its connections from within the process; others are the ASGI server's."""
        links: list[Any] = list(self.links.copy())
        return [link for link in links if isinstance(link, ServerLink)]

    def __repr__(self) -> str:
        state = {"new": "not started", "started": "serving"}.get(self._state, self._state)
        return f"<clarion.asgi.Application: {state}, {self.core.active} calls>"


def _with_web(options: Iterable[tuple[str, Any]] | None) -> list[tuple[str, Any]]:
    """The options, with one for the web, which needs nothing for HTTP/1.1 here."""
    given = list(options or ())
    web = next((value for name, value in reversed(given) if name == WEB), None)
    if web is None:
        web = WebOptions(http1=False)
    elif isinstance(web, WebOptions):
        if web.asgi is not None or web.wsgi is not None:
            raise LocalError(
                "WebOptions(asgi=..., wsgi=...) is for Clarion's own ports; give clarion.asgi.Application(otherwise=...)"
            )
        web = dataclasses.replace(web, http1=False)
    return [*(pair for pair in given if pair[0] != WEB), (WEB, web)]
