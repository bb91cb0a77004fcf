"""A server's connection: the I/O thread reads it, handlers' threads write it.

A write is a system call that lets other threads in, which costs more than a small message does, so what leaves
together is decided here: an answer somebody waits for goes at once, a burst gathers.
"""

from __future__ import annotations

import math
import random
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clarion.http2 import Abort, Connection, ErrorCode, Keepalive, Lifetime
from clarion.http2.watching import connection_type
from clarion.server_core import STOPPED, cut_off_calls
from clarion.sync.io_thread import READ, IoThread
from clarion.sync.link import LAST_WORDS, USUAL_RECEIVE, Link
from clarion.sync.server_call import SyncServerCall

if TYPE_CHECKING:
    from clarion.sync.sync_server import Server

__all__ = ["ServerLink"]

# Messages of a stream that follow each other within this time, in seconds, leave together, so many at most.
_GATHER = 0.0001
_GATHERED = 64


class ServerLink(Link):
    """One accepted connection.

    Attributes:
        auth: what the connection says about the client, a `clarion.security.AuthContext`; None without credentials.
        since: when it was accepted, on the monotonic clock.
    """

    auth: Any = None
    _lingers = False
    _left = math.inf

    def __init__(self, server: Server, sock: socket.socket, io: IoThread) -> None:
        super().__init__(sock, io)
        self._server = server
        self.since = time.monotonic()
        self._flush_posted = False
        self._flushed = 0.0
        self.ready_calls: list[SyncServerCall] = []
        self.connection = self.make_connection()
        self._keepalive = Keepalive(self.connection, self.later)
        self._lifetime = Lifetime(self.connection, self.later, random.random)
        self.connection.start()
        if server.stopping:
            self._lifetime.drain()

    def make_connection(self) -> Connection:
        """The HTTP/2 connection."""
        server = self._server
        call_type = server.call_type
        return connection_type()(
            self,
            time.monotonic,
            server.core.options.http2,
            lambda connection, sid: call_type(server, self, connection, sid),
        )

    def begin(self) -> None:
        """Say what there is to say, and listen.

        Not before the server has decided whether it wants the connection: a client that heard of settings, and not yet of
        the refusal, would send its call, and lose what was to be read to the error of that.
        """
        with self.lock:
            self.flush()
        self.watch(READ)

    def drain(self) -> None:
        """Take no more calls; close the connection when those on it are over."""
        with self.lock:
            self._lifetime.drain()
            self.flush()

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

    def dispatch_ready(self) -> None:
        """Have the calls served that came otherwise than by `read_ready`."""
        with self.lock:
            ready, self.ready_calls = self.ready_calls, []
        for call in ready:
            self._server.dispatch(call)

    def message_added(self, *, awaited: bool) -> None:
        """A message of a stream was sent (with the lock): write it, or let messages in quick succession gather.

        Those that gather are written by whoever is first: the I/O thread, which gets to it when the handler
        blocks or its time slice ends, or the handler when there are many.

        Args:
            awaited: it answers the last request that came, so the client may well wait for it.
        """
        if awaited:
            self.flush()
            return
        if self._flush_posted:
            if len(self.connection.outbox) >= _GATHERED:
                self.flush()
            return
        now = time.monotonic()
        if now - self._flushed > _GATHER:
            self._flushed = now
            self.flush()
        else:
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

    def turn_away(self, why: str, code: ErrorCode = ErrorCode.ENHANCE_YOUR_CALM) -> None:
        """The server does not want this connection; by default because it has connections enough."""
        with self.lock:
            self.connection.fail(code, why)
            self.flush()

    def cut_off(self) -> None:
        """End the calls and the connection, because the server stops (on the I/O thread)."""
        with self.lock:
            # As after received bytes: one write for all calls, with no other thread in between.
            self.receiving = True
            try:
                cut_off_calls(self.connection)
                self.connection.close(STOPPED)
            finally:
                self.receiving = False
            self.flush()

    def closed(self) -> None:
        self._server.link_closed(self)

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

    # On the I/O thread

    def _close_unsent(self) -> None:
        with self.lock:
            left = sum(map(len, self._unsent))
        if self._lingers and left < self._left:
            # It is slow, but it reads.
            self._left = left
            self.io.call_later(LAST_WORDS, self._close_unsent)
        else:
            super()._close_unsent()

    def _close_socket(self) -> None:
        if self._lingers:
            self._events = READ
            _Lingering(self, super()._close_socket).start()
        else:
            super()._close_socket()


class _Lingering:
    """Closes a socket so that its peer can still read all of it.

    A socket that is closed answers what its peer sends afterwards (WINDOW_UPDATE, PING) with a reset, and a reset takes with
    it what is still on the way to the peer: the end of a response, or GOAWAY. So only the sending direction is closed at
    first. The other one is read, and what comes is dropped, until the client closes it too, or for a moment (RFC 9112
    §9.6 describes the same for HTTP/1.1).

    Args:
        link: the connection, which is over.
        close: closes the socket for good.
    """

    def __init__(self, link: ServerLink, close: Callable[[], None]) -> None:
        self._link = link
        self._close = close

    def start(self) -> None:
        """Begin. Like all of it on the I/O thread."""
        link = self._link
        try:
            link.sock.shutdown(socket.SHUT_WR)
        except OSError:
            # The client was quicker.
            self._close()
            return
        self._timer = link.io.call_later(LAST_WORDS, self._end)
        link.io.watch(link.sock, READ, self)

    def io_ready(self, events: int) -> None:
        try:
            # Once: a peer that sends without end must not keep the thread.
            if self._link.sock.recv(USUAL_RECEIVE):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass
        self._end()

    def _end(self) -> None:
        self._timer.cancel()
        self._close()
