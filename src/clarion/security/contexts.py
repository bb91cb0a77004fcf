"""`SSLContext`s from PEM texts: TLS 1.2 or newer, HTTP/2 by ALPN, no renegotiation (RFC 9113 §9.2).

The `ssl` module reads keys from files only, so they go through one that nobody else can open and that is gone
when the context is made.
"""

from __future__ import annotations

import contextlib
import os
import re
import ssl
import tempfile
from collections.abc import Iterator

from clarion.credentials.kinds import CertificateConfiguration, Ssl

__all__ = ["BadCredentials", "client_context", "server_context"]

ROOTS_VARIABLE = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"
CIPHERS_VARIABLE = "GRPC_SSL_CIPHER_SUITES"

# Of TLS 1.2, what RFC 9113's appendix A allows; TLS 1.3 has no others.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
_CRL = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)
_CERTIFICATE = re.compile(rb"-----BEGIN ([A-Z0-9 ]*CERTIFICATE)-----.*?-----END \1-----", re.DOTALL)


class BadCredentials(ValueError):
    """Keys or certificates that cannot be used; the message says which and why."""


def client_context(credentials: Ssl) -> ssl.SSLContext:
    """The context of connections that this side opens.

    Raises:
        BadCredentials: keys or certificates cannot be used.
    """
    context = _new(ssl.PROTOCOL_TLS_CLIENT)
    # As grpcio has it: a certificate that is trusted by name needs no chain up to a root.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if credentials.root_certificates:
        _trust(context, credentials.root_certificates, "root_certificates")
    else:
        _trust_default(context)
    _revoke(context, credentials.crls)
    key, chain = credentials.private_key, credentials.certificate_chain
    if key is not None and chain is not None:
        _prove(context, key, chain)
    elif key is not None or chain is not None:
        given, missing = "private_key", "certificate_chain"
        if key is None:
            given, missing = missing, given
        raise BadCredentials(f"{given} was given without {missing}; pass both or neither")
    return context


def server_context(
    configuration: CertificateConfiguration, pair: tuple[bytes, bytes], require: bool
) -> ssl.SSLContext:
    """The context of accepted connections, for one key and its certificate.

    Args:
        configuration: for its roots.
        pair: key and chain.
        require: whether clients must have a certificate.

    Raises:
        BadCredentials: keys or certificates cannot be used.
    """
    context = _new(ssl.PROTOCOL_TLS_SERVER)
    _prove(context, *pair)
    if require:
        roots = configuration.root_certificates
        if roots is None:
            raise BadCredentials(
                "clients must have a certificate, and there are no root_certificates"
            )
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        _trust(context, roots, "root_certificates")
        _revoke(context, configuration.crls)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _new(protocol: ssl._SSLMethod) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["h2"])
    ciphers = os.environ.get(CIPHERS_VARIABLE, _CIPHERS)
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError as error:
        raise BadCredentials(f"{CIPHERS_VARIABLE}={ciphers!r} names no known cipher") from error
    return context


def _trust(context: ssl.SSLContext, roots: bytes, name: str) -> None:
    # The certificates alone: what stands between them may be in any encoding.
    found = b"\n".join(match.group() for match in _CERTIFICATE.finditer(roots))
    if not found:
        raise BadCredentials(f"{name} have no PEM certificate")
    try:
        context.load_verify_locations(cadata=found.decode("ascii") + "\n")
    except (ssl.SSLError, ValueError) as error:
        raise BadCredentials(f"{name} cannot be read: {_reason(error)}") from error


def _revoke(context: ssl.SSLContext, crls: bytes | None) -> None:
    """Refuse certificates that `crls` revoke, and those of whose authority there is no valid list (RFC 5280 §6.3)."""
    if crls is None:
        return
    # The lists alone: a certificate among them must not become a root.
    found = b"\n".join(match.group() for match in _CRL.finditer(crls))
    if not found:
        raise BadCredentials("crls have no PEM certificate revocation list")
    with _file(found + b"\n") as path:
        try:
            context.load_verify_locations(cafile=path)
        except (ssl.SSLError, OSError) as error:
            raise BadCredentials(f"crls {_unreadable(error)}") from error
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN


def _trust_default(context: ssl.SSLContext) -> None:
    path = os.environ.get(ROOTS_VARIABLE)
    if not path:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return
    try:
        with open(path, "rb") as file:
            roots = file.read()
    except OSError as error:
        raise BadCredentials(f"{ROOTS_VARIABLE}={path} cannot be read: {error.strerror}") from error
    _trust(context, roots, f"the certificates of {ROOTS_VARIABLE}={path}")


def _prove(context: ssl.SSLContext, key: bytes, chain: bytes) -> None:
    if not _CERTIFICATE.search(chain):
        raise BadCredentials("the certificate chain has no PEM certificate")
    with _file(chain + b"\n" + key + b"\n") as path:
        try:
            # Without a password of ours, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(path, password=b"")
        except (ssl.SSLError, OSError, ValueError) as error:
            raise BadCredentials(
                f"the private key and its certificate chain {_reason(error)}"
            ) from error


@contextlib.contextmanager
def _file(content: bytes) -> Iterator[str]:
    """A file with `content` for as long as it is needed; in memory where the system can."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        descriptor = os.memfd_create("clarion", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    # In a directory of its own, for Windows opens no file a second time that deletes itself.
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "pair.pem")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
        yield path


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    if reason == "KEY_VALUES_MISMATCH":
        return "do not belong together"
    if reason is None:
        # The key could not be decoded, or only with a password.
        return "cannot be read: no usable PEM key, or an encrypted one"
    return _unreadable(error)


def _unreadable(error: Exception) -> str:
    reason = str(getattr(error, "reason", None) or "no usable PEM")
    return f"cannot be read: {reason.lower().replace('_', ' ')}"
