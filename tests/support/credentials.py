"""The certificates of `certificates/`, and credentials made of them with any library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.libraries import Library

__all__ = ["CERTIFICATES", "CLIENT_NAMES", "certificate", "client_tls", "key", "pair", "server_tls"]

CERTIFICATES = Path(__file__).parent / "certificates"

CLIENT_NAMES = [
    b"spiffe://clarion.test/client",
    b"client.clarion.test",
    b"client@clarion.test",
    b"10.0.0.7",
    b"fd00::7",
]
"""The alternative names of the certificate `client`."""


def certificate(name: str) -> bytes:
    """The PEM text of a certificate, or of a chain; see `certificates/make.sh`."""
    return (CERTIFICATES / f"{name}.pem").read_bytes()


def key(name: str) -> bytes:
    """The PEM text of its key."""
    return (CERTIFICATES / f"{name}.key").read_bytes()


def pair(name: str) -> tuple[bytes, bytes]:
    """Key and chain."""
    return key(name), certificate(name)


def server_tls(
    library: Library, *names: str, roots: str | None = None, require: bool = False
) -> Any:
    """A server's credentials with the certificates of `names`, by default `server`."""
    return library.root.ssl_server_credentials(
        [pair(name) for name in names or ("server",)],
        root_certificates=None if roots is None else certificate(roots),
        require_client_auth=require,
    )


def client_tls(library: Library, name: str | None = None, roots: str | None = "ca") -> Any:
    """A channel's credentials, with the certificate `name` if the client is to have one."""
    return library.root.ssl_channel_credentials(
        None if roots is None else certificate(roots),
        *(() if name is None else pair(name)),
    )
