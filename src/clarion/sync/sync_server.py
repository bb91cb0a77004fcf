"""The sync server (`grpc.Server`): one I/O thread, and handlers on the application's thread pool."""

from __future__ import annotations

# See `runtime`: its exit handler joins all pool threads.
import concurrent.futures.thread  # noqa: F401
import functools
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from clarion.call_tracing import server_tracing
from clarion.channelz_data import SERVER, record
from clarion.credentials.channel import ChannelCredentials
from clarion.credentials.server import ServerCredentials, kind_of_server
from clarion.listening import ACCEPTED_AT_ONCE, Listener, bind, connections_within_reach
from clarion.method import Compression, GenericRpcHandler, RpcMethodHandler
from clarion.server_core import STOPPED, Admission, ServerCore, ServerOptions
from clarion.sync import interfaces
from clarion.sync.channel_interface import Channel
from clarion.sync.dispatcher import Dispatcher
from clarion.sync.interceptor_interface import ServerInterceptor
from clarion.sync.io_thread import READ, IoThread
from clarion.sync.server_call import SyncServerCall
from clarion.sync.server_interceptors import InterceptedCall, InterceptedCore
from clarion.sync.server_link import ServerLink

__all__ = ["Server", "server"]


class _Acceptor:
    """A listening socket."""

    def __init__(self, server: Server, sock: socket.socket, security: Any) -> None:
        self._server = server
        self._sock = sock
        self._security = security

    def io_ready(self, events: int) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                sock, _address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # Out of file descriptors: those who wait stay in the backlog until some are free.
                self._server.rest(self)
                return
            self._server.accepted(sock, self._security)

    def watch(self, io: IoThread) -> None:
        """Accept connections."""
        io.watch(self._sock, READ, self)

    def unwatch(self, io: IoThread) -> None:
        """Stop accepting."""
        io.watch(self._sock, 0, self)


