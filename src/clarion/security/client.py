"""What a channel's credentials mean for its connections."""

from __future__ import annotations

import dataclasses
import logging
import ssl
import threading
import weakref
from typing import Any, NamedTuple

from clarion.client_core import ChannelOptions
from clarion.credentials.call import Sources
from clarion.credentials.channel import kind_of_channel
from clarion.credentials.kinds import (
    Alts,
    Composite,
    DynamicSsl,
    Local,
    LocalConnectionType,
    Ssl,
)
from clarion.resolver.target import Address, Target
from clarion.security.contexts import BadCredentials, client_context
from clarion.security.filter import ALPN, HTTP1, TlsFilter
from clarion.security.local import is_local_address
from clarion.security.sessions import SessionCache

__all__ = ["ClientSecurity", "LocalClient", "Secured", "TlsClient", "secure"]


_LOG = logging.getLogger(__name__)


class AltsClient:
    """No connections: see `alts_channel_credentials`."""

    encrypted = True
    takes_call_credentials = True
    unusable = "ALTS works on Google's platform only, and Clarion does not support it"

    def refuse(self, address: Address) -> str | None:
        """Why there may be no connection to `address`."""
        return self.unusable


class LocalClient:
    """Connections within the machine, without TLS."""

    encrypted = False
    takes_call_credentials = True
    unusable = None

    def __init__(self, kind: LocalConnectionType) -> None:
        self._kind = kind

    def refuse(self, address: Address) -> str | None:
        """Why there may be no connection to `address`, or None."""
        if is_local_address(address, self._kind):
            return None
        what = (
            "a Unix socket" if self._kind is LocalConnectionType.UDS else "a loopback TCP address"
        )
        return f"not {what}, which LocalConnectionType.{self._kind.name} credentials ask for"


class TlsClient:
    """Connections with TLS.

    Args:
        credentials: whom to trust, and how to prove oneself.
        server_name: whom to expect, by name or IP address.
        cache: sessions to resume, or None.

    Attributes:
        remembers: sessions are kept.
        dynamic: there is somebody to ask before each connection; see `refresh`.
        problem: why there can be no connection for now, or None.
        protocols: what is offered by ALPN.
    """

    encrypted = True
    takes_call_credentials = True
    unusable = None

    def __init__(
        self,
        credentials: Ssl | DynamicSsl,
        server_name: str,
        cache: SessionCache | None,
        protocols: tuple[str, ...] = (ALPN,),
    ) -> None:
        self.server_name = server_name
        self.protocols = protocols
        self.dynamic = isinstance(credentials, DynamicSsl)
        self.problem: str | None = None
        self.remembers = cache is not None
        self._cache = cache
        self._context: ssl.SSLContext | None = None
        self._lock = threading.Lock()
        self._dynamic = credentials if isinstance(credentials, DynamicSsl) else None
        if isinstance(credentials, DynamicSsl):
            self._context = _contexts.get(credentials, {}).get(protocols)
            return
        try:
            self._context = _context(credentials, protocols)
        except BadCredentials as error:
            self._unusable(error)

    @property
    def takes_http1(self) -> bool:
        """Whether it is no failure that the server does not agree to HTTP/2."""
        return HTTP1 in self.protocols

    def refuse(self, address: Address) -> str | None:
        """Why there may be no connection to `address`, or None."""
        if not _can_be_asked_for(self.server_name):
            return f"no server can have the name {self.server_name!r}, which TLS would ask for"
        return None if self.dynamic else self.problem

    def refresh(self) -> None:
        """Ask for the certificates, which may block, and take what comes. Never raises; see `problem`."""
        assert self._dynamic is not None
        with self._lock:
            try:
                self._context = _context(self._dynamic.fetcher(), self.protocols)
                # The last that could be used, for the next channel with these credentials, too.
                _contexts.setdefault(self._dynamic, {})[self.protocols] = self._context
                self.problem = None
            except Exception as error:
                if self._context is None:
                    self._unusable(error)
                    return
                _LOG.warning("the last certificates of a channel stay in use: %s", error)

    def _unusable(self, error: Exception) -> None:
        self.problem = f"the channel's credentials cannot be used: {error}"

    def filter(self) -> TlsFilter:
        """TLS for a new connection; not to be had where `problem` says why."""
        assert self._context is not None
        session = None
        if self._cache is not None:
            session = self._cache.get(self._context, self.server_name)
        return TlsFilter(
            self._context, server_side=False, server_name=self.server_name, session=session
        )

    def remember(self, filter: TlsFilter) -> None:
        """Keep the session of a connection that worked. In TLS 1.3 it comes after the handshake."""
        if self._cache is not None:
            # Its own context: that of the next connection may be another.
            self._cache.put(filter.ssl.context, self.server_name, filter.ssl.session)


def _can_be_asked_for(name: str) -> bool:
    """Whether the `ssl` module takes it; what it does not take it raises for, in the middle of connecting."""
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return bool(name) and not name.startswith(".") and "\0" not in name


_Contexts = dict[tuple[str, ...], ssl.SSLContext]

_contexts: weakref.WeakKeyDictionary[Ssl | DynamicSsl, _Contexts] = weakref.WeakKeyDictionary()


def _context(credentials: Ssl, protocols: tuple[str, ...]) -> ssl.SSLContext:
    """One for all channels with these credentials and protocols: roots are many to read, and sessions belong to a context."""
    contexts = _contexts.setdefault(credentials, {})
    context = contexts.get(protocols)
    if context is None:
        context = client_context(credentials)
        context.set_alpn_protocols(list(protocols))
        contexts[protocols] = context
    return context


ClientSecurity = LocalClient | TlsClient | AltsClient


class Secured(NamedTuple):
    """What credentials make of a channel.

    Attributes:
        security: what secures its connections; None for plain text.
        options: its settings.
        sources: the call credentials of each call.
    """

    security: ClientSecurity | None
    options: ChannelOptions
    sources: Sources


def secure(credentials: Any, target: Target, options: ChannelOptions) -> Secured:
    """Work out what a channel's credentials mean.

    Args:
        credentials: what `secure_channel` was given.
        target: where the channel connects to.
        options: its settings otherwise.

    Raises:
        TypeError: `credentials` are no channel credentials.
    """
    kind = kind_of_channel(credentials)
    sources: Sources = ()
    if isinstance(kind, Composite):
        sources = kind.calls
        kind = kind.channel
    security: ClientSecurity | None = None
    if isinstance(kind, Local):
        security = LocalClient(kind.connection)
    elif isinstance(kind, Alts):
        security = AltsClient()
    elif isinstance(kind, (Ssl, DynamicSsl)):
        override = options.target_name
        authority = options.authority or override or target.authority
        cache = getattr(options.session_cache, "_cache", None)
        security = TlsClient(
            kind,
            _host(override or authority),
            cache if isinstance(cache, SessionCache) else None,
            (ALPN,) if options.web is None else options.web.alpn,
        )
        options = dataclasses.replace(
            options, authority=authority, scheme=options.scheme or "https"
        )
    return Secured(security, options, sources)


def _host(authority: str) -> str:
    """The host of `host`, `host:port`, `[v6]` and `[v6]:port`."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].partition("%")[0]
    return authority.partition(":")[0] if authority.count(":") == 1 else authority
