"""Header lists of HTTP/2 as request heads of HTTP/1.1, and response heads back (RFC 9112, RFC 9113 §8).

`h11` checks the syntax. What is refused here beside is what servers and proxies on the way may understand in different ways, so
that one answer could be taken for two, or for another request's (RFC 9112 §11.1).
"""

from __future__ import annotations

import re
from typing import NamedTuple

import h11

from clarion.errors import LocalError, RemoteError
from clarion.hpack import HeaderList
from clarion.web.http1.hop import HOP

__all__ = [
    "BadResponse",
    "Fields",
    "ResponseHead",
    "check_lines",
    "read_response",
    "request_of",
    "what_else",
]

Fields = tuple[tuple[bytes, bytes], ...]

# What this hop says of itself, and what the framing says; from the layers above none of it is taken.
_OWN = HOP | {b"content-length"}
# An answer's meaning rests on these, even if `connection` lists them.
_KEPT = frozenset((b"content-encoding", b"content-length", b"content-type", b""))
_NOT_IN_TARGET = re.compile(rb"[^\x21-\x7e]")
_TIMEOUT = re.compile(rb'timeout\s*=\s*"?([0-9]{1,6})', re.IGNORECASE)
# The type, flags and stream of a SETTINGS frame (RFC 9113 §6.5), with which servers of HTTP/2 begin.
_SETTINGS = b"\x04" + bytes(5)
_OVERHEAD = 32
_SHOWN = 60


class BadResponse(RemoteError):
    """What the server sent is no answer that can be trusted; the connection is of no more use."""


class ResponseHead(NamedTuple):
    """What the head of an answer says.

    Attributes:
        headers: as HTTP/2 would have brought it.
        close: the connection ends with this answer.
        length: the length of the body, where it is told.
        keep: how long the server keeps the connection for another request, in seconds, where it is told.
    """

    headers: HeaderList
    close: bool
    length: int | None
    keep: float | None


def request_of(block: Fields, length: int | None) -> h11.Request:
    """The head of a request.

    Args:
        block: fields as HTTP/2 has them, pseudo-header fields first.
        length: of the body; None: it is not known.

    Raises:
        LocalError: HTTP/1.1 has no way to say it.
    """
    pseudo: dict[bytes, bytes] = {}
    headers = []
    for name, value in block:
        if name[:1] == b":":
            pseudo[name] = value
        elif name not in _OWN:
            headers.append((name, value.strip(b" \t")))
    headers.insert(0, (b"host", pseudo.get(b":authority", b"")))
    method = pseudo[b":method"]
    if length is None:
        headers.append((b"transfer-encoding", b"chunked"))
    elif length or method != b"GET":
        headers.append((b"content-length", b"%d" % length))
    target = _NOT_IN_TARGET.sub(lambda match: b"%%%02X" % match.group()[0], pseudo[b":path"])
    try:
        return h11.Request(method=method, target=target, headers=headers)
    except h11.LocalProtocolError as error:
        raise LocalError(f"this request cannot be made with HTTP/1.1: {error}") from None


def check_lines(head: bytes) -> None:
    """Check that every line of a head ends as it must.

    Raises:
        BadResponse: some end otherwise. `h11` takes them, but proxies may have taken what follows for one line with it.
    """
    if head.count(b"\n") != head.count(b"\r\n"):
        raise BadResponse("a line of its head ends without a carriage return")


def read_response(response: h11.Response, max_fields: int) -> ResponseHead:
    """What a server answered.

    Raises:
        BadResponse: says why it is refused.
    """
    fields = list(response.headers)
    if len(fields) > max_fields:
        raise BadResponse(f"it has more than {max_fields} headers (max_fields)")
    version = response.http_version
    if version[:2] != b"1.":
        raise BadResponse(f"its version is {version.decode()}")
    length = None
    chunked = False
    tokens = []
    keep = None
    for name, value in fields:
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            chunked = True
        elif name == b"connection":
            tokens += [token.strip() for token in value.lower().split(b",")]
        elif name == b"keep-alive":
            match = _TIMEOUT.search(value)
            if match is not None:
                keep = float(match.group(1))
    if chunked:
        if length is not None:
            raise BadResponse("it has both transfer-encoding and content-length")
        if version < b"1.1":
            raise BadResponse("it has transfer-encoding, which HTTP/1.0 does not know")
    hop = HOP | (frozenset(tokens) - _KEPT)
    listed = [(b":status", b"%d" % response.status_code)]
    listed += [field for field in fields if field[0] not in hop]
    size = sum(len(name) + len(value) + _OVERHEAD for name, value in listed)
    close = b"close" in tokens or version < b"1.1"
    return ResponseHead(HeaderList(tuple(listed), size), close, length, keep)


def what_else(head: bytes) -> str:
    """What a server speaks that answers with `head`, as far as one can tell."""
    if head[3:9] == _SETTINGS:
        return "it speaks HTTP/2"
    if head[:2] == b"\x15\x03":
        return "it speaks TLS"
    return f"it begins with {head[:_SHOWN]!r}"