class Server(interfaces.Server):
    """A server whose handlers run on a thread pool. Make it with `clarion.server`."""

    def __init__(
        self,
        thread_pool: Executor,
        handlers: Sequence[GenericRpcHandler] | None,
        options: Iterable[tuple[str, Any]] | None,
        maximum_concurrent_rpcs: int | None,
        compression: Compression | None,
        interceptors: Iterable[ServerInterceptor] = (),
    ) -> None:
        self.core: ServerCore
        self.call_type = SyncServerCall
        arguments = (
            handlers or (),
            ServerOptions.read(options),
            maximum_concurrent_rpcs,
            compression,
        )
        interceptors = tuple(interceptors)
        if interceptors:
            self.core = InterceptedCore(*arguments)
            self.core.interceptors = interceptors
            self.call_type = InterceptedCall
        else:
            self.core = ServerCore(*arguments)
        self.core.tracing = server_tracing(self.core.options.tracing)
        if self.core.tracing is not None:
            # Which servers that are not traced do not need.
            from clarion.sync.traced_calls import server_call_type

            self.call_type = server_call_type(self.core.tracing, bool(interceptors))
        # What takes requests of other protocols, and connections of HTTP/1.1; see `clarion.web`.
        self.web: Any = None
        if self.core.options.web is not None:
            self.web = self.core.options.web.for_front_end("sync")
            self.call_type = self.web.call_type(self.call_type)
        self.dispatcher = Dispatcher(thread_pool)
        self.stopping = False
        self._io: IoThread | None = None
        # In the order in which they were accepted.
        self._links: dict[ServerLink, None] = {}
        self._accept_secure: Any = None
        # Connections that are not secured yet, in the order in which they were accepted, and when that was.
        self.handshakes: dict[Any, float] = {}
        self._listeners: list[Listener] = []
        self._acceptors: list[_Acceptor] = []
        # Connections from within the process that came before the start.
        self._early: list[tuple[socket.socket, Any]] = []
        self._stopped = threading.Event()
        self._finishing = False
        self._lock = threading.Lock()
        self._process = os.getpid()
        self.core.node = record(SERVER, self, time.time, self.core.options.trace_memory)
        self.core.node.log("Server created")
        _servers.add(self)

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
            server_credentials: made by `ssl_server_credentials` or its like.

        Returns:
            The port (1 for a Unix socket, as grpcio has it).

        Raises:
            RuntimeError: the address cannot be bound, or the credentials cannot be used; says why.
            TypeError: `server_credentials` are no server credentials.
        """
        kind = kind_of_server(server_credentials)
        # Where TLS is, which programs that do without it do not load.
        from clarion.security import server_security
        from clarion.sync import tls

        try:
            security = server_security(kind)
        except ValueError as error:
            raise RuntimeError(f"Failed to bind to address {address}; {error}") from error
        self._accept_secure = tls.accept
        return self._add_port(address, security)

    def _add_port(self, address: str, security: Any) -> int:
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
        with self._lock:
            self._listeners.append(listener)
            self.core.node.log(f"Listening on {address}, port {listener.port}")
            if self._io is not None:
                self._io.post(functools.partial(self._listen, listener))
        return listener.port

    def start(self) -> None:
        """Begin to serve.

        Raises:
            ValueError: the server was started before.
            RuntimeError: an application beside the services does not start; says why.
        """
        if self.web is not None and self.web.site is not None:
            self._start_site()
        with self._lock:
            self._check_new()
            self._io = IoThread("clarion-server")
            limit = self.core.options.max_connections
            if limit is None:
                limit = connections_within_reach()
            self._admission = Admission(limit, self._io.now)
            for listener in self._listeners:
                self._io.post(functools.partial(self._listen, listener))
            early, self._early = self._early, []
            for sock, security in early:
                self._io.post(functools.partial(self._take, sock, security))

    def _check_new(self) -> None:
        if self._io is not None or self._stopped.is_set():
            raise ValueError("Cannot start already-started server!")

    def _start_site(self) -> None:
        """Start the application, without the lock: it may well use this server."""
        self._check_new()
        self.web.site.start()
        if self._stopped.is_set():
            self.web.site.stop(lambda: None)

    def in_process_channel(
        self,
        options: Sequence[tuple[str, Any]] | None = None,
        compression: Compression | None = None,
        *,
        credentials: ChannelCredentials | None = None,
        server_credentials: ServerCredentials | None = None,
    ) -> Channel:
        """See `clarion.sync.interfaces.Server`."""
        # Which servers in production do not need.
        from clarion.sync.in_process import in_process_channel

        return in_process_channel(
            self,
            options,
            compression,
            credentials=credentials,
            server_credentials=server_credentials,
        )

    def connection_security(self, server_credentials: ServerCredentials) -> Any:
        """See `clarion.in_process.Door`."""
        kind = kind_of_server(server_credentials)
        from clarion.in_process import server_side
        from clarion.sync import tls

        self._accept_secure = tls.accept
        return server_side(kind)

    def take_connection(self, sock: socket.socket, security: Any = None) -> str:
        """See `clarion.in_process.Door`."""
        with self._lock:
            if self._process != os.getpid():
                return "the server is one of the process that forked this one"
            if self.stopping or self._stopped.is_set():
                return STOPPED
            if self._io is None:
                self._early.append((sock, security))
            else:
                self._io.post(functools.partial(self._take, sock, security))
        return ""

    def _take(self, sock: socket.socket, security: Any) -> None:
        if self.stopping:
            sock.close()
        else:
            self.accepted(sock, security)

    def _listen(self, listener: Listener) -> None:
        assert self._io is not None
        for sock in listener.sockets:
            acceptor = _Acceptor(self, sock, listener.security)
            self._acceptors.append(acceptor)
            acceptor.watch(self._io)

    def stop(self, grace: float | None) -> threading.Event:
        """Stop taking calls, and end those in progress. Returns at once.

        Args:
            grace: seconds that calls in progress may take to finish; then they end with UNAVAILABLE. None ends
                them at once.

        Returns:
            An event that is set when the server has stopped.
        """
        with self._lock:
            io = self._io
            if io is None:
                for listener in self._listeners:
                    listener.close()
                self._close_early()
                self.core.node.close()
                self._stopped.set()
            else:
                io.post(lambda: self._stop(grace))
        return self._stopped

    def wait_for_termination(self, timeout: float | None = None) -> bool:
        """Wait until the server has stopped.

        Args:
            timeout: seconds to wait at most.

        Returns:
            Whether the time ran out before the server stopped.
        """
        return not self._stopped.wait(timeout)

    # On the I/O thread

    def accepted(self, sock: socket.socket, security: Any = None) -> None:
        """A client connected, to a port with or without `security`."""
        assert self._io is not None
        if security is not None or self.web is not None:
            admission = self._admission
            if admission.handshakes_exceeded(len(self.handshakes), len(self._links)):
                one = admission.which_goes(self.handshakes)
                if one is None:
                    # Nothing can be said before the handshake, and there are too many of those.
                    sock.close()
                    return
                one.give_up(admission.refusal)
            if security is None:
                self.web.accept(self, sock, self._io)
            else:
                self._accept_secure(self, sock, self._io, security)
            return
        self.add_link(ServerLink(self, sock, self._io))

    def add_link(self, link: ServerLink) -> None:
        """A connection can be used."""
        self._links[link] = None
        if self._admission.exceeded(len(self._links)):
            one = self._admission.who_goes(self._links)
            if one is not None:
                one.close("it made no call, and others want to")
            else:
                link.turn_away(self._admission.refusal)
        link.begin()

    @property
    def open_links(self) -> list[ServerLink]:
        """Its connections; from any thread."""
        return list(self._links.copy())

    @property
    def listeners(self) -> list[Listener]:
        """What it listens on; from any thread."""
        return list(self._listeners)

    def rest(self, acceptor: _Acceptor) -> None:
        """Accept no connections for a moment."""
        io = self._io
        assert io is not None
        acceptor.unwatch(io)
        io.call_later(0.1, lambda: None if self.stopping else acceptor.watch(io))

    def dispatch(self, call: SyncServerCall) -> None:
        """Have a call served."""
        try:
            self.dispatcher.submit(call)
        except RuntimeError:
            call.refuse_for_shutdown()

    def link_closed(self, link: ServerLink) -> None:
        """A connection is gone."""
        if link in self._links:
            del self._links[link]
            self.core.totals.add(link.connection)
        if self.stopping and not self._links:
            self._finish()

    def _stop(self, grace: float | None) -> None:
        io = self._io
        assert io is not None
        if not self.stopping:
            self.stopping = True
            self.core.node.log("Server stops")
            for acceptor in self._acceptors:
                acceptor.unwatch(io)
            for listener in self._listeners:
                listener.close()
            for handshake in list(self.handshakes):
                handshake.give_up(STOPPED)
            if grace is not None:
                for link in list(self._links):
                    link.drain()
        if grace is None:
            self._cut_off()
        else:
            io.call_later(grace, self._cut_off)
        if not self._links:
            self._finish()

    def _cut_off(self) -> None:
        self.core.stopping = True
        for link in list(self._links):
            link.cut_off()

    def _finish(self) -> None:
        if self.web is None or self.web.site is None:
            self._finished()
        elif not self._finishing:
            self._finishing = True
            assert self._io is not None
            self.web.site.stop(functools.partial(self._io.post, self._finished))

    def _finished(self) -> None:
        if not self._stopped.is_set():
            self.core.node.close()
            self._stopped.set()
            assert self._io is not None
            self._io.stop()

    def forget_fork(self) -> None:
        """In a forked child: the sockets and threads are the parent's; close what was inherited."""
        self.stopping = True
        if self._io is not None:
            self._io.abandon()
        for link in (*self._links, *self.handshakes):
            link.sock.close()
        self.handshakes.clear()
        self._links.clear()
        for listener in self._listeners:
            listener.forget()
        self._close_early()

    def _close_early(self) -> None:
        early, self._early = self._early, []
        for sock, _security in early:
            sock.close()

    def __repr__(self) -> str:
        state = "not started" if self._io is None else "stopping" if self.stopping else "serving"
        if self._stopped.is_set():
            state = "stopped"
        ports = ", ".join(str(listener.port) for listener in self._listeners) or "none"
        return f"<clarion.Server, ports {ports}: {state}, {self.core.active} calls>"

    def __del__(self) -> None:
        if not hasattr(self, "_process"):
            return
        if self._process == os.getpid():
            self.stop(None)


