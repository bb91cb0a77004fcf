"""What makes a header list well-formed in HTTP/2 (RFC 9113 §8.2, §8.3).

A list that breaks these rules is a malformed message: a stream error of type PROTOCOL_ERROR (§8.1.1). The
checks run once for each distinct header list, because repeated blocks are cached together with what was
derived from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from clarion.errors import RemoteError

__all__ = ["MalformedHeaders", "check_request", "check_response", "check_trailers"]

Fields = Iterable[tuple[bytes, bytes]]

# §8.2.1: lower-case token characters; a field name is never empty.
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
# §8.2.1: no NUL, CR or LF. It forbids white space at either end too, but the gRPC core sends that, in metadata
# and in grpc-message, and PROTOCOL-HTTP2 lets a receiver strip it.
_BAD_VALUE = re.compile(rb"[\0\r\n]").search

# §8.2.2: these belong to HTTP/1.1 connections.
_CONNECTION_SPECIFIC = frozenset(
    [b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"]
)
_REQUEST_PSEUDO = frozenset([b":method", b":scheme", b":authority", b":path"])


class MalformedHeaders(RemoteError):
    """A header list that RFC 9113 §8 calls malformed."""


def _check_field(name: bytes, value: bytes) -> None:
    if not _NAME(name):
        raise MalformedHeaders(f"header name {name[:60]!r} has characters that HTTP/2 forbids")
    if _BAD_VALUE(value):
        raise MalformedHeaders(f"the value of header {name[:60]!r} has characters HTTP/2 forbids")
    if name in _CONNECTION_SPECIFIC:
        raise MalformedHeaders(f"header {name!r} belongs to HTTP/1.1 connections")
    if name == b"te" and value.lower() != b"trailers":
        raise MalformedHeaders(f"header 'te' is {value[:60]!r}; HTTP/2 allows only 'trailers'")


def _collect(fields: Fields, allowed: frozenset[bytes]) -> dict[bytes, bytes]:
    """Check all fields; return the pseudo-header fields."""
    pseudo: dict[bytes, bytes] = {}
    regular = False
    for name, value in fields:
        if name[:1] != b":":
            regular = True
            _check_field(name, value)
        elif regular:
            raise MalformedHeaders(f"pseudo-header {name[:60]!r} after a regular header")
        elif name not in allowed:
            raise MalformedHeaders(f"pseudo-header {name[:60]!r} does not belong here")
        elif name in pseudo:
            raise MalformedHeaders(f"pseudo-header {name!r} occurs twice")
        else:
            if _BAD_VALUE(value):
                raise MalformedHeaders(f"the value of {name!r} has characters HTTP/2 forbids")
            pseudo[name] = value
    return pseudo


def _content_length(fields: Fields) -> int | None:
    length: int | None = None
    for name, value in fields:
        if name == b"content-length":
            if not value.isdigit() or len(value) > 18:
                raise MalformedHeaders(f"content-length is {value[:60]!r}, not a number")
            if length is not None and length != int(value):
                raise MalformedHeaders("content-length occurs twice with different values")
            length = int(value)
    return length


def check_request(fields: tuple[tuple[bytes, bytes], ...]) -> tuple[dict[bytes, bytes], int | None]:
    """Check a request's header list (§8.3.1).

    Returns:
        The pseudo-header fields, and content-length if there is one.

    Raises:
        MalformedHeaders: with the rule that is broken.
    """
    pseudo = _collect(fields, _REQUEST_PSEUDO)
    if pseudo.get(b":method") == b"CONNECT":
        raise MalformedHeaders("CONNECT is not served here")
    for name in (b":method", b":scheme", b":path"):
        if not pseudo.get(name):
            raise MalformedHeaders(f"the request has no {name.decode()}")
    return pseudo, _content_length(fields)


def check_response(fields: tuple[tuple[bytes, bytes], ...]) -> int:
    """Check a response's header list (§8.3.2); return its HTTP status.

    Raises:
        MalformedHeaders: with the rule that is broken.
    """
    status = _collect(fields, frozenset([b":status"])).get(b":status")
    if status is None or len(status) != 3 or not status.isdigit():
        raise MalformedHeaders(f":status is {status!r}; it must be three digits")
    return int(status)


def check_trailers(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    """Check a trailer section (§8.1): like headers, without pseudo-header fields.

    Raises:
        MalformedHeaders: with the rule that is broken.
    """
    _collect(fields, frozenset())
