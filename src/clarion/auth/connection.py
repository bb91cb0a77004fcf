"""Callers whom the connection knows: by their certificate, or as a user of this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from clarion.auth.authenticator import Authenticator, Evidence
from clarion.auth.errors import AuthenticationFailed
from clarion.auth.identities import CallInfo, Identity

__all__ = ["RESERVED", "TlsAuthenticator", "UnixAuthenticator", "principals_of_connection"]

RESERVED = ("jwt:", "oauth:", "token:", "unix:")
"""What principals begin with that no certificate can have; a URI in one may look like them."""

_NAMES = ("peer_uri", "peer_dns", "x509_subject")


def principals_of_connection(auth_context: Mapping[str, Sequence[bytes]]) -> list[str]:
    """By which names a policy knows a connection's client, in the order of gRFC A41 and A43.

    Args:
        auth_context: as `ServicerContext.auth_context` has it.

    Returns:
        Of a certificate the URIs; if it has none, the DNS names; if it has neither, the subject. TLS without a client's
        certificate has one name, which is empty. A Unix socket has `unix:uid:N` and `unix:gid:N`.
    """
    kind = auth_context.get("transport_security_type")
    if kind == [b"local"]:
        return [
            f"unix:{what}:{value.decode()}"
            for what in ("uid", "gid")
            for value in auth_context.get(f"unix_{what}", ())
        ]
    if kind != [b"ssl"]:
        return []
    if not auth_context.get("x509_pem_cert"):
        return [""]
    # A name of a weaker kind must not vouch for a certificate that has a stronger one.
    found = next((names for key in _NAMES if (names := auth_context.get(key))), ())
    texts = [value.decode("utf-8", "replace") for value in found]
    return [text for text in texts if text and not text.lower().startswith(RESERVED)]


class TlsAuthenticator(Authenticator):
    """Takes calls on connections with a client certificate that the port verified (`require_client_auth`).

    The subject is the SPIFFE ID, or else the first URI, DNS name or common name, or the certificate's subject.

    Args:
        trust_domains: of which SPIFFE trust domains the caller must be; None for any caller.
    """

    evidence = Evidence.CONNECTION

    def __init__(self, trust_domains: Iterable[str] | None = None) -> None:
        if isinstance(trust_domains, str):
            raise TypeError("trust_domains must be several: write a list, even of one")
        self._domains = None if trust_domains is None else frozenset(trust_domains)

    def authenticate(self, call: CallInfo) -> Identity | None:
        """See `Authenticator`."""
        context = call.auth_context
        if context.get("transport_security_type") != [b"ssl"] or not context.get("x509_pem_cert"):
            return None
        spiffe = [value.decode("utf-8", "replace") for value in context.get("peer_spiffe_id", ())]
        if self._domains is not None:
            domain = spiffe[0].removeprefix("spiffe://").partition("/")[0] if spiffe else ""
            if domain not in self._domains:
                raise AuthenticationFailed("the client's certificate is of another trust domain")
        keys = ("peer_uri", "peer_dns", "x509_common_name", "x509_subject")
        others = [
            value.decode("utf-8", "replace") for key in keys for value in context.get(key, ())
        ]
        names = [*spiffe, *others]
        if not names:
            raise AuthenticationFailed("the client's certificate has no name")
        return Identity(
            method="tls", subject=names[0], principals=tuple(principals_of_connection(context))
        )


class UnixAuthenticator(Authenticator):
    """Takes calls that come by a Unix socket, on a port with `local_server_credentials(UDS)`. Linux alone tells who calls.

    The subject is the user's number, as text.

    Args:
        uids: which users are taken; None for any.
    """

    evidence = Evidence.CONNECTION

    def __init__(self, uids: Iterable[int] | None = None) -> None:
        self._uids = None if uids is None else frozenset(uids)

    def authenticate(self, call: CallInfo) -> Identity | None:
        """See `Authenticator`."""
        context = call.auth_context
        numbers = context.get("unix_uid")
        if context.get("transport_security_type") != [b"local"] or not numbers:
            return None
        uid = numbers[0].decode()
        if self._uids is not None and int(uid) not in self._uids:
            raise AuthenticationFailed("this user of the machine is not taken")
        return Identity(
            method="unix", subject=uid, principals=tuple(principals_of_connection(context))
        )
