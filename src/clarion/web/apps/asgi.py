"""An ASGI application (version 3, specification 2.5 of HTTP and WebSocket) that serves requests as tasks of an event loop.

`AsgiRunner` is where the loop is: that of an asyncio server. `AsgiThread` gives it a loop, on a thread of its own, for a server
that has none. What an application says out of order is an error for it; what it never says is one for the client.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any

from clarion.web.apps.answers import AnswerHead, BadAnswer, Fields, check_trailers
from clarion.web.apps.exchange import ClientGone, Exchange
from clarion.web.apps.lifespan import Lifespan
from clarion.web.apps.requests import addresses, header_fields, unquoted
from clarion.web.asgi_types import AsgiApp, Message, Scope

__all__ = ["AsgiRunner", "AsgiThread"]

_LOG = logging.getLogger(__name__)

_VERSION = {"version": "3.0", "spec_version": "2.5"}
# TLS's numbers for its versions, by OpenSSL's words.
_TLS_VERSIONS = {"TLSv1": 0x0301, "TLSv1.1": 0x0302, "TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
_END_OF_CERTIFICATE = "-----END CERTIFICATE-----\n"
# How long requests may take to notice that they are cancelled, in seconds.
_CANCELLED = 5.0


class AsgiRunner:
    """Serves requests with one application, on the event loop that it is started on.

    Args:
        app: the application.
        stop_timeout: how long it may take to shut down, in seconds.
    """

    def __init__(self, app: AsgiApp, stop_timeout: float) -> None:
        self._app = app
        self._stop_timeout = stop_timeout
        self._lifespan = Lifespan(app, stop_timeout)
        self._tasks: dict[asyncio.Task[None], Exchange] = {}
        self._starting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._context = Context()

    async def start(self) -> None:
        """Have the application start.

        Raises:
            RuntimeError: it does not; says why.
        """
        if self._starting is None:
            self._loop = asyncio.get_running_loop()
            self._context = copy_context()
            self._starting = self._loop.create_task(self._lifespan.start())
        await asyncio.shield(self._starting)

    async def stop(self) -> None:
        """Cancel the requests under way, wait for what others do behind their answers, and have the application shut down."""
        if self._starting is None:
            return
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(self._stop())
        await asyncio.shield(self._stopping)

    async def _stop(self) -> None:
        left = set(self._tasks)
        # Behind an answer frameworks run what they call background tasks.
        answered = {task for task in left if self._tasks[task].answered}
        for task in left - answered:
            task.cancel()
        if answered:
            await asyncio.wait(answered, timeout=self._stop_timeout)
            for task in answered:
                task.cancel()
        if left:
            await asyncio.wait(left, timeout=_CANCELLED)
        await self._lifespan.stop()

    def begin(self, exchange: Exchange) -> None:
        """Have a request served; on the loop, and where the connection may be touched."""
        changed = asyncio.Event()
        exchange.wake = changed.set
        self.run(exchange, changed)

    def run(self, exchange: Exchange, changed: asyncio.Event) -> None:
        """Make the task; on the loop. What it leaves in context variables is not seen by other requests."""
        coroutine = self._serve(exchange, changed)
        task = self._loop.create_task(coroutine, context=self._context.copy())
        self._tasks[task] = exchange
        task.add_done_callback(self._tasks.pop)

    async def _serve(self, exchange: Exchange, changed: asyncio.Event) -> None:
        request = exchange.request
        turn = _turn_of(exchange, changed)
        try:
            await self._app(scope_of(exchange, self._lifespan.state), turn.receive, turn.send)
            turn.returned()
        except ClientGone:
            _LOG.debug("%s went away while it was served", exchange.peer)
        except asyncio.CancelledError:
            if not exchange.over:
                exchange.do(exchange.cut_off, "the server was stopped")
            raise
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # SystemExit would end the loop, with everything else on it; of groups with a cancellation nobody would hear.
            expected = exchange.ended_by_others and not isinstance(error, BadAnswer)
            _LOG.log(
                logging.DEBUG if expected else logging.ERROR,
                "the ASGI application failed for %r %r, asked by %s",
                request.method,
                request.path,
                exchange.peer,
                exc_info=error,
            )
        if not exchange.over:
            exchange.do(exchange.fail)


class AsgiThread:
    """Serves requests with one application, on an event loop of a thread of its own.

    Args:
        app: the application.
        stop_timeout: how long it may take to shut down, in seconds.
    """

    def __init__(self, app: AsgiApp, stop_timeout: float) -> None:
        self._runner = AsgiRunner(app, stop_timeout)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()
        self._lock = threading.Lock()
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._done: list[Callable[[], None]] = []
        self._over = False

    def start(self) -> None:
        """Begin the thread, and wait until the application has started.

        Raises:
            RuntimeError: it does not; says why.
        """
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._main, name="clarion-asgi", daemon=True).start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self, done: Callable[[], None]) -> None:
        """Have the application shut down; returns at once.

        Args:
            done: called when it has, and its thread has nothing more to do.
        """
        with self._lock:
            if self._loop is not None and not self._over:
                self._done.append(done)
                self._loop.call_soon_threadsafe(self._end.set)
                return
        done()

    def begin(self, exchange: Exchange) -> None:
        """Have a request served; where the connection may be touched."""
        changed = asyncio.Event()
        loop = self._loop
        assert loop is not None

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(changed.set)
            except RuntimeError:
                # Nobody waits any more.
                pass

        exchange.wake = wake
        try:
            loop.call_soon_threadsafe(self._runner.run, exchange, changed)
        except RuntimeError:
            exchange.refuse(503, "the server was stopped")

    def _main(self) -> None:
        loop = self._loop
        assert loop is not None
        try:
            loop.run_until_complete(self._live())
            loop.run_until_complete(loop.shutdown_asyncgens())
        except BaseException:
            _LOG.exception("the ASGI application's event loop failed")
        finally:
            with self._lock:
                self._over = True
                done, self._done = self._done, []
            loop.close()
            self._started.set()
            for each in done:
                each()

    async def _live(self) -> None:
        try:
            await self._runner.start()
        except Exception as error:
            self._failure = error
            return
        self._started.set()
        await self._end.wait()
        await self._runner.stop()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_CANCELLED)


def _turn_of(exchange: Any, changed: asyncio.Event) -> Any:
    if not exchange.is_websocket:
        return _Turn(exchange, changed)
    # Which is here if there is a WebSocket.
    from clarion.web.apps.websocket.turn import WebSocketTurn

    return WebSocketTurn(exchange, changed)


class _Turn:
    """One run of the application: what it receives and sends."""

    def __init__(self, exchange: Exchange, changed: asyncio.Event) -> None:
        self._exchange = exchange
        self._changed = changed
        self._head: AnswerHead | None = None
        self._wants_trailers = False
        self._body_said = False
        self._ended = False
        self._trailers: Fields = ()
        # The application has the end of the request.
        self._told = False

    async def receive(self) -> Message:
        """See ASGI."""
        exchange = self._exchange
        while not self._told:
            try:
                piece, more = exchange.do(self._take)
            except ClientGone:
                break
            if piece is not None:
                self._told = not more
                return {"type": "http.request", "body": piece, "more_body": more}
            if exchange.done:
                break
            await self._until_readable()
        while not exchange.over:
            self._changed.clear()
            if not exchange.over:
                await self._changed.wait()
        return {"type": "http.disconnect"}

    def _take(self) -> tuple[bytes | None, bool]:
        self._changed.clear()
        exchange = self._exchange
        return exchange.take(), not exchange.taken

    async def _until_readable(self) -> None:
        exchange = self._exchange
        try:
            async with asyncio.timeout(exchange.patience()):
                while not exchange.readable:
                    await self._changed.wait()
                    self._changed.clear()
        except TimeoutError:
            exchange.do(exchange.too_slow_to_send)

    async def send(self, message: Message) -> None:
        """See ASGI."""
        kind = message["type"]
        if kind == "http.response.body":
            if self._head is None or self._body_said:
                raise BadAnswer("http.response.body is out of order")
            body = message.get("body", b"")
            more = bool(message.get("more_body", False))
            self._body_said = not more
            await self._write(body, not more and not self._wants_trailers)
        elif kind == "http.response.start":
            if self._head is not None:
                raise BadAnswer("http.response.start came twice")
            fields = message.get("headers", ())
            self._head = AnswerHead(message["status"], fields, self._exchange.request.method)
            self._wants_trailers = bool(message.get("trailers", False))
        elif kind == "http.response.trailers":
            if not self._body_said or not self._wants_trailers or self._ended:
                raise BadAnswer("http.response.trailers is out of order")
            self._trailers += check_trailers(message.get("headers", ()))
            if not message.get("more_trailers", False):
                await self._write(b"", True, self._trailers)
        else:
            raise BadAnswer(f"a message of type {kind!r} has no place in an answer")

    def returned(self) -> None:
        """The application has returned.

        Raises:
            BadAnswer: its answer is not complete.
        """
        if not self._exchange.over:
            raise BadAnswer("the application returned before its answer was complete")

    async def _write(self, body: bytes, end: bool, trailers: Fields = ()) -> None:
        exchange = self._exchange
        if type(body) is not bytes:
            body = bytes(memoryview(body))
        self._ended = self._ended or end
        settled, left = exchange.do(self._say, body, end, trailers)
        while not settled:
            try:
                async with asyncio.timeout(exchange.limits.write_timeout):
                    await self._changed.wait()
            except TimeoutError:
                exchange.do(exchange.too_slow_to_read, left)
            settled, left = exchange.do(self._look)

    def _say(self, body: bytes, end: bool, trailers: Fields) -> tuple[bool, int]:
        assert self._head is not None
        self._exchange.write(self._head, body, end, trailers)
        return self._look()

    def _look(self) -> tuple[bool, int]:
        # What changes after this is not missed.
        self._changed.clear()
        return self._exchange.settled


def scope_of(exchange: Any, state: dict[str, Any] | None) -> Scope:
    """What ASGI tells an application of a request."""
    request = exchange.request
    client, server = addresses(exchange.socket)
    extensions: dict[str, Any] = {}
    if exchange.tls is not None:
        extensions["tls"] = _tls_of(exchange.link.auth)
    scheme = "ws" if exchange.is_websocket else "http"
    scope: Scope = {
        "type": "http",
        "asgi": dict(_VERSION),
        "http_version": exchange.http_version,
        "scheme": scheme if exchange.tls is None else f"{scheme}s",
        "path": unquoted(request.path).decode("utf-8", "replace"),
        "raw_path": request.path,
        "query_string": request.query,
        "root_path": "",
        "headers": header_fields(request),
        "client": client,
        "server": server,
        "extensions": extensions,
    }
    if exchange.is_websocket:
        scope["type"] = "websocket"
        scope["subprotocols"] = list(exchange.handshake.subprotocols)
        extensions["websocket.http.response"] = {}
    else:
        scope["method"] = request.method.decode("latin-1")
        if exchange.takes_trailers:
            extensions["http.response.trailers"] = {}
    if state is not None:
        scope["state"] = state.copy()
    return scope


def _tls_of(auth: Any) -> dict[str, Any]:
    """ASGI's extension `tls`, from what calls have as their auth context."""
    properties: dict[str, list[bytes]] = auth.properties

    def first(name: str) -> str:
        return b"".join(properties.get(name, ())[:1]).decode("utf-8", "replace")

    chain = first("x509_pem_cert_chain").split(_END_OF_CERTIFICATE)
    return {
        "server_cert": None,
        "client_cert_chain": [part + _END_OF_CERTIFICATE for part in chain if part.strip()],
        "client_cert_name": first("x509_subject") or None,
        "client_cert_error": None,
        "tls_version": _TLS_VERSIONS.get(first("ssl_tls_version")),
        "cipher_suite": None,
    }
