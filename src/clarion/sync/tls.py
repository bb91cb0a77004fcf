"""TLS on the sync front end: the handshake on the I/O thread, and links whose bytes pass through a filter.

The socket is read as that of a plain link is, by whoever leads. What came is decrypted with the connection's lock,
and what goes out is encrypted with it, so that one thread at a time uses the filter and records leave in the order
in which they were made.
"""

from __future__ import annotations

import functools
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from clarion.client_core import LinkOwner
from clarion.http2 import Config, ErrorCode
from clarion.plugin_threads import apart
from clarion.security import (
    AuthContext,
    LocalServer,
    ServerSecurity,
    TlsClient,
    TlsFilter,
    TlsServer,
    explain,
)
from clarion.security.failures import CLOSED_AFTER_HANDSHAKE, no_http2
from clarion.sync.client_link import ClientLink
from clarion.sync.io_thread import READ, WRITE, IoThread, Timer
from clarion.sync.link import Link, describe_address
from clarion.sync.server_link import ServerLink

if TYPE_CHECKING:
    from clarion.sync.sync_server import Server

__all__ = ["Handshake", "TlsClientLink", "TlsServerLink", "accept", "admit_local", "connect"]

_LOG = logging.getLogger(__name__)

_READ_SIZE = 1 << 16
# How long a peer that was turned away may take to read why, in seconds.
_LAST_WORDS = 0.5


class Handshake:
    """Goes on until both sides agree, the peer is gone, or the time is up. Everything is on the I/O thread.

    Args:
        io: the thread.
        sock: connected.
        seconds: how long it may take.
        done: told the handshake's filter, or None and what went wrong; the socket is then closed.
    """

    def __init__(
        self,
        io: IoThread,
        sock: socket.socket,
        seconds: float,
        done: Callable[[TlsFilter | None, str], None],
    ) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._io = io
        self._tls: TlsFilter | None = None
        self._done = done
        self._unsent = b""
        self._events = 0
        self._agreed = False
        self._failure = ""
        self._over = False
        self._timer: Timer = io.call_later(seconds, lambda: self._too_long(seconds))

    takes_http1 = False
    """Whether it is no failure that the peer does not agree to HTTP/2."""

    def start(self, filter: TlsFilter) -> None:
        """Begin."""
        if self._over:
            return
        self._tls = filter
        if not filter.ssl.server_side:
            filter.handshake(b"")
            self._unsent = filter.take()
        self._watch()

    def io_ready(self, events: int) -> None:
        """See `IoThread.watch`."""
        try:
            if events & READ and not self._agreed:
                data = self.sock.recv(_READ_SIZE)
                if self._failure:
                    # The peer reads our last word before it hears of the end.
                    if not data:
                        self._finish(self._failure)
                    return
                self._advance(data or None)
            elif events & WRITE:
                self._send()
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            why = f"the connection was lost in the TLS handshake: {error.strerror or error}"
            self._finish(self._failure or why)
        if not self._over:
            self._watch()

    def _advance(self, data: bytes | None) -> None:
        tls = self._tls
        assert tls is not None
        try:
            self._agreed = tls.handshake(data)
        except ssl.SSLError as error:
            self._failure = explain(error, tls)
        if self._agreed and not tls.speaks_http2 and not self.takes_http1:
            self._agreed = False
            self._failure = no_http2(tls)
        self._unsent += tls.take()
        self._send()

    def _send(self) -> None:
        tls = self._tls
        assert tls is not None
        try:
            while self._unsent:
                self._unsent = self._unsent[self.sock.send(self._unsent) :]
        except (BlockingIOError, InterruptedError):
            return
        if self._agreed:
            self._finish("")
        elif self._failure and (tls.gone or not tls.ssl.server_side):
            self._finish(self._failure)
        elif self._failure:
            self.sock.shutdown(socket.SHUT_WR)
            self._timer.cancel()
            self._timer = self._io.call_later(_LAST_WORDS, lambda: self._finish(self._failure))

    def _watch(self) -> None:
        events = READ | (WRITE if self._unsent else 0)
        if events != self._events:
            self._events = events
            self._io.watch(self.sock, events, self)

    def _too_long(self, seconds: float) -> None:
        if not self._over:
            self._finish(f"the TLS handshake was not over within {seconds:.3g} s")

    def give_up(self, why: str) -> None:
        """End it from this side."""
        if not self._over:
            self._finish(why)

    def _finish(self, failure: str) -> None:
        self._over = True
        self._timer.cancel()
        if self._events:
            self._io.watch(self.sock, 0, self)
        if failure:
            self.sock.close()
        # Whom it tells knows this object in turn.
        done, self._done = self._done, _nothing
        done(None if failure else self._tls, failure)


def _nothing(tls: TlsFilter | None, why: str) -> None:
    pass


