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

from clarion.http2 import Abort, Connection
from clarion.listening import Listener, bind
from clarion.method import Compression, GenericRpcHandler, RpcMethodHandler
from clarion.server_core import ServerCore, ServerOptions
from clarion.sync.dispatcher import Dispatcher
from clarion.sync.io_thread import READ, IoThread
from clarion.sync.link import Link
from clarion.sync.server_call import SyncServerCall

__all__ = ["Server", "ServerLink", "server"]

_ACCEPT_AT_ONCE = 64
# Messages of a stream that follow each other within this time, in seconds, leave together.
_GATHER = 0.0001


class ServerLink(Link):
    """One accepted connection."""

    def __init__(self, server: Server, sock: socket.socket, io: IoThread) -> None:
        super().__init__(sock, io)
        self._server = server
        self._flush_posted = False
        self._flushed = 0.0
        self.ready_calls: list[SyncServerCall] = []
        self.connection = Connection(
            self,
            time.monotonic,
            server.core.options.http2,
            lambda connection, sid: SyncServerCall(server, self, connection, sid),
        )
        with self.lock:
            self.connection.start()
            if server.stopping:
                self.connection.drain()
            self.flush()
        self.watch(READ)

    def read_ready(self) -> None:
        with self.lock:
            if not self._open:
                return
            try:
                data = self.sock.recv(self._receive_size)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self.lose(error)
                return
            self.receive(data)
            ready, self.ready_calls = self.ready_calls, []
        for call in ready:
            self._server.dispatch(call)

    def message_added(self) -> None:
        """A message of a stream was sent (with the lock): write it, or let messages in quick succession gather."""
        now = time.monotonic()
        if now - self._flushed > _GATHER:
            self._flushed = now
            self.flush()
        elif not self._flush_posted:
            self._flush_posted = True
            self.io.post(self._flush_posted_output)

    def answered(self) -> None:
        """A call was answered (with the lock): write it, or let it wait for answers about to be ready."""
        if not self._server.dispatcher.waiting:
            self.flush()
        elif not self._flush_posted:
            # The next handler may take long; the I/O thread writes if nobody does before.
            self._flush_posted = True
            self.io.post(self._flush_posted_output)

    def _flush_posted_output(self) -> None:
        with self.lock:
            self._flush_posted = False
            self.flush()

    def closed(self) -> None:
        self._server.link_closed(self)

    # ConnectionObserver

    def ready(self) -> None: ...

    def streams_available(self) -> None: ...

    def goaway_received(self, code: int, debug: bytes) -> None: ...

    def ping_acknowledged(self, data: bytes) -> None: ...

    def finished(self, reason: Abort) -> None: ...


class _Acceptor:
    """A listening socket."""

    def __init__(self, server: Server, sock: socket.socket) -> None:
        self._server = server
        self._sock = sock

    def io_ready(self, events: int) -> None:
        for _ in range(_ACCEPT_AT_ONCE):
            try:
                sock, _address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # Out of file descriptors: those who wait stay in the backlog until some are free.
                self._server.rest(self)
                return
            self._server.accepted(sock)

    def watch(self, io: IoThread) -> None:
        """Accept connections."""
        io.watch(self._sock, READ, self)

    def unwatch(self, io: IoThread) -> None:
        """Stop accepting."""
        io.watch(self._sock, 0, self)


class Server:
    """A server whose handlers run on a thread pool. Make it with `clarion.server`."""

    def __init__(
        self,
        thread_pool: Executor,
        handlers: Sequence[GenericRpcHandler] | None,
        options: Iterable[tuple[str, Any]] | None,
        maximum_concurrent_rpcs: int | None,
        compression: Compression | None,
    ) -> None:
        self.core = ServerCore(
            handlers or (), ServerOptions.read(options), maximum_concurrent_rpcs, compression
        )
        self.dispatcher = Dispatcher(thread_pool)
        self.stopping = False
        self._io: IoThread | None = None
        self._links: set[ServerLink] = set()
        self._listeners: list[Listener] = []
        self._acceptors: list[_Acceptor] = []
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._process = os.getpid()
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
            address: `host:port`, `[v6]:port`, `unix:path`, `unix-abstract:name`; port 0 picks a free one, and
                `[::]` takes IPv4 too.

        Returns:
            The port (1 for a Unix socket, as grpcio has it).

        Raises:
            RuntimeError: the address cannot be bound; says why.
        """
        listener = bind(address, reuse_port=self.core.options.reuse_port)
        with self._lock:
            self._listeners.append(listener)
            if self._io is not None:
                self._io.post(functools.partial(self._listen, listener))
        return listener.port

    def start(self) -> None:
        """Begin to serve.

        Raises:
            ValueError: the server was started before.
        """
        with self._lock:
            if self._io is not None or self._stopped.is_set():
                raise ValueError("Cannot start already-started server!")
            self._io = IoThread("clarion-server")
            for listener in self._listeners:
                self._io.post(functools.partial(self._listen, listener))

    def _listen(self, listener: Listener) -> None:
        assert self._io is not None
        for sock in listener.sockets:
            acceptor = _Acceptor(self, sock)
            self._acceptors.append(acceptor)
            acceptor.watch(self._io)

    def stop(self, grace: float | None) -> threading.Event:
        """Stop taking calls, and end those in progress. Returns at once.

        Args:
            grace: seconds that calls in progress may take to finish; then they are cancelled. None cancels
                them at once.

        Returns:
            An event that is set when the server has stopped.
        """
        with self._lock:
            io = self._io
            if io is None:
                for listener in self._listeners:
                    listener.close()
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

    def accepted(self, sock: socket.socket) -> None:
        """A client connected."""
        assert self._io is not None
        self._links.add(ServerLink(self, sock, self._io))

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
        self._links.discard(link)
        if self.stopping and not self._links:
            self._finish()

    def _stop(self, grace: float | None) -> None:
        io = self._io
        assert io is not None
        if not self.stopping:
            self.stopping = True
            for acceptor in self._acceptors:
                acceptor.unwatch(io)
            for listener in self._listeners:
                listener.close()
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
            link.close("the server was stopped")

    def _finish(self) -> None:
        if not self._stopped.is_set():
            self._stopped.set()
            assert self._io is not None
            self._io.stop()

    def forget_fork(self) -> None:
        """In a forked child: the sockets and threads are the parent's; close what was inherited."""
        self.stopping = True
        if self._io is not None:
            self._io.abandon()
        for link in self._links:
            link.sock.close()
        self._links.clear()
        for listener in self._listeners:
            listener.forget()

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
    interceptors: Sequence[Any] | None = None,
    options: Iterable[tuple[str, Any]] | None = None,
    maximum_concurrent_rpcs: int | None = None,
    compression: Compression | None = None,
    xds: bool = False,
) -> Server:
    """Make a server.

    Args:
        thread_pool: where handlers run. Nothing else should.
        handlers: generic handlers to begin with.
        interceptors: not supported yet; must be empty.
        options: channel arguments, `(name, value)` pairs.
        maximum_concurrent_rpcs: calls served at a time; more get RESOURCE_EXHAUSTED.
        compression: how responses are compressed by default.
        xds: not supported.
    """
    if interceptors:
        raise NotImplementedError("server interceptors are not supported yet")
    if xds:
        raise NotImplementedError("xDS is not supported")
    return Server(thread_pool, handlers, options, maximum_concurrent_rpcs, compression)
