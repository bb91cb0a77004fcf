"""Web requests on a sync server: the first bytes of a connection, and links of HTTP/1.1. See `aio_front`, which has the same names."""

from __future__ import annotations

import logging
import socket
import time
from typing import Any

from clarion.http2 import Abort, Connection, ErrorCode
from clarion.sync.io_thread import READ, IoThread
from clarion.sync.server_link import ServerLink
from clarion.sync.sync_server import Server
from clarion.sync.tls import TlsServerLink, admit_local
from clarion.web.serving.front_end import FrontEnd, speaks_http2

__all__ = ["SyncFrontEnd"]

_LOG = logging.getLogger(__name__)

_READ_SIZE = 1 << 16


class SyncFrontEnd(FrontEnd):
    """See `FrontEnd`."""

    NAME = "sync"

    def accept(self, server: Server, sock: socket.socket, io: IoThread, local: Any = None) -> None:
        """Take a connection that came to a port without TLS (on the I/O thread).

        Args:
            local: the port's `security.LocalServer`, if it has local credentials.
        """
        if self.takes_http1:
            _Sniffer(server, sock, io, self, local)
        else:
            _serve(server, ServerLink(server, sock, io), local)

    def tls_http1_link(self, server: Server, *arguments: Any) -> TlsServerLink:
        """For a connection with TLS whose client does not speak HTTP/2."""
        return _TlsHttp1Link(server, *arguments)


def _serve(server: Server, link: ServerLink, local: Any) -> None:
    if local is not None:
        admit_local(link, local)
    server.add_link(link)


class _Sniffer:
    """Waits for the first bytes, and gives the socket to a link that knows what they are. Everything is on the I/O thread.

    Until then the connection is one of the server's handshakes: it may go for others, and has as long as they have.
    """

    def __init__(
        self,
        server: Server,
        sock: socket.socket,
        io: IoThread,
        front_end: SyncFrontEnd,
        local: Any,
    ) -> None:
        sock.setblocking(False)
        self._local = local
        self.sock = sock
        self._server = server
        self._io = io
        self._front_end = front_end
        self._begin = b""
        seconds = min(server.core.options.http2.lifetime.handshake, front_end.options.head_timeout)
        self._timer = io.call_later(seconds, self._too_long)
        server.handshakes[self] = io.now()
        io.watch(sock, READ, self)

    def io_ready(self, events: int) -> None:
        """See `IoThread.watch`."""
        try:
            data = self.sock.recv(_READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.give_up("the client closed it")
            return
        self._begin += data
        is_http2 = speaks_http2(self._begin)
        if is_http2 is None:
            return
        self._leave()
        server = self._server
        link: ServerLink
        if is_http2:
            link = ServerLink(server, self.sock, self._io)
        else:
            link = _Http1Link(server, self.sock, self._io)
        _serve(server, link, self._local)
        with link.lock:
            link.receive(self._begin)
        link.dispatch_ready()

    def _too_long(self) -> None:
        self.give_up("it said nothing")

    def give_up(self, why: str) -> None:
        """Close the connection; nobody can be told why."""
        if self._leave():
            self.sock.close()

    def _leave(self) -> bool:
        self._timer.cancel()
        if self._server.handshakes.pop(self, None) is None:
            return False
        self._io.watch(self.sock, 0, self)
        return True


class _Http1Mixin(ServerLink):
    """A link under a connection of HTTP/1.1."""

    _patience: Any = None
    _secure = False

    def begin(self) -> None:
        if not self.connection.closed:
            self._patience = self._server.web.patience(self)
        super().begin()

    def make_connection(self) -> Connection:
        web = self._server.web
        connection: Connection = web.http1_connection(
            self._server, self, time.monotonic, self._secure
        )
        return connection

    def finished(self, reason: Abort) -> None:
        if self._patience is not None:
            self._patience.stop()
        super().finished(reason)

    # Http1Observer

    def hold_reading(self) -> None:
        """See `Http1Observer`."""
        self.io.post(self._obey)

    def go_on_reading(self) -> None:
        """See `Http1Observer`."""
        self.io.post(self._go_on)

    # On the I/O thread

    def _obey(self) -> None:
        connection: Any = self.connection
        with self.lock:
            if self._open and not self._lingers:
                self.watch(self._events & ~READ if connection.held else self._events | READ)

    def _go_on(self) -> None:
        with self.lock:
            if not self._open:
                return
            self.receiving = True
            try:
                # The rest of what was read; that may hold it again.
                self.connection.receive_data(b"")
            except Exception:
                _LOG.exception("internal error; the connection is given up")
                self.connection.fail(ErrorCode.INTERNAL_ERROR, "internal error")
            finally:
                self.receiving = False
            self.flush()
        self._obey()
        self.dispatch_ready()


class _Http1Link(_Http1Mixin):
    pass


class _TlsHttp1Link(_Http1Mixin, TlsServerLink):
    _secure = True
