"""What is known of a client by ASGI's extension `tls`, as the auth context that Clarion's own ports have.

Without the extension nothing is known, also where the scheme is `https`: a header of a proxy may have said that. A certificate
that the server did not verify names nobody.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from typing import Any

from clarion.security.identity import AuthContext, add_certificate
from clarion.web.asgi.certificates import MalformedCertificate, names_in
from clarion.web.asgi_types import Scope

__all__ = ["auth_context"]

_LOG = logging.getLogger(__name__)

_LEVEL = [b"TSI_PRIVACY_AND_INTEGRITY"]
# TLS's number for its version, and OpenSSL's word.
_VERSIONS = {0x0301: b"TLSv1", 0x0302: b"TLSv1.1", 0x0303: b"TLSv1.2", 0x0304: b"TLSv1.3"}


def auth_context(scope: Scope) -> AuthContext | None:
    """The context of a request; None if nothing is known."""
    tls: Mapping[str, Any] | None = (scope.get("extensions") or {}).get("tls")
    if tls is None:
        return None
    properties: dict[str, list[bytes]] = {"transport_security_type": [b"ssl"]}
    key = None
    chain = list(tls.get("client_cert_chain") or ())
    if chain and not tls.get("client_cert_error"):
        try:
            der = ssl.PEM_cert_to_DER_cert(chain[0])
            key = add_certificate(properties, names_in(der), der, "".join(chain).encode())
        except (MalformedCertificate, ValueError):
            _LOG.warning("the certificate of a client cannot be read, so it names nobody")
    properties["security_level"] = _LEVEL
    version = _VERSIONS.get(tls.get("tls_version") or 0)
    if version is not None:
        properties["ssl_tls_version"] = [version]
    return AuthContext(properties, key)
