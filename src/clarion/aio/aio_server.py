"""The asyncio server (`grpc.aio.Server`)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from clarion.aio.errors import UsageError
from clarion.aio.link import Link
from clarion.aio.server_call import AioServerCall
from clarion.http2 import Abort, Connection
from clarion.listening import Listener, bind
from clarion.method import Compression, GenericRpcHandler, RpcMethodHandler
from clarion.server_core import ServerCore, ServerOptions

__all__ = ["Server", "ServerLink", "server"]

_DRAIN_PATIENCE = 60.0


class ServerLink(Link):
    """One accepted connection."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.loop)
        self._server = server
        self.timed_calls: list[AioServerCall] = []

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.timed_calls:
            timed, self.timed_calls = self.timed_calls, []
            for call in timed:
                call.start_timer()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        server = self._server
        self.connection = Connection(
            self,
            self.loop.time,
            server.core.options.http2,
            lambda connection, sid: AioServerCall(server, self, connection, sid),
        )
        server.links.add(self)
        self.connection.start()
        if server.core.stopping:
            self.connection.drain()
        self.flush()

    # ConnectionObserver

    def ready(self) -> None: ...

    def streams_available(self) -> None: ...

    def goaway_received(self, code: int, debug: bytes) -> None: ...

    def ping_acknowledged(self, data: bytes) -> None: ...

    def finished(self, reason: Abort) -> None:
        self._server.links.discard(self)
        self._server.check_stopped()
        self.flush_soon()


class Server:
    """A server on the running event loop. Make it with `clarion.aio.server`."""

    def __init__(
        self,
        migration_thread_pool: Executor | None,
        handlers: Sequence[GenericRpcHandler] | None,
        options: Iterable[tuple[str, Any]] | None,
        maximum_concurrent_rpcs: int | None,
        compression: Compression | None,
    ) -> None:
        self.core = ServerCore(
            handlers or (), ServerOptions.read(options), maximum_concurrent_rpcs, compression
        )
        self.migration_thread_pool = migration_thread_pool
        self.links: set[ServerLink] = set()
        self._listeners: list[Listener] = []
        self._acceptors: list[asyncio.Server] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped: asyncio.Event | None = None
        self._drained: asyncio.Event | None = None
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
            address: `host:port`, `[v6]:port`, `unix:path`, `unix-abstract:name`; port 0 picks a free one, and
                `[::]` takes IPv4 too.

        Returns:
            The port (1 for a Unix socket, as grpcio has it).

        Raises:
            RuntimeError: the address cannot be bound; says why.
        """
        if self._state != "new":
            raise UsageError("ports must be added before the server starts")
        listener = bind(address, reuse_port=self.core.options.reuse_port)
        self._listeners.append(listener)
        return listener.port

    async def start(self) -> None:
        """Begin to serve.

        Raises:
            UsageError: the server was started before.
        """
        if self._state != "new":
            raise UsageError(f"start() was called, but the server is {self._state}")
        self._state = "started"
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        self._drained = asyncio.Event()
        for listener in self._listeners:
            for sock in listener.sockets:
                if listener.is_unix:
                    acceptor: asyncio.Server = await self._loop.create_unix_server(
                        lambda: ServerLink(self), sock=sock, backlog=1024
                    )
                else:
                    acceptor = await self._loop.create_server(
                        lambda: ServerLink(self), sock=sock, backlog=1024
                    )
                self._acceptors.append(acceptor)

    async def stop(self, grace: float | None) -> None:
        """Stop taking calls, and end those in progress.

        Args:
            grace: seconds that calls in progress may take to finish; then they are cancelled. None cancels
                them at once.
        """
        if self._state == "new":
            self._state = "stopped"
            for listener in self._listeners:
                listener.close()
            return
        stopped, drained = self._stopped, self._drained
        assert stopped is not None
        assert drained is not None
        if self._state == "started":
            self._state = "stopping"
            self.core.stopping = grace is None
            for acceptor in self._acceptors:
                acceptor.close()
            for listener in self._listeners:
                listener.close()
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
            stopped.set()
        self._state = "stopped"

    async def _cut_off(self) -> None:
        self.core.stopping = True
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for link in list(self.links):
            link.close("the server was stopped")
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=5)

    def check_stopped(self) -> None:
        """A connection is gone; note it when it was the last one of a server that stops."""
        if self._state == "stopping" and not self.links and self._drained is not None:
            self._drained.set()

    async def wait_for_termination(self, timeout: float | None = None) -> bool:
        """Wait until the server has stopped.

        Args:
            timeout: seconds to wait at most.

        Returns:
            Whether the time ran out before the server stopped.
        """
        if self._stopped is None:
            if self._state == "stopped":
                return False
            raise UsageError("wait_for_termination() before start()")
        try:
            await asyncio.wait_for(self._stopped.wait(), timeout)
        except TimeoutError:
            return True
        return False

    def track(self, task: asyncio.Task[None]) -> None:
        """Keep a handler's task alive until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def __del__(self) -> None:
        for listener in getattr(self, "_listeners", ()):
            listener.close()


def server(
    migration_thread_pool: Executor | None = None,
    handlers: Sequence[GenericRpcHandler] | None = None,
    interceptors: Sequence[Any] | None = None,
    options: Iterable[tuple[str, Any]] | None = None,
    maximum_concurrent_rpcs: int | None = None,
    compression: Compression | None = None,
) -> Server:
    """Make an asyncio server.

    Args:
        migration_thread_pool: where handlers that are plain functions run; the loop's default executor if
            None.
        handlers: generic handlers to begin with.
        interceptors: not supported yet; must be empty.
        options: channel arguments, `(name, value)` pairs.
        maximum_concurrent_rpcs: calls served at a time; more get RESOURCE_EXHAUSTED.
        compression: how responses are compressed by default.
    """
    if interceptors:
        raise NotImplementedError("server interceptors are not supported yet")
    return Server(migration_thread_pool, handlers, options, maximum_concurrent_rpcs, compression)
