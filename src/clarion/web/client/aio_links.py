"""Links of HTTP/1.1 that an asyncio channel opens. See `sync_links`, which has the same for the other front end."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from clarion.aio.runtime import ClientLink
from clarion.http2 import Abort, ErrorCode
from clarion.web.http1.client_patience import Expiry

__all__ = ["Http1ClientLink"]

_LOG = logging.getLogger(__name__)


class Http1ClientLink(ClientLink):
    """A link under a connection of HTTP/1.1, with TLS or without."""

    speaks_http1 = True
    connection: Any
    _expiry: Expiry | None = None

    # What asyncio says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if not self.connection.closed:
            self._expiry = Expiry(self.connection, self.later)

    def eof_received(self) -> bool:
        self._peer_closed()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self._peer_closed()
            self.transport = None
        else:
            super().connection_lost(exc)

    def _peer_closed(self) -> None:
        # Without a word of TLS anybody may have closed it (RFC 9112 §9.8).
        certain = self.tls is None or self.tls.peer_closed
        self._working(lambda: self.connection.peer_closed(certain=certain))

    def _working(self, work: Any) -> None:
        """Do what may call streams, and write what that brings out at its end."""
        connection = self.connection
        self._receiving = True
        try:
            work()
        except Exception:
            _LOG.exception("internal error; the connection is given up")
            connection.fail(ErrorCode.INTERNAL_ERROR, "internal error")
        self._receiving = False
        if connection.outbox or connection.closed:
            self.flush()

    def _end(self, transport: asyncio.Transport) -> None:
        # There are no last words: what was not sent is of a request that nobody wants any more.
        if transport.get_write_buffer_size():
            transport.abort()
        else:
            transport.close()

    # Http1ClientObserver

    def finished(self, reason: Abort) -> None:
        if self._expiry is not None:
            self._expiry.stop()
        super().finished(reason)

    def hold_reading(self) -> None:
        """See `Http1ClientObserver`."""
        if self.transport is not None:
            self.transport.pause_reading()

    def go_on_reading(self) -> None:
        """See `Http1ClientObserver`."""
        self.loop.call_soon(self._go_on, context=self._context)

    def due_changed(self) -> None:
        """See `Http1ClientObserver`."""
        if self._expiry is not None:
            self._expiry.renew()

    def _go_on(self) -> None:
        # The rest of what was read; that may hold it again.
        self._working(self.connection.go_on)
        transport = self.transport
        if transport is not None and not transport.is_closing() and not self.connection.held:
            transport.resume_reading()