class _TlsLink(Link):
    """What both kinds of links do with a filter."""

    tls: TlsFilter

    def catch_up(self) -> None:
        """Work off what came with the end of the handshake."""
        with self.lock:
            self._receive_decrypted(self.tls.decrypt(b""))

    # With the lock

    def receive(self, data: bytes) -> None:
        if not data:
            super().receive(data)
            return
        size = self._receive_size
        self._receive_decrypted(self.tls.decrypt(data))
        if len(data) == size:
            # As for plain links, but it is the ciphertext that was read.
            self._receive_size = self.LARGE_RECEIVE

    def _receive_decrypted(self, data: bytes) -> None:
        tls = self.tls
        if data:
            super().receive(data)
        if tls.failure is not None:
            self.connection.connection_lost(tls.failure)
            self.flush()
        elif tls.peer_closed:
            super().receive(b"")
        elif tls.pending:
            self.flush()

    def flush(self) -> None:
        """Write what is in the outbox, and what TLS itself has to say."""
        tls = self.tls
        while True:
            super().flush()
            if not tls.pending or self._writing or self._unsent or not self._open:
                return
            self._writing = True
            try:
                self._send(tls.take())
            finally:
                self._writing = False
            if self._unsent:
                self.connection.pause()
                self.io.post(self._watch_writable)

    def _write(self, data: bytes | memoryview) -> None:
        self._send(self.tls.encrypt(data))

    # On the I/O thread

    def _close_socket(self) -> None:
        with self.lock:
            last = self.tls.close()
        try:
            self.sock.send(last)
        except OSError:
            pass
        super()._close_socket()


class TlsClientLink(_TlsLink, ClientLink):
    """A connection with TLS that this side opened, after the handshake."""

    def __init__(
        self,
        sock: socket.socket,
        io: IoThread,
        config: Config,
        owner: LinkOwner,
        tls: TlsFilter,
        security: TlsClient,
    ) -> None:
        self.tls = tls
        self._security = security
        self._heard = False
        super().__init__(sock, io, config, owner)

    def receive(self, data: bytes) -> None:
        if not data and not self._heard:
            self.connection.connection_lost(CLOSED_AFTER_HANDSHAKE)
        super().receive(data)

    def closed(self) -> None:
        with self.lock:
            self._security.remember(self.tls)
        super().closed()

    def ready(self) -> None:
        self._heard = True
        self._security.remember(self.tls)
        super().ready()


class TlsServerLink(_TlsLink, ServerLink):
    """An accepted connection with TLS, after the handshake."""

    def __init__(
        self,
        server: Server,
        sock: socket.socket,
        io: IoThread,
        tls: TlsFilter,
        security: TlsServer,
    ) -> None:
        self.tls = tls
        self._security = security
        self._auth: AuthContext | None = None
        super().__init__(server, sock, io)

    @property
    def auth(self) -> AuthContext:
        """What is known of the client."""
        auth = self._auth
        if auth is None:
            with self.lock:
                auth = self._auth = self._security.identify(self.tls)
        return auth

    def catch_up(self) -> None:
        super().catch_up()
        self.dispatch_ready()


def connect(
    sock: socket.socket,
    io: IoThread,
    config: Config,
    owner: LinkOwner,
    seconds: float,
    done: Callable[[ClientLink | None, str], None],
) -> None:
    """Secure a connection that this side opened; `done(link, "")` or `done(None, why not)`.

    Args:
        seconds: how long that may take.
    """
    security = owner.security
    assert isinstance(security, TlsClient)

    def agreed(filter: TlsFilter | None, why: str) -> None:
        if filter is None:
            done(None, why)
            return
        kind = TlsClientLink if filter.speaks_http2 else owner.options.web.sync_link(tls=True)
        link: TlsClientLink = kind(sock, io, config, owner, filter, security)
        done(link, "")
        link.catch_up()

    handshake = Handshake(io, sock, seconds, agreed)
    handshake.takes_http1 = security.takes_http1
    if security.dynamic:
        # Its certificates may be in files.
        apart(functools.partial(_refresh_and_connect, io, security, handshake))
    else:
        handshake.start(security.filter())


def _refresh_and_connect(io: IoThread, security: TlsClient, handshake: Handshake) -> None:
    security.refresh()
    problem = security.problem
    if problem is None:
        io.post(lambda: handshake.start(security.filter()))
    else:
        io.post(lambda: handshake.give_up(problem))


def admit_local(link: ServerLink, security: LocalServer) -> None:
    """Note who the client is of a connection to a port with local credentials, and turn it away if it is not local."""
    admitted = security.admits(link.sock)
    link.auth = security.identify(link.sock)
    if not admitted:
        link.turn_away(security.refusal, ErrorCode.INADEQUATE_SECURITY)


def accept(server: Server, sock: socket.socket, io: IoThread, security: ServerSecurity) -> None:
    """Take a connection that came to a port with credentials."""
    if isinstance(security, LocalServer):
        if server.web is not None:
            server.web.accept(server, sock, io, security)
            return
        link = ServerLink(server, sock, io)
        admit_local(link, security)
        server.add_link(link)
        return
    tls = security
    # The socket cannot tell when it is closed.
    peer = describe_address(sock)

    def agreed(filter: TlsFilter | None, why: str) -> None:
        server.handshakes.pop(handshake, None)
        if filter is None:
            _LOG.info("the connection of %s was closed: %s", peer, why)
            return
        kind = TlsServerLink if filter.speaks_http2 else server.web.tls_http1_link
        link: TlsServerLink = kind(server, sock, io, filter, tls)
        server.add_link(link)
        link.catch_up()

    seconds = min(server.core.options.http2.lifetime.handshake, threading.TIMEOUT_MAX)
    handshake = Handshake(io, sock, seconds, agreed)
    handshake.takes_http1 = server.web is not None and server.web.takes_http1
    server.handshakes[handshake] = io.now()
    if tls.dynamic:
        # The fetcher is the application's; it may read files.
        apart(functools.partial(_refresh_and_start, io, tls, handshake))
    else:
        handshake.start(tls.filter())


def _refresh_and_start(io: IoThread, security: TlsServer, handshake: Handshake) -> None:
    security.refresh()
    io.post(lambda: handshake.start(security.filter()))
