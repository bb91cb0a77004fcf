"""A request's head as applications are told of it: what ASGI and WSGI have in common.

Rules it keeps: header fields are those that the client sent, but for what HTTP/1.1 has for a connection (`web.http1.heads`);
`host` is what the request is for, also where HTTP/2 says that in `:authority` (RFC 9113 §8.3.1), and crumbs of `cookie` are one
field (§8.2.3).
"""

from __future__ import annotations

import socket as sockets
from typing import Any
from urllib.parse import unquote_to_bytes

from clarion.web.serving.request import WebRequest

__all__ = ["addresses", "header_fields", "unquoted"]

Fields = list[tuple[bytes, bytes]]
Address = tuple[str, int] | None


def header_fields(request: WebRequest) -> Fields:
    """The request's header fields, in lower case and in their order."""
    fields: Fields = []
    crumbs = []
    authority = request.authority
    for field in request.fields:
        if field[0] == b"cookie":
            crumbs.append(field[1])
        elif field[0] != b"host":
            fields.append(field)
        elif not authority:
            authority = field[1]
    if authority:
        fields.insert(0, (b"host", authority))
    if crumbs:
        fields.append((b"cookie", b"; ".join(crumbs)))
    return fields


def unquoted(path: bytes) -> bytes:
    """A path with its escapes resolved."""
    return unquote_to_bytes(path)


def addresses(sock: Any) -> tuple[Address, tuple[str, int | None] | None]:
    """The client's address and the server's; None for what has none, as on Unix sockets.

    Args:
        sock: the connection's socket, or None if it is gone.
    """
    try:
        peer, own = sock.getpeername(), sock.getsockname()
        family = sock.family
    except (AttributeError, OSError):
        return None, None
    if family in (sockets.AF_INET, sockets.AF_INET6):
        return (peer[0], peer[1]), (own[0], own[1])
    if isinstance(own, bytes):
        own = own.decode("utf-8", "replace")
    return None, ((own, None) if isinstance(own, str) and own else None)
