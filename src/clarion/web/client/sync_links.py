"""Links of HTTP/1.1 that a sync channel opens. See `aio_links`, which has the same for the other front end.

What is different from HTTP/2:

- The end of the connection may be the end of an answer.
- A connection whose bytes nobody consumes is not read (`held`): not by the I/O thread, and threads that wait do not lead.
- When the socket takes nothing any more, the answer may still be there to be read.
"""

from __future__ import annotations

import logging
from typing import Any

from clarion.http2 import Abort, ErrorCode
from clarion.security.failures import CLOSED_AFTER_HANDSHAKE
from clarion.sync.client_link import ClientLink
from clarion.sync.io_thread import READ
from clarion.sync.tls import TlsClientLink
from clarion.web.http1.client_patience import Expiry

__all__ = ["Http1ClientLink", "TlsHttp1ClientLink"]

_LOG = logging.getLogger(__name__)


class Http1ClientLink(ClientLink):
    """A link under a connection of HTTP/1.1."""

    speaks_http1 = True
    connection: Any
    tls: Any = None

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        with self.lock:
            self._expiry = Expiry(self.connection, self.later)

    # With the lock

    @property
    def held(self) -> bool:  # type: ignore[override]
        """See `ClientLink`."""
        held: bool = self.connection.held
        return held

    def receive(self, data: bytes) -> None:
        super().receive(data)
        leader = self._leader
        if leader is not None and self.connection.held:
            # It must not read on.
            leader.progress = True

    def peer_closed(self) -> None:
        connection, tls = self.connection, self.tls
        if tls is not None and not connection.bytes_received:
            connection.connection_lost(CLOSED_AFTER_HANDSHAKE)
        else:
            # Without a word of TLS anybody may have closed it (RFC 9112 §9.8).
            connection.peer_closed(certain=tls is None or tls.peer_closed)

    def send_failed(self, why: str) -> None:
        self.connection.send_failed(why)

    def finished(self, reason: Abort) -> None:
        self._expiry.stop()
        # There are no last words: it is of a request that nobody wants any more.
        self._unsent = []
        super().finished(reason)

    # Http1ClientObserver (with the lock)

    def hold_reading(self) -> None:
        """See `Http1ClientObserver`."""
        self.io.post(self._obey)

    def go_on_reading(self) -> None:
        """See `Http1ClientObserver`."""
        self.io.post(self._go_on)

    def due_changed(self) -> None:
        """See `Http1ClientObserver`."""
        self._expiry.renew()

    # On the I/O thread

    def watch(self, events: int) -> None:
        super().watch(events & ~READ if self.connection.held else events)

    def _obey(self) -> None:
        with self.lock:
            self.watch(self._events)

    def _go_on(self) -> None:
        with self.lock:
            if not self._open:
                return
            self.receiving = True
            try:
                # The rest of what was read; that may hold it again.
                self.connection.go_on()
            except Exception:
                _LOG.exception("internal error; the connection is given up")
                self.connection.fail(ErrorCode.INTERNAL_ERROR, "internal error")
            finally:
                self.receiving = False
            self.flush()
            if self._leader is not None:
                # While this side is `receiving`, it is not woken by what it waits for.
                self._poller.wake()
            elif not self.connection.held:
                if self._sleepers:
                    self._hand_over()
                else:
                    self.watch(self._events | READ)

    def read_ready(self) -> None:
        with self.lock:
            held = self.connection.held
        if held:
            self._obey()
        else:
            super().read_ready()


class TlsHttp1ClientLink(Http1ClientLink, TlsClientLink):
    """The same with TLS."""
