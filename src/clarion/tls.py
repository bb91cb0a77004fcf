"""TLS credentials beyond grpcio's: keys and certificates from files that are read again, and revocation lists.

The objects are those of `clarion.ssl_channel_credentials` and `clarion.ssl_server_credentials`, for the same places.
An argument that is `bytes` is PEM text. One that is a path is read for each new connection if the file changed since,
on a thread where that may block. Connections that are there stay as they are, and so do their calls; if a file cannot
be used, the last certificates stay in use, and a warning is logged.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from clarion.credentials import (
    ChannelCredentials,
    ServerCertificateConfiguration,
    ServerCredentials,
    dynamic_ssl_server_credentials,
)
from clarion.credentials.kinds import CertificateConfiguration, DynamicSsl, Ssl, SslServer

__all__ = ["PemSource", "channel_credentials", "server_credentials"]

PemSource = bytes | str | os.PathLike[str]
"""PEM text, or the path of a file with it."""

_T = TypeVar("_T")


def channel_credentials(
    *,
    root_certificates: PemSource | None = None,
    private_key: PemSource | None = None,
    certificate_chain: PemSource | None = None,
    crls: PemSource | None = None,
) -> ChannelCredentials:
    """Credentials for a channel with TLS, whose files may change while it is in use.

    Args:
        root_certificates: trusted certificates. None: as for `clarion.ssl_channel_credentials`.
        private_key: this side's key, not encrypted.
        certificate_chain: this side's certificate, and those between it and a root.
        crls: certificate revocation lists (RFC 5280), one of each authority in the server's chain. Given these, a
            certificate is refused that is on its list, or whose authority has no list here or one that has expired.

    What is wrong with a file is what calls end with (UNAVAILABLE); the next attempt to connect reads it again.
    """
    reader = _Reader(
        lambda texts: Ssl(*texts), root_certificates, private_key, certificate_chain, crls
    )
    if reader.paths:
        return ChannelCredentials(DynamicSsl(reader))
    return ChannelCredentials(reader())


def server_credentials(
    *,
    private_key: PemSource,
    certificate_chain: PemSource,
    client_root_certificates: PemSource | None = None,
    crls: PemSource | None = None,
) -> ServerCredentials:
    """Credentials for a port with TLS, whose files may change while it is open.

    Args:
        private_key: the server's key, not encrypted.
        certificate_chain: its certificate, and those between it and a root.
        client_root_certificates: whose certificates clients must have (mTLS). None: clients need none.
        crls: as of `channel_credentials`, for the certificates of clients.

    Raises:
        OSError: a file cannot be read.
        ValueError: `crls` without `client_root_certificates`.
    """
    if crls is not None and client_root_certificates is None:
        raise ValueError("crls are for the certificates of clients: give client_root_certificates")

    def make(texts: list[bytes | None]) -> ServerCertificateConfiguration:
        key, chain, roots, lists = texts
        assert key is not None
        assert chain is not None
        return ServerCertificateConfiguration(
            CertificateConfiguration(((key, chain),), roots, lists)
        )

    require = client_root_certificates is not None
    reader = _Reader(make, private_key, certificate_chain, client_root_certificates, crls)
    first = reader()
    if not reader.paths:
        return ServerCredentials(SslServer(first._certificate_configuration, require))
    return dynamic_ssl_server_credentials(first, reader, require)


class _Reader(Generic[_T]):
    """Makes one object of several PEM texts, and another when a file of these has changed.

    Attributes:
        paths: the files.
    """

    def __init__(
        self, make: Callable[[list[bytes | None]], _T], *sources: PemSource | None
    ) -> None:
        self._make = make
        self._sources = [
            each if each is None or isinstance(each, bytes) else os.fspath(each) for each in sources
        ]
        self.paths = [each for each in self._sources if isinstance(each, str)]
        self._lock = threading.Lock()
        self._made: tuple[object, _T] | None = None

    def __call__(self) -> _T:
        """What the files hold now: the same object while they are the same.

        Raises:
            OSError: a file cannot be read.
        """
        with self._lock:
            # Before reading: what is written meanwhile then counts as a change.
            stamp = [_stamp(path) for path in self.paths]
            if self._made is None or self._made[0] != stamp:
                self._made = stamp, self._make([_read(each) for each in self._sources])
            return self._made[1]


def _stamp(path: str) -> tuple[int, ...]:
    # Of the file, not of a link to it: Kubernetes turns a link to another directory.
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev


def _read(source: bytes | str | None) -> bytes | None:
    if not isinstance(source, str):
        return source
    with open(source, "rb") as file:
        return file.read()
