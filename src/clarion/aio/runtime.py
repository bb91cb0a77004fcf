"""The client's `Runtime` on an event loop.

A connection serves many callers, so nothing of it runs in the context (`contextvars`) of the one that happened
to come first: tasks, transports and timers begin with an empty context.
"""

from __future__ import annotations

import asyncio
import functools
import os
import random
import socket
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from contextvars import Context
from typing import Any

from clarion.aio.link import Link
from clarion.client_core import LinkOwner, Pending, Timer, cancel_calls
from clarion.http2 import Abort, Config, Connection, Keepalive
from clarion.http2.watching import connection_type
from clarion.plugin_threads import apart
from clarion.resolver.target import Address, HostPort, ProxiedAddress, UnixAddress, VsockAddress
from clarion.sockets import give_up_unacknowledged, prepare, vsock_family

__all__ = ["AioRuntime", "ClientLink"]


class ClientLink(Link):
    """A connection that this side opened.

    Attributes:
        speaks_http1: it has HTTP/1.1 on it; see `clarion.web.client`.
    """

    speaks_http1 = False

    def __init__(self, loop: asyncio.AbstractEventLoop, config: Config, owner: LinkOwner) -> None:
        super().__init__(loop)
        self._owner = owner
        self.connection = self.make_connection(config)
        self.pending: deque[Pending] = deque()

    def make_connection(self, config: Config) -> Connection:
        """What is on the socket."""
        web = self._owner.options.web
        if web is None:
            return connection_type()(self, self.loop.time, config)
        connection: Connection = web.make_connection(self, self.loop.time, config)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # A connection that is lost no longer knows.
        self._peer_name = self.peer()
        self._keepalive = Keepalive(self.connection, self.later)
        self.connection.start()
        self.flush()

    def peer_name(self) -> str:
        return self._peer_name

    def close(self, message: str) -> None:
        cancel_calls(self.connection, message)
        super().close(message)

    def leave_unattended(self) -> None:
        """The loop attends to all calls."""

    def attended(self) -> None:
        """The same."""

    # ConnectionObserver

    def ready(self) -> None:
        self._owner.link_ready(self)

    def streams_available(self) -> None:
        while self.pending and self.connection.can_open:
            self.pending.popleft().link_available(self)
        if self.pending:
            self.connection.want_stream()

    def goaway_received(self, code: int, debug: bytes) -> None:
        self._owner.link_draining(self, code, debug)

    def ping_acknowledged(self, data: bytes) -> None:
        self._keepalive.answered(data)

    def finished(self, reason: Abort) -> None:
        self._keepalive.stop()
        self._owner.link_closed(self, reason)
        self.flush_soon()


class AioRuntime:
    """Time, names and connections from an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.now = loop.time
        self.random = random.random
        # All happens on the loop's thread.
        self.lock = nullcontext
        self._tasks: set[asyncio.Task[None]] = set()

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        return self.loop.call_later(delay, callback, context=Context())

    def post(self, callback: Callable[[], None]) -> None:
        self.loop.call_soon(callback, context=Context())

    def post_from_thread(self, callback: Callable[[], None]) -> None:
        try:
            self.loop.call_soon_threadsafe(callback, context=Context())
        except RuntimeError:
            # The loop is closed, and whoever waited with it.
            return

    def apart(self, work: Callable[[], None]) -> None:
        apart(work)

    def resolve(self, name: HostPort, done: Callable[[list[Address] | None, str], None]) -> None:
        self._spawn(self._resolve(name, done))

    def connect(
        self,
        address: Address,
        config: Config,
        owner: LinkOwner,
        done: Callable[[ClientLink | None, str], None],
    ) -> None:
        self._spawn(self._connect(address, config, owner, done))

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        # Not `context=`, which the application's task factory need not take.
        task = Context().run(self.loop.create_task, coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard, context=Context())

    async def _resolve(
        self, name: HostPort, done: Callable[[list[Address] | None, str], None]
    ) -> None:
        try:
            infos = await self.loop.getaddrinfo(name.host, name.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            done(None, getattr(error, "strerror", None) or str(error))
            return
        done([HostPort(str(info[4][0]), int(info[4][1])) for info in infos], "")

    async def _connect(
        self,
        address: Address,
        config: Config,
        owner: LinkOwner,
        done: Callable[[ClientLink | None, str], None],
    ) -> None:
        security: Any = owner.security
        web = owner.options.web
        http1_link: Any = None
        if web is not None:
            http1_link = functools.partial(web.aio_link(), self.loop, config, owner)
        if web is not None and web.http1 and not (security is not None and security.encrypted):
            link: ClientLink = http1_link()
        else:
            link = ClientLink(self.loop, config, owner)
        refused = None if security is None else security.refuse(address)
        if refused:
            done(None, refused)
            return

        def connect(protocol: Callable[[], asyncio.Protocol]) -> Any:
            if isinstance(address, UnixAddress):
                path = "\0" + address.path if address.abstract else address.path
                return self.loop.create_unix_connection(protocol, path)
            if isinstance(address, VsockAddress):
                return self._connect_vsock(protocol, address)
            if isinstance(address, ProxiedAddress):
                from clarion.aio.tunnel import open_tunnel

                return open_tunnel(self.loop, address, protocol, owner.options.connect_timeout)
            return self.loop.create_connection(protocol, address.host, address.port)

        try:
            if security is not None and security.encrypted:
                # Loaded by the channel, which has credentials.
                from clarion.aio import tls

                seconds = owner.options.connect_timeout
                try:
                    link = await tls.secure_client_link(
                        link, security, seconds, connect, http1_link
                    )
                except tls.HandshakeFailed as error:
                    done(None, str(error))
                    return
            else:
                await connect(lambda: link)
            if not isinstance(address, (UnixAddress, VsockAddress)):
                if link.transport is not None:
                    options = owner.options
                    sock = link.transport.get_extra_info("socket")
                    prepare(sock, options.dscp, options.receive_buffer)
                    give_up_unacknowledged(sock, config.keepalive)
        except UnicodeError as error:
            done(None, str(error))
            return
        except OSError as error:
            if link.transport is not None:
                link.transport.abort()
            # asyncio's own text names the address again, but not the reason.
            done(None, os.strerror(error.errno) if error.errno else str(error))
            return
        done(link, "")

    async def _connect_vsock(
        self, protocol: Callable[[], asyncio.Protocol], address: VsockAddress
    ) -> Any:
        sock = socket.socket(vsock_family(), socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            await self.loop.sock_connect(sock, tuple(address))
            return await self.loop.create_connection(protocol, sock=sock)
        except BaseException:
            sock.close()
            raise

    def close(self) -> None:
        """Give up what is under way."""
        for task in list(self._tasks):
            task.cancel()
