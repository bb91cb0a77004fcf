"""What went wrong with TLS, in words: which certificate, which name, why."""

from __future__ import annotations

import ipaddress
import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clarion.security.filter import TlsFilter

__all__ = ["CLOSED_AFTER_HANDSHAKE", "NOT_LOCAL", "PeerClosed", "PlainText", "explain", "no_http2"]


NOT_LOCAL = "this port takes connections from within the machine only"
"""What a client hears that is somewhere else (`local_server_credentials`)."""


CLOSED_AFTER_HANDSHAKE = (
    "the peer closed the connection right after the TLS handshake, without a word; "
    "servers do so that refuse the client's certificate or miss it"
)
"""In TLS 1.3 a client is done before the server has looked at its certificate, and grpcio's sends no alert then."""

# X509_V_ERR_UNABLE_TO_GET_CRL
_NO_CRL = 3


class PeerClosed(ssl.SSLError):
    """The peer closed the connection instead of going on with the handshake."""


class PlainText(ssl.SSLError):
    """The peer answered a handshake with something that is no TLS."""

    def __init__(self, data: bytes) -> None:
        super().__init__("not TLS")
        self.data = data


def no_http2(filter: TlsFilter) -> str:
    """That the two sides did not agree on HTTP/2."""
    peer = "client" if filter.ssl.server_side else "server"
    return f"the {peer} did not agree to HTTP/2 in the TLS handshake (ALPN h2), which gRPC needs"


def explain(error: Exception, filter: TlsFilter) -> str:
    """What `error` of a connection means."""
    if isinstance(error, PlainText):
        what = "HTTP/1" if error.data.startswith(b"HTTP/1.") else "plain text"
        return f"TLS handshake failed: the peer speaks {what} on this port, not TLS"
    if isinstance(error, ssl.SSLCertVerificationError):
        why = str(error.verify_message or "").rstrip(".")
        if error.verify_code == _NO_CRL:
            why += " (none of the certificate revocation lists given is of its authority)"
        return f"TLS handshake failed: certificate verify failed: {why}{_presented(filter)}"
    reason = str(getattr(error, "reason", None) or "")
    if "_ALERT_" in reason:
        alert = reason.partition("_ALERT_")[2].lower().replace("_", " ")
        return f"the peer refused the TLS connection: {alert}"
    if isinstance(error, PeerClosed):
        return str(error.args[0])
    words = reason.lower().replace("_", " ") or str(error)
    if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        words = "the client presented no certificate, and this server requires one"
    elif reason in ("UNSUPPORTED_PROTOCOL", "WRONG_SSL_VERSION", "NO_SHARED_CIPHER"):
        words += " (TLS 1.2 or newer is needed)"
    return f"TLS failed: {words}"


def _presented(filter: TlsFilter) -> str:
    """Who the peer says that it is, as far as the `ssl` module lets one know."""
    try:
        # Public in Python 3.13, as bytes; the object under it has it in all versions.
        inner: Any = filter.ssl._sslobj  # type: ignore[attr-defined]
        certificate = inner.get_unverified_chain()[0].get_info()
    except Exception:
        return ""
    names = [
        str(ipaddress.ip_address(value.strip())) if kind == "IP Address" else value
        for kind, value in certificate.get("subjectAltName", ())
    ]
    return (
        f"; the peer presented the certificate {_name(certificate.get('subject', ()))}"
        f" for {', '.join(names) or 'no alternative names'},"
        f" issued by {_name(certificate.get('issuer', ()))},"
        f" valid from {certificate.get('notBefore')} until {certificate.get('notAfter')}"
    )


def _name(parts: Any) -> str:
    return repr(
        ", ".join(f"{_SHORT.get(key, key)}={value}" for part in parts for key, value in part)
    )


_SHORT = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
}
