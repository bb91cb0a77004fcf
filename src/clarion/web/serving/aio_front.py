"""Web requests on an asyncio server: the first bytes of a connection, and links of HTTP/1.1."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from clarion.aio.aio_server import Server, ServerLink
from clarion.http2 import Abort, Connection
from clarion.web.serving.front_end import FrontEnd, speaks_http2

__all__ = ["AioFrontEnd"]


class AioFrontEnd(FrontEnd):
    """See `FrontEnd`."""

    NAME = "aio"

    def protocol(self, server: Server, local: Any = None) -> asyncio.Protocol:
        """For a connection that came to a port without TLS.

        Args:
            local: the port's `security.LocalServer`, if it has local credentials.
        """
        if self.takes_http1:
            return _Sniffer(server, self, local)
        link = ServerLink(server)
        link.security = local
        return link

    def http1_link(self, server: Server) -> ServerLink | None:
        """For a connection with TLS whose client does not speak HTTP/2."""
        return _Http1Link(server, self) if self.takes_http1 else None


class _Sniffer(asyncio.Protocol):
    """Waits for the first bytes, and gives the transport to a link that knows what they are.

    Until then the connection is one of the server's handshakes: it may go for others, and has as long as they have.
    """

    def __init__(self, server: Server, front_end: AioFrontEnd, local: Any) -> None:
        self._server = server
        self._front_end = front_end
        self._local = local
        self._begin = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        server = self._server
        seconds = min(
            server.core.options.http2.lifetime.handshake, self._front_end.options.head_timeout
        )
        self._timer = server.loop.call_later(seconds, self.give_up, "it said nothing")
        admission = server.admission
        if admission.handshakes_exceeded(len(server.handshakes), len(server.links)):
            one = admission.which_goes(server.handshakes)
            if one is None:
                self.give_up(admission.refusal)
                return
            one.give_up(admission.refusal)
        server.handshakes[self] = server.loop.time()

    def data_received(self, data: bytes) -> None:
        self._begin += data
        is_http2 = speaks_http2(self._begin)
        if is_http2 is None or self._transport.is_closing():
            return
        server, transport = self._server, self._transport
        self._leave()
        link = ServerLink(server) if is_http2 else _Http1Link(server, self._front_end)
        link.security = self._local
        transport.set_protocol(link)
        link.connection_made(transport)
        link.data_received(self._begin)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def give_up(self, why: str) -> None:
        """Close the connection; nobody can be told why."""
        self._leave()
        self._transport.abort()

    def _leave(self) -> None:
        self._timer.cancel()
        self._server.handshakes.pop(self, None)


class _Http1Link(ServerLink):
    """A link under a connection of HTTP/1.1."""

    _patience: Any = None

    def __init__(self, server: Server, front_end: AioFrontEnd) -> None:
        super().__init__(server)
        self._front_end = front_end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if not self.connection.closed:
            self._patience = self._front_end.patience(self)

    def make_connection(self) -> Connection:
        secure = self.tls is not None
        return self._front_end.http1_connection(self._server, self, self.loop.time, secure)

    def finished(self, reason: Abort) -> None:
        if self._patience is not None:
            self._patience.stop()
        super().finished(reason)

    # Http1Observer

    def hold_reading(self) -> None:
        """See `Http1Observer`."""
        if self.transport is not None:
            self.transport.pause_reading()

    def go_on_reading(self) -> None:
        """See `Http1Observer`."""
        # Whose answer led here must not leave its context variables to the next request.
        self.loop.call_soon(self._go_on, context=self._server.context)

    def _go_on(self) -> None:
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        # The rest of what was read; that may hold it again.
        self.data_received(b"")
        if self.transport is not None and not cast(Any, self.connection).held:
            self.transport.resume_reading()
