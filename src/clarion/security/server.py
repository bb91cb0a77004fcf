"""What a port's credentials mean for the connections it accepts."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from clarion.credentials.kinds import (
    Alts,
    CertificateConfiguration,
    DynamicSslServer,
    Insecure,
    Local,
    LocalConnectionType,
    ServerKind,
    SslServer,
)
from clarion.credentials.server import ServerCertificateConfiguration
from clarion.security.contexts import BadCredentials, server_context
from clarion.security.failures import NOT_LOCAL
from clarion.security.filter import ALPN, TlsFilter
from clarion.security.identity import AuthContext, local_context, tls_context
from clarion.security.local import is_local_socket, peer_process
from clarion.security.names import certificate_names, matches

__all__ = ["LocalServer", "ServerSecurity", "TlsServer", "server_security"]

_LOG = logging.getLogger(__name__)


class LocalServer:
    """Connections within the machine, without TLS."""

    def __init__(self, kind: LocalConnectionType) -> None:
        self._kind = kind
        self.refusal = NOT_LOCAL

    def admits(self, sock: socket.socket) -> bool:
        """Whether an accepted connection is one of these."""
        return is_local_socket(sock, self._kind)

    def identify(self, sock: Any) -> AuthContext:
        """What is known of the client of an accepted connection."""
        return local_context(peer_process(sock))


class TlsServer:
    """Connections with TLS, with certificates that may change.

    Args:
        configuration: what to begin with.
        require: whether clients must have a certificate.
        fetcher: the application's, for `dynamic_ssl_server_credentials`, or None.

    Attributes:
        dynamic: there is a fetcher to ask before each connection; see `refresh`.
        problem: none; there always is a last certificate.
    """

    problem = None

    def __init__(
        self,
        configuration: CertificateConfiguration,
        require: bool,
        fetcher: Callable[[], Any] | None = None,
    ) -> None:
        self._require = require
        self._fetcher = fetcher
        self._lock = threading.Lock()
        self.dynamic = fetcher is not None
        self._configuration = configuration
        self._protocols = [ALPN]
        self._context = _context(configuration, require, self._protocols)

    def offer(self, protocol: str) -> None:
        """Agree to another protocol than HTTP/2, too, which clients ask for by ALPN."""
        if protocol not in self._protocols:
            self._protocols = [*self._protocols, protocol]
            self._context = _context(self._configuration, self._require, self._protocols)

    def filter(self) -> TlsFilter:
        """TLS for a new connection."""
        return TlsFilter(self._context, server_side=True)

    def refresh(self) -> None:
        """Ask the fetcher, which may block, and take what it gives. Never raises."""
        assert self._fetcher is not None
        with self._lock:
            try:
                fetched = self._fetcher()
                if fetched is None:
                    return
                if not isinstance(fetched, ServerCertificateConfiguration):
                    raise TypeError(
                        "it must return ssl_server_certificate_configuration(...) or None, "
                        f"not {type(fetched).__name__}"
                    )
                configuration = fetched._certificate_configuration
                if configuration is not self._configuration:
                    self._context = _context(configuration, self._require, self._protocols)
                    self._configuration = configuration
            except Exception:
                _LOG.exception(
                    "the certificate configuration fetcher failed; the last certificates stay in use"
                )

    def identify(self, filter: TlsFilter) -> AuthContext:
        """What is known of the client, after the handshake."""
        return tls_context(filter)


ServerSecurity = LocalServer | TlsServer


def server_security(kind: ServerKind) -> ServerSecurity | None:
    """What `kind` of credentials means for connections; None for plain text.

    Raises:
        BadCredentials: keys or certificates cannot be used.
    """
    if isinstance(kind, Insecure):
        return None
    if isinstance(kind, Local):
        return LocalServer(kind.connection)
    if isinstance(kind, SslServer):
        return TlsServer(kind.configuration, kind.require_client_auth)
    if isinstance(kind, DynamicSslServer):
        return TlsServer(kind.initial, kind.require_client_auth, kind.fetcher)
    assert isinstance(kind, Alts)
    raise BadCredentials("ALTS works on Google's platform only, and Clarion does not support it")


def _context(
    configuration: CertificateConfiguration, require: bool, protocols: list[str]
) -> ssl.SSLContext:
    """One context for all pairs: it gives a client the first certificate that has the name it asks for."""
    contexts = [server_context(configuration, pair, require) for pair in configuration.pairs]
    for context in contexts:
        context.set_alpn_protocols(protocols)
    first = contexts[0]
    others = []
    if len(contexts) > 1:
        for (_, chain), context in zip(configuration.pairs, contexts, strict=True):
            others += [(pattern, context) for pattern in certificate_names(chain)]

    def choose(connection: Any, name: str | None, context: ssl.SSLContext) -> None:
        connection.requested_name = name
        for pattern, other in others:
            if name is not None and matches(name, pattern):
                if other is not context:
                    connection.context = other
                return

    first.sni_callback = choose
    return first
