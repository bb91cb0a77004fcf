"""The asyncio server (`grpc.aio.Server`)."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import random
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, cast

from clarion.aio import interfaces
from clarion.aio.errors import UsageError
from clarion.aio.interceptors import ServerInterceptor, check_server_interceptors
from clarion.aio.lingering import Lingering
from clarion.aio.link import LAST_WORDS, Link
from clarion.aio.server_call import AioServerCall
from clarion.aio.server_interceptors import InterceptedCall, InterceptedCore
from clarion.call_tracing import server_tracing
from clarion.channelz_data import SERVER, record
from clarion.credentials.channel import ChannelCredentials
from clarion.credentials.server import ServerCredentials, kind_of_server
from clarion.http2 import Abort, Connection, ErrorCode, Keepalive, Lifetime
from clarion.http2.watching import connection_type
from clarion.listening import BACKLOG, Listener, bind, connections_within_reach
from clarion.method import Compression, GenericRpcHandler, RpcMethodHandler
from clarion.propagation import detached
from clarion.server_core import STOPPED, Admission, ServerCore, ServerOptions, cut_off_calls

__all__ = ["Server", "ServerLink", "server"]


_ACCEPTED_AT_ONCE = 4


class ServerLink(Link):
    """One accepted connection.

    Attributes:
        security: what the port's credentials mean; None for plain text.
        since: when it could be used, on the loop's clock.
    """

    security: Any = None
    since = 0.0
    _auth: Any = None
    _address = ""
    _lingers = False

    def __init__(self, server: Server) -> None:
        super().__init__(server.loop)
        self._server = server
        self.timed_calls: list[AioServerCall] = []

    @property
    def auth(self) -> Any:
        """What the connection says about the client, a `clarion.security.AuthContext`; None without credentials."""
        security = self.security
        if security is not None and self._auth is None and self.tls is not None:
            self._auth = security.identify(self.tls)
        return self._auth

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.timed_calls:
            timed, self.timed_calls = self.timed_calls, []
            for call in timed:
                call.start_timer()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        server = self._server
        self.connection = self.make_connection()
        self._keepalive = Keepalive(self.connection, self.later)
        self._lifetime = Lifetime(self.connection, self.later, random.random)
        self.since = self.loop.time()
        server.links[self] = None
        self.connection.start()
        if self.security is not None and self.tls is None:
            sock = transport.get_extra_info("socket")
            self._auth = self.security.identify(sock)
            if not self.security.admits(sock):
                self.connection.fail(ErrorCode.INADEQUATE_SECURITY, self.security.refusal)
        admission = server.admission
        if admission.exceeded(len(server.links)):
            one = admission.who_goes(server.links)
            if one is not None:
                one.close("it made no call, and others want to")
            else:
                self.connection.fail(ErrorCode.ENHANCE_YOUR_CALM, admission.refusal)
        if server.core.stopping:
            self._lifetime.drain()
        self.flush()

    def make_connection(self) -> Connection:
        """The HTTP/2 connection."""
        server = self._server
        kind = server.call_type
        return connection_type()(
            self,
            self.loop.time,
            server.core.options.http2,
            lambda connection, sid: kind(server, self, connection, sid),
        )

    def drain(self) -> None:
        """Take no more calls; close the connection when those on it are over."""
        self._lifetime.drain()
        self.flush_soon()

    # ConnectionObserver

    def ready(self) -> None:
        self._lifetime.established()

    def streams_available(self) -> None: ...

    def goaway_received(self, code: int, debug: bytes) -> None: ...

    def ping_acknowledged(self, data: bytes) -> None:
        self._keepalive.answered(data)

    def finished(self, reason: Abort) -> None:
        self._keepalive.stop()
        self._lifetime.stop()
        # Whom it served gets the time to read all of it; whom it turns away, or threw out, does not.
        self._lingers = (
            reason.code == ErrorCode.NO_ERROR and not reason.remote and self.connection.work > 0
        )
        if not self._lingers:
            self._gone()
        self.flush_soon()

    # The end

    def _end(self, transport: asyncio.Transport) -> None:
        if not self._lingers:
            super()._end(transport)
            return
        self._lingers = False
        self._address = self.peer()
        self.transport = None
        lingering = Lingering(self.loop, self.connection_lost)
        if self.tls is not None:
            cast(Any, transport).linger(lingering)
        else:
            lingering.take(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._gone()

    def _gone(self) -> None:
        if self in self._server.links:
            del self._server.links[self]
            self._server.core.totals.add(self.connection)
        self._server.check_stopped()

    def peer(self) -> str:
        return self._address or super().peer()


class Server(interfaces.Server):
    """A server on the running event loop. Make it with `clarion.aio.server`."""

    def __init__(
        self,
        migration_thread_pool: Executor | None,
        handlers: Sequence[GenericRpcHandler] | None,
        options: Iterable[tuple[str, Any]] | None,
        maximum_concurrent_rpcs: int | None,
        compression: Compression | None,
        interceptors: Iterable[ServerInterceptor] | None = None,
    ) -> None:
        chain = check_server_interceptors(interceptors)
        settings = ServerOptions.read(options)
        self.core: ServerCore
        self.call_type: type[AioServerCall]
        if chain:
            self.core = InterceptedCore(
                handlers or (), settings, maximum_concurrent_rpcs, compression
            )
            self.core.interceptors = chain
            self.call_type = InterceptedCall
        else:
            self.core = ServerCore(handlers or (), settings, maximum_concurrent_rpcs, compression)
            self.call_type = AioServerCall
        self.core.tracing = server_tracing(settings.tracing)
        if self.core.tracing is not None:
            # Which servers that are not traced do not need.
            from clarion.aio.traced_calls import server_call_type

            self.call_type = server_call_type(self.core.tracing, bool(chain))
        # What takes requests of other protocols, and connections of HTTP/1.1; see `clarion.web`.
        self.web: Any = None
        if settings.web is not None:
            self.web = settings.web.for_front_end("aio")
            self.call_type = self.web.call_type(self.call_type)
        self.core.node = record(SERVER, self, time.time, settings.trace_memory)
        self.core.node.log("Server created")
        self.migration_thread_pool = migration_thread_pool
        # In the order in which they could be used.
        self.links: dict[ServerLink, None] = {}
        # Connections that are not secured yet, in the order in which they were accepted, and when that was.
        self.handshakes: dict[Any, float] = {}
        self._secure_protocol: Any = None
        self._listeners: list[Listener] = []
        self._acceptors: list[asyncio.Server] = []
        # Connections from within the process: those that came before the start, and those on their way.
        self._early: list[tuple[socket.socket, Any]] = []
        self._taking: set[asyncio.Task[None]] = set()
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        # What `start` was called in.
        self.context = contextvars.Context()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()
        self._drained = asyncio.Event()
        self._state = "new"

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop the server runs on."""
        assert self._loop is not None
        return self._loop

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[GenericRpcHandler]) -> None:
        """Register handlers.

        Raises:
            AttributeError: one of them has no method `service`.
        """
        self.core.add_generic(generic_rpc_handlers)

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, RpcMethodHandler]
    ) -> None:
        """Register the handlers of one service by method name."""
        self.core.add_methods(service_name, method_handlers)

    def add_insecure_port(self, address: str) -> int:
        """Listen on `address` without TLS.

        Args:
            address: `host:port`, `[v6]:port`, `unix:path`, `unix-abstract:name`; port 0 picks a free one, none
                is 443, and `[::]` takes IPv4 too.

        Returns:
            The port (1 for a Unix socket, as grpcio has it).

        Raises:
            RuntimeError: the address cannot be bound; says why.
        """
        return self._add_port(address, None)

    def add_secure_port(self, address: str, server_credentials: ServerCredentials) -> int:
        """Listen on `address` as credentials say.

        Args:
            address: see `add_insecure_port`.
            server_credentials: made by `clarion.ssl_server_credentials` or its like.

        Returns:
            The port (1 for a Unix socket, as grpcio has it).

        Raises:
            RuntimeError: the address cannot be bound, or the credentials cannot be used; says why.
            TypeError: `server_credentials` are no server credentials.
            UsageError: the server was started.
        """
        kind = kind_of_server(server_credentials)
        # Where TLS is, which programs that do without it do not load.
        from clarion.aio import tls
        from clarion.security import server_security

        try:
            security = server_security(kind)
        except ValueError as error:
            raise RuntimeError(f"Failed to bind to address {address}; {error}") from error
        self._secure_protocol = tls.server_protocol
        return self._add_port(address, security)

    def _add_port(self, address: str, security: Any) -> int:
        if self._state != "new":
            raise UsageError("ports must be added before the server starts")
        options = self.core.options
        listener = bind(
            address,
            reuse_port=options.reuse_port,
            dscp=options.dscp,
            receive_buffer=options.receive_buffer,
            keepalive=options.http2.keepalive,
        )
        listener.security = security
        if self.web is not None:
            self.web.add_port(security)
        self._listeners.append(listener)
        self.core.node.log(f"Listening on {address}, port {listener.port}")
        return listener.port

    def _accept(self, security: Any) -> asyncio.Protocol:
        if security is None and self.web is not None:
            return cast(asyncio.Protocol, self.web.protocol(self))
        link = ServerLink(self)
        if security is None:
            return link
        return cast(asyncio.Protocol, self._secure_protocol(self, link, security))

    async def start(self) -> None:
        """Begin to serve. A server that serves already goes on.

        The handlers see the context (`contextvars`) that this is called in.

        Raises:
            UsageError: the server was stopped.
            RuntimeError: an application beside the services does not start; says why.
        """
        if self._state == "started":
            return
        if self._state != "new":
            raise UsageError(f"start() was called, but the server is {self._state}")
        self._loop = asyncio.get_running_loop()
        self._process = os.getpid()
        limit = self.core.options.max_connections
        if limit is None:
            limit = connections_within_reach()
        self.admission = Admission(limit, self._loop.time)
        if self.web is not None and self.web.site is not None:
            with detached():
                await self.web.site.start()
            if self._state == "started":
                # By another task, meanwhile.
                return
            if self._state != "new":
                await self.web.site.stop()
                raise UsageError(f"start() was called, but the server is {self._state}")
        # The server outlives the call whose handler may have started it.
        with detached():
            self.context = contextvars.copy_context()
            with self._lock:
                self._state = "started"
                early, self._early = self._early, []
            for sock, security in early:
                self._take(sock, security)
            await self._listen(self._loop)

    def in_process_channel(
        self,
        options: Iterable[tuple[str, Any]] | None = None,
        compression: Compression | None = None,
        interceptors: Iterable[Any] | None = None,
        *,
        credentials: ChannelCredentials | None = None,
        server_credentials: ServerCredentials | None = None,
    ) -> interfaces.Channel:
        """See `clarion.aio.interfaces.Server`."""
        # Which servers in production do not need.
        from clarion.aio.in_process import in_process_channel

        return in_process_channel(
            self,
            options,
            compression,
            interceptors,
            credentials=credentials,
            server_credentials=server_credentials,
        )

    def connection_security(self, server_credentials: ServerCredentials) -> Any:
        """See `clarion.in_process.Door`."""
        kind = kind_of_server(server_credentials)
        from clarion.aio import tls
        from clarion.in_process import server_side

        self._secure_protocol = tls.server_protocol
        return server_side(kind)

    def take_connection(self, sock: socket.socket, security: Any = None) -> str:
        """See `clarion.in_process.Door`."""
        with self._lock:
            if self._process != os.getpid():
                return "the server is one of the process that forked this one"
            if self._state == "new":
                self._early.append((sock, security))
                return ""
            if self._state != "started":
                return STOPPED
        try:
            self.loop.call_soon_threadsafe(self._take, sock, security, context=self.context)
        except RuntimeError:
            return "the server's event loop is closed"
        return ""

    def _take(self, sock: socket.socket, security: Any) -> None:
        task = self.loop.create_task(self._serve(sock, security))
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)

    async def _serve(self, sock: socket.socket, security: Any) -> None:
        if self._state != "started":
            sock.close()
            return
        make = functools.partial(self._accept, security)
        transport, _protocol = await self.loop.connect_accepted_socket(make, sock)
        if self._state != "started":
            transport.close()

    def _close_early(self) -> None:
        early, self._early = self._early, []
        for sock, _security in early:
            sock.close()

    async def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        for listener in self._listeners:
            make = functools.partial(self._accept, listener.security)
            for sock in listener.sockets:
                # asyncio takes this for the number of connections to accept at once, too. When it is out of
                # descriptors it goes on up to there, and for each logs an error and starts a timer.
                if listener.is_unix:
                    acceptor: asyncio.Server = await loop.create_unix_server(
                        make, sock=sock, backlog=_ACCEPTED_AT_ONCE
                    )
                else:
                    acceptor = await loop.create_server(make, sock=sock, backlog=_ACCEPTED_AT_ONCE)
                sock.listen(BACKLOG)
                self._acceptors.append(acceptor)

    async def stop(self, grace: float | None) -> None:
        """Stop taking calls, and end those in progress.

        Args:
            grace: seconds that calls in progress may take to finish; then they end with UNAVAILABLE. None ends
                them at once.
        """
        if self._state == "new":
            self._state = "stopped"
            for listener in self._listeners:
                listener.close()
            self._close_early()
            self.core.node.close()
            self._stopped.set()
            return
        stopped, drained = self._stopped, self._drained
        if self._state == "started":
            self._state = "stopping"
            self.core.node.log("Server stops")
            self.core.stopping = grace is None
            for acceptor in self._acceptors:
                acceptor.close()
            for listener in self._listeners:
                listener.close()
            for handshake in list(self.handshakes):
                handshake.give_up(STOPPED)
            for link in list(self.links):
                link.drain()
            self.check_stopped()
        if not stopped.is_set():
            if grace is not None:
                try:
                    await asyncio.wait_for(drained.wait(), grace)
                except TimeoutError:
                    pass
            await self._cut_off()
            if self.web is not None and self.web.site is not None:
                await self.web.site.stop()
            self.core.node.close()
            stopped.set()
        self._state = "stopped"

    async def _cut_off(self) -> None:
        self.core.stopping = True
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for link in list(self.links):
            cut_off_calls(link.connection)
            link.close(STOPPED)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5)
        if self.links:
            # What their clients still read; see `lingering`. Nobody needs more time than that.
            try:
                await asyncio.wait_for(self._drained.wait(), 2 * LAST_WORDS)
            except TimeoutError:
                pass

    @property
    def open_links(self) -> list[ServerLink]:
        """Its connections; from any thread."""
        return list(self.links.copy())

    @property
    def listeners(self) -> list[Listener]:
        """What it listens on; from any thread."""
        return list(self._listeners)

    def check_stopped(self) -> None:
        """A connection is gone; note it when it was the last one of a server that stops."""
        if self._state == "stopping" and not self.links:
            self._drained.set()

    async def wait_for_termination(self, timeout: float | None = None) -> bool:
        """Wait until the server has stopped, even if it has not been started yet.

        Args:
            timeout: seconds to wait at most.

        Returns:
            Whether the time ran out before the server stopped.
        """
        try:
            await asyncio.wait_for(self._stopped.wait(), timeout)
        except TimeoutError:
            return True
        return False

    def track(self, task: asyncio.Task[None]) -> None:
        """Keep a handler's task alive until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def __repr__(self) -> str:
        state = {"new": "not started", "started": "serving"}.get(self._state, self._state)
        ports = ", ".join(str(listener.port) for listener in self._listeners) or "none"
        return f"<clarion.aio.Server, ports {ports}: {state}, {self.core.active} calls>"

    def __del__(self) -> None:
        for listener in getattr(self, "_listeners", ()):
            listener.close()
        for sock, _security in getattr(self, "_early", ()):
            sock.close()


def server(
    migration_thread_pool: Executor | None = None,
    handlers: Sequence[GenericRpcHandler] | None = None,
    interceptors: Sequence[ServerInterceptor] | None = None,
    options: Iterable[tuple[str, Any]] | None = None,
    maximum_concurrent_rpcs: int | None = None,
    compression: Compression | None = None,
) -> interfaces.Server:
    """Make an asyncio server.

    Args:
        migration_thread_pool: where handlers that are plain functions run; the loop's default executor if
            None.
        handlers: generic handlers to begin with.
        interceptors: see calls before they have a handler; the first is the outermost.
        options: channel arguments, `(name, value)` pairs.
        maximum_concurrent_rpcs: calls served at a time; more get RESOURCE_EXHAUSTED.
        compression: how responses are compressed by default.

    Raises:
        ValueError: one of `interceptors` is no server interceptor, or `maximum_concurrent_rpcs` is not
            positive.
    """
    if maximum_concurrent_rpcs is not None and maximum_concurrent_rpcs <= 0:
        raise ValueError(
            f"maximum_concurrent_rpcs is {maximum_concurrent_rpcs}; it must be positive, or None for no limit"
        )
    return Server(
        migration_thread_pool,
        handlers,
        options,
        maximum_concurrent_rpcs,
        compression,
        interceptors,
    )
