"""TLS on the asyncio front end: a protocol between the transport and a link.

The link has a transport as ever, and bytes that came; it does not know that they were ciphertext. This is not
asyncio's own TLS, because the filter is the one that the sync front end uses, with its errors, its last words and its
timeout, and because there is no second buffer and no second flow control in it.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from clarion.aio.lingering import Lingering
from clarion.aio.link import describe_address
from clarion.plugin_threads import apart
from clarion.security import (
    LocalServer,
    ServerSecurity,
    TlsClient,
    TlsFilter,
    TlsServer,
    explain,
)
from clarion.security.failures import CLOSED_AFTER_HANDSHAKE, no_http2

if TYPE_CHECKING:
    from clarion.aio.aio_server import Server, ServerLink
    from clarion.aio.runtime import ClientLink

__all__ = ["HandshakeFailed", "secure_client_link", "server_protocol"]

_LOG = logging.getLogger(__name__)

# How long a peer that was turned away may take to read why, in seconds.
_LAST_WORDS = 0.5


class HandshakeFailed(Exception):
    """There will be no TLS; the message says why."""


class _TlsTransport:
    """What a link writes to: a transport, as far as links use one."""

    def __init__(self, transport: asyncio.Transport, tls: TlsFilter) -> None:
        self._transport = transport
        self._tls = tls
        self._closing = False
        self.abort = transport.abort
        self.get_extra_info = transport.get_extra_info
        self.get_write_buffer_size = transport.get_write_buffer_size
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.is_closing = transport.is_closing

    def write(self, data: bytes | memoryview) -> None:
        """Encrypt and send."""
        self._transport.write(self._tls.encrypt(data))

    def linger(self, lingering: Lingering) -> None:
        """Say so, and have `lingering` close the transport."""
        if not self._closing:
            self._closing = True
            self._transport.write(self._tls.close())
            lingering.take(self._transport)

    def close(self) -> None:
        """Say so, and close."""
        if not self._closing:
            self._closing = True
            self._transport.write(self._tls.close())
            self._transport.close()


class _TlsProtocol(asyncio.Protocol):
    """A handshake, and then a link's bytes.

    Args:
        loop: the event loop.
        link: the link; `connection_made` is its beginning, after the handshake.
        seconds: how long the handshake may take.
        over: called with "" or what went wrong when the handshake is over.
    """

    security: TlsClient | TlsServer

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        link: ClientLink | ServerLink,
        seconds: float,
        over: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._link = link
        self._seconds = seconds
        self._over = over
        self._tls: TlsFilter | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._linked = False
        self._failure = ""

    # What asyncio says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._timer = self._loop.call_later(
            self._seconds,
            lambda: self.give_up(f"the TLS handshake was not over within {self._seconds:.3g} s"),
        )
        self.prepare()

    def prepare(self) -> None:
        """The connection is there; `begin` is next."""
        self.begin()

    def begin(self) -> None:
        """Have a filter made, and start with it."""
        if not self.security.dynamic:
            self.start(self.security.filter())
            return
        assert self._transport is not None
        self._transport.pause_reading()
        # Who is asked is the application's, and may read files.
        apart(self._refresh)

    def _refresh(self) -> None:
        self.security.refresh()
        try:
            self._loop.call_soon_threadsafe(self._resume)
        except RuntimeError:
            # The loop is closed, and the connection with it.
            return

    def _resume(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        problem = self.security.problem
        if problem is not None:
            self.give_up(problem)
            return
        self.start(self.security.filter())
        self._transport.resume_reading()

    def start(self, tls: TlsFilter) -> None:
        """Begin the handshake."""
        if self._transport is None or self._failure:
            return
        self._tls = tls
        if not tls.ssl.server_side:
            tls.handshake(b"")
            self._transport.write(tls.take())

    def data_received(self, data: bytes) -> None:
        if self._linked:
            tls = self._tls
            assert tls is not None
            self._decrypted(tls.decrypt(data))
        elif not self._failure:
            self._advance(data)

    def _advance(self, data: bytes) -> None:
        tls, transport = self._tls, self._transport
        assert tls is not None
        assert transport is not None
        agreed = False
        try:
            agreed = tls.handshake(data)
            failure = "" if not agreed or tls.speaks_http2 else self.without_http2(tls)
        except ssl.SSLError as error:
            failure = explain(error, tls)
        last = tls.take()
        if last:
            transport.write(last)
        if failure:
            self._fail(failure)
        elif agreed:
            self._linked = True
            self._settle("")
            self._link.tls = tls
            self._link.connection_made(cast(asyncio.Transport, _TlsTransport(transport, tls)))
            self._decrypted(tls.decrypt(b""))

    def _decrypted(self, data: bytes) -> None:
        tls, link = self._tls, self._link
        assert tls is not None
        if data:
            link.data_received(data)
        transport = self._transport
        if transport is None:
            return
        if tls.failure is not None:
            link.connection.connection_lost(tls.failure)
        if tls.pending:
            transport.write(tls.take())
        if tls.failure is not None or tls.peer_closed:
            link.flush()
            transport.close()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._linked:
            self._link.connection_lost(exc)
        elif self._failure:
            self._settle(self._failure)
        elif exc is not None:
            self._settle(f"the connection was lost in the TLS handshake: {exc}")
        else:
            self._settle("the peer closed the connection during the TLS handshake")

    def pause_writing(self) -> None:
        if self._linked:
            self._link.pause_writing()

    def resume_writing(self) -> None:
        if self._linked:
            self._link.resume_writing()

    # The end of the handshake

    def without_http2(self, tls: TlsFilter) -> str:
        """The peers agreed to TLS, but not to HTTP/2: return why that is a failure, or "" if it is none."""
        return no_http2(tls)

    def give_up(self, why: str) -> None:
        """End the handshake from this side."""
        if not self._linked and self._transport is not None:
            self._failure = self._failure or why
            self._transport.abort()
            self._settle(self._failure)

    def _fail(self, failure: str) -> None:
        self._failure = failure
        transport, tls = self._transport, self._tls
        assert transport is not None
        assert tls is not None
        if not tls.ssl.server_side:
            transport.close()
            self._settle(failure)
            return
        # The peer reads our last word before it hears of the end.
        if transport.can_write_eof():
            transport.write_eof()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_LAST_WORDS, lambda: self.give_up(failure))

    def _settle(self, failure: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        over, self._over = self._over, _nothing
        over(failure)


def _nothing(failure: str) -> None:
    pass


class _ClientProtocol(_TlsProtocol):
    security: TlsClient
    http1_link: Callable[[], ClientLink] | None = None
    _heard = False

    @property
    def link(self) -> ClientLink:
        """For what the peers agreed to."""
        return cast("ClientLink", self._link)

    def without_http2(self, tls: TlsFilter) -> str:
        if self.http1_link is None or not self.security.takes_http1:
            return super().without_http2(tls)
        self._link = self.http1_link()
        return ""

    def connection_lost(self, exc: Exception | None) -> None:
        if self._linked and not self._heard:
            self._link.connection.connection_lost(CLOSED_AFTER_HANDSHAKE)
        super().connection_lost(exc)

    def _decrypted(self, data: bytes) -> None:
        if data:
            self._heard = True
        super()._decrypted(data)
        if self.security.remembers and data and self._tls is not None:
            self.security.remember(self._tls)


async def secure_client_link(
    link: ClientLink,
    security: TlsClient,
    seconds: float,
    connect: Callable[[Any], Any],
    http1_link: Callable[[], ClientLink] | None = None,
) -> ClientLink:
    """Connect a link by way of TLS.

    Args:
        link: it is on its connection when this returns, if the peers agreed to HTTP/2.
        security: whom to trust.
        seconds: how long all of it may take.
        connect: given a protocol factory, returns an awaitable that connects.
        http1_link: makes the link that is on it otherwise.

    Returns:
        The one of the two that is on its connection.

    Raises:
        HandshakeFailed: there is a connection, but no TLS on it.
        OSError: there is no connection.
    """
    loop = link.loop
    over: asyncio.Future[str] = loop.create_future()

    def settle(failure: str) -> None:
        if not over.done():
            over.set_result(failure)

    give_up = loop.time() + seconds
    protocol = _ClientProtocol(loop, link, seconds, settle)
    protocol.security = security
    protocol.http1_link = http1_link

    def make() -> _ClientProtocol:
        protocol._seconds = max(give_up - loop.time(), 0.0)
        return protocol

    await connect(make)
    try:
        failure = await over
    except asyncio.CancelledError:
        protocol.give_up("the attempt to connect was given up")
        raise
    if failure:
        raise HandshakeFailed(failure)
    return protocol.link


class _ServerProtocol(_TlsProtocol):
    server: Server
    security: TlsServer
    peer = ""

    def prepare(self) -> None:
        server = self.server
        assert self._transport is not None
        self.peer = describe_address(self._transport.get_extra_info("socket"))
        admission = server.admission
        if admission.handshakes_exceeded(len(server.handshakes), len(server.links)):
            one = admission.which_goes(server.handshakes)
            if one is None:
                # Nothing can be said before the handshake, and there are too many of those.
                self.give_up(admission.refusal)
                return
            one.give_up(admission.refusal)
        server.handshakes[self] = self._loop.time()
        self.begin()

    def without_http2(self, tls: TlsFilter) -> str:
        web = self.server.web
        link = None if web is None else web.http1_link(self.server)
        if link is None:
            return super().without_http2(tls)
        link.security = self.security
        self._link = link
        return ""


def server_protocol(server: Server, link: ServerLink, security: ServerSecurity) -> asyncio.Protocol:
    """The protocol for a connection that came to a port with credentials."""
    if isinstance(security, LocalServer):
        if server.web is not None:
            return cast(asyncio.Protocol, server.web.protocol(server, security))
        link.security = security
        return link

    def over(failure: str) -> None:
        server.handshakes.pop(protocol, None)
        if failure:
            _LOG.info("the connection of %s was closed: %s", protocol.peer, failure)

    seconds = min(server.core.options.http2.lifetime.handshake, threading.TIMEOUT_MAX)
    protocol = _ServerProtocol(server.loop, link, seconds, over)
    protocol.server = server
    protocol.security = security
    link.security = security
    return protocol