_servers: weakref.WeakSet[Server] = weakref.WeakSet()


def _each_server(action: Callable[[Server], object]) -> None:
    for server in list(_servers):
        action(server)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _each_server(Server.forget_fork))

# The interpreter waits for the pool's threads at its exit, and they may wait for clients: cut those off first.
getattr(threading, "_register_atexit", lambda callback: None)(
    lambda: _each_server(lambda server: server.stop(None))
)


def server(
    thread_pool: Executor,
    handlers: Sequence[GenericRpcHandler] | None = None,
    interceptors: Sequence[ServerInterceptor] | None = None,
    options: Iterable[tuple[str, Any]] | None = None,
    maximum_concurrent_rpcs: int | None = None,
    compression: Compression | None = None,
    xds: bool = False,
) -> interfaces.Server:
    """Make a server.

    Args:
        thread_pool: where handlers run. Nothing else should.
        handlers: generic handlers to begin with.
        interceptors: asked in this order who serves a call; see `ServerInterceptor`.
        options: channel arguments, `(name, value)` pairs.
        maximum_concurrent_rpcs: calls served at a time; more get RESOURCE_EXHAUSTED.
        compression: how responses are compressed by default.
        xds: not supported.
    """
    if xds:
        raise NotImplementedError("xDS is not supported")
    return Server(
        thread_pool, handlers, options, maximum_concurrent_rpcs, compression, interceptors or ()
    )
