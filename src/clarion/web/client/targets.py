"""What a web channel is given to connect to: a URL, or a target of gRPC."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

__all__ = ["Place", "read_place"]

_SCHEME = re.compile(r"(https?)://", re.IGNORECASE)
# RFC 3986 section 3.3: what a path may consist of, as it is sent.
_PATH = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*")
_PORTS = {"http": 80, "https": 443}


class Place(NamedTuple):
    """Where a web channel connects to.

    Attributes:
        target: as gRPC has it.
        prefix: what goes before the path of each method.
        authority: what requests name, or None for what the target says.
        tls: whether connections have TLS; None where credentials say.
    """

    target: str
    prefix: bytes = b""
    authority: str | None = None
    tls: bool | None = None


def read_place(target: str | bytes) -> Place:
    """Read what the application gives.

    Raises:
        ValueError: a URL with parts that a channel has no use for, or without a host.
    """
    if isinstance(target, bytes):
        # As other channels take them.
        try:
            target = target.decode()
        except UnicodeDecodeError:
            raise ValueError(f"target {target!r} is not UTF-8") from None
    match = _SCHEME.match(target)
    if match is None:
        return Place(target)
    scheme = match[1].lower()
    try:
        parts = urlsplit(target)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"the URL {target!r} cannot be read: {error}") from None
    if not host:
        raise ValueError(f"the URL {target!r} names no host")
    if "@" in parts.netloc:
        raise ValueError(
            f"the URL of {parts.hostname!r} has a user or password; send metadata, or use call credentials"
        )
    if parts.query or parts.fragment or target.endswith(("?", "#")):
        raise ValueError(
            f"the URL {target!r} has a query or a fragment; a channel's has a host and a path prefix"
        )
    if _PATH.fullmatch(parts.path) is None:
        raise ValueError(f"the path of the URL {target!r} has characters that are to be %-encoded")
    name = f"[{host}]" if ":" in host else _ascii_name(host)
    return Place(
        f"dns:///{name}:{_PORTS[scheme] if port is None else port}",
        parts.path.rstrip("/").encode("ascii"),
        name if port is None else f"{name}:{port}",
        scheme == "https",
    )


def _ascii_name(host: str) -> str:
    """As HTTP has it (RFC 9110 section 4.2.1, RFC 3986 section 3.2.2)."""
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"the URL's host {host!r} is no name: {error}") from None
