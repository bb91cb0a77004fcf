"""What a server knows of a client from its connection: the auth context, with grpcio's keys."""

from __future__ import annotations

import ipaddress
import ssl
from typing import Any

from clarion.security.filter import TlsFilter
from clarion.security.local import PeerProcess

__all__ = ["AuthContext", "add_certificate", "local_context", "tls_context"]

_SUBJECT_NAMES = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
    "streetAddress": "STREET",
    "userId": "UID",
}
_ALTERNATIVE_NAMES = "x509_subject_alternative_name"
_KINDS = {"URI": "peer_uri", "DNS": "peer_dns", "email": "peer_email", "IP Address": "peer_ip"}
# The `ssl` module's ENCODING_DER, which is not public.
_DER = 2
_LEVEL = [b"TSI_PRIVACY_AND_INTEGRITY"]


class AuthContext:
    """What is known of a peer.

    Attributes:
        properties: values by key, as `ServicerContext.auth_context` returns them.
        key: the key of what identifies the peer; None if nothing does.
    """

    __slots__ = ("key", "properties")

    def __init__(self, properties: dict[str, list[bytes]], key: str | None) -> None:
        self.properties = properties
        self.key = key

    @property
    def identities(self) -> list[bytes] | None:
        """What identifies the peer, or None."""
        return None if self.key is None else list(self.properties[self.key])


def local_context(process: PeerProcess | None = None) -> AuthContext:
    """The context of a connection within the machine.

    Args:
        process: who connected, where the system tells.
    """
    properties = {"transport_security_type": [b"local"], "security_level": _LEVEL}
    if process is not None:
        properties["unix_uid"] = [b"%d" % process.uid]
        properties["unix_gid"] = [b"%d" % process.gid]
        properties["unix_pid"] = [b"%d" % process.pid]
    return AuthContext(properties, "transport_security_type")


def tls_context(filter: TlsFilter) -> AuthContext:
    """The context of a connection with TLS, after the handshake."""
    properties: dict[str, list[bytes]] = {"transport_security_type": [b"ssl"]}
    key = None
    der = filter.ssl.getpeercert(binary_form=True)
    if der:
        certificate: Any = filter.ssl.getpeercert() or {}
        key = add_certificate(properties, certificate, der, _chain(filter, der))
    properties["security_level"] = _LEVEL
    reused = bool(filter.ssl.session_reused)
    properties["ssl_session_reused"] = [b"true" if reused else b"false"]
    asked_for = getattr(filter.ssl, "requested_name", None)
    if asked_for:
        properties["ssl_requested_server_name"] = [asked_for.encode()]
    properties["ssl_tls_version"] = [(filter.ssl.version() or "").encode()]
    return AuthContext(properties, key)


def add_certificate(
    properties: dict[str, list[bytes]], certificate: Any, der: bytes, chain: bytes
) -> str | None:
    """Add what a client's certificate says.

    Args:
        properties: of the context.
        certificate: as `ssl.SSLSocket.getpeercert` has it; `subject` and `subjectAltName` are read.
        der: the certificate.
        chain: what the client sent, PEM, its own certificate first.

    Returns:
        The key of the identities.
    """
    key = None
    subject = [pair for part in certificate.get("subject", ()) for pair in part]
    if subject:
        # RFC 2253: the last part comes first.
        text = ",".join(f"{_SUBJECT_NAMES.get(k, k)}={_escape(v)}" for k, v in reversed(subject))
        properties["x509_subject"] = [text.encode()]
    common = [value.encode() for name, value in subject if name == "commonName"]
    if common:
        key = "x509_common_name"
        properties[key] = common[:1]
    properties["x509_pem_cert"] = [ssl.DER_cert_to_PEM_cert(der).encode()]
    properties["x509_pem_cert_chain"] = [chain]
    names = [
        (_KINDS[kind], _alternative(kind, value))
        for kind, value in certificate.get("subjectAltName", ())
        if kind in _KINDS
    ]
    if names:
        key = _ALTERNATIVE_NAMES
        properties[key] = [value for _, value in names]
        for each in _KINDS.values():
            values = [value for kind, value in names if kind == each]
            if values:
                properties[each] = values
    spiffe = [uri for uri in properties.get("peer_uri", ()) if uri.startswith(b"spiffe://")]
    # A SPIFFE certificate has one URI (X509-SVID §2); with several there is no telling who it is.
    if len(spiffe) == 1 and len(properties["peer_uri"]) == 1:
        properties["peer_spiffe_id"] = spiffe
    return key


def _chain(filter: TlsFilter, der: bytes) -> bytes:
    """What the peer sent, PEM, its own certificate first; that one alone where a session was resumed."""
    # Public in Python 3.13, the object under it has it in all versions.
    inner: Any = filter.ssl._sslobj  # type: ignore[attr-defined]
    chain = [each.public_bytes(_DER) for each in inner.get_unverified_chain() or ()] or [der]
    return "".join(map(ssl.DER_cert_to_PEM_cert, chain)).encode()


def _alternative(kind: str, value: str) -> bytes:
    if kind == "IP Address":
        # OpenSSL's form of IPv6 has neither short zeros nor lower case.
        value = str(ipaddress.ip_address(value.strip()))
    return value.encode()


def _escape(value: str) -> str:
    escaped = "".join("\\" + each if each in ',+"\\<>;' else each for each in value)
    return "\\" + escaped if value[:1] in ("#", " ") else escaped
