"""TLS for both front ends, on the standard library's `ssl` module; what credentials mean for a connection.

TLS is a filter between the transport and the HTTP/2 connection (`filter.TlsFilter`): bytes in, bytes out, no
socket. So both front ends share all of it, their transports stay as they are, and plain connections pay nothing.

This package is loaded with the first channel or port that has credentials.
"""

from __future__ import annotations

from clarion.security.client import ClientSecurity, LocalClient, Secured, TlsClient, secure
from clarion.security.failures import explain
from clarion.security.filter import TlsFilter
from clarion.security.identity import AuthContext
from clarion.security.server import LocalServer, ServerSecurity, TlsServer, server_security

__all__ = [
    "AuthContext",
    "ClientSecurity",
    "LocalClient",
    "LocalServer",
    "Secured",
    "ServerSecurity",
    "TlsClient",
    "TlsFilter",
    "TlsServer",
    "explain",
    "secure",
    "server_security",
]
