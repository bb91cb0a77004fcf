"""Request heads of HTTP/1.1 as the header lists that HTTP/2 would have brought, and response heads back (RFC 9112, RFC 9113 §8).

`h11` has checked the syntax. What is refused here is what parsers on the way may read in different ways, so that a second
request could hide in the body of the first (RFC 9112 §11.2), and what a server of calls has no use for.
"""

from __future__ import annotations

import re

import h11

from clarion.hpack import HeaderList
from clarion.web.http1.hop import HOP, named

__all__ = ["Fields", "Refused", "answer_head", "check_size", "request_fields"]

Fields = tuple[tuple[bytes, bytes], ...]

_ABSOLUTE = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE)
# RFC 9110 §7.2, roughly: what names, addresses and ports are made of.
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")
_OVERHEAD = 32


class Refused(Exception):
    """A request that is answered with an error, after which the connection is closed.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def check_size(request: h11.Request, max_head: int) -> None:
    """Refuse a head that is longer than `max_head`.

    Raises:
        Refused: it is.
    """
    # With the two spaces, the version and the line ends of RFC 9112 §3; and what separates names and values.
    size = len(request.method) + len(request.target) + 14
    size += sum(len(name) + len(value) + 4 for name, value in request.headers)
    if size > max_head:
        raise Refused(431, f"the head of the request has {size} bytes (max_head is {max_head})")


def request_fields(request: h11.Request, scheme: bytes) -> HeaderList:
    """The request's head as a header list of HTTP/2.

    Args:
        request: what came.
        scheme: `http` or `https`.

    Raises:
        Refused: it is not served; says why.
    """
    fields = list(request.headers)
    if request.http_version[:2] != b"1.":
        raise Refused(505, "the request says that it is not HTTP/1.1")
    _check_framing(fields, request.http_version)
    host = next((value for name, value in fields if name == b"host"), b"")
    path = request.target
    absolute = _ABSOLUTE.fullmatch(path)
    if absolute is not None:
        # RFC 9112 §3.2.2: then it is not `host` that counts.
        host, path = absolute.group(1), absolute.group(2)
        if not path.startswith(b"/"):
            path = b"/" + path
    if request.method == b"CONNECT":
        raise Refused(405, "CONNECT is not served here")
    # RFC 9112 §3.2.3 and §3.2.4: the other forms are for proxies, and for OPTIONS.
    if path[:1] != b"/" and (path, request.method) != (b"*", b"OPTIONS"):
        raise Refused(400, "the target of the request is no path")
    if _HOST.fullmatch(host) is None:
        raise Refused(400, "the host is none")
    path = path.partition(b"#")[0]
    hop = HOP | named(fields)
    listed = [
        (b":method", request.method),
        (b":scheme", scheme),
        (b":authority", host),
        (b":path", path),
    ]
    listed += [field for field in fields if field[0] not in hop]
    size = sum(len(name) + len(value) + _OVERHEAD for name, value in listed)
    return HeaderList(tuple(listed), size)


def _check_framing(fields: list[tuple[bytes, bytes]], version: bytes) -> None:
    names = [name for name, _value in fields]
    if b"transfer-encoding" in names:
        if b"content-length" in names:
            raise Refused(400, "the request has both transfer-encoding and content-length")
        if version < b"1.1":
            raise Refused(400, "HTTP/1.0 has no transfer-encoding")
    if b"content-encoding" in names and names.count(b"content-encoding") > 1:
        raise Refused(400, "content-encoding occurs twice")
    for name, value in fields:
        if name == b"expect" and value.lower() != b"100-continue":
            raise Refused(417, f"the server knows no expectation {value[:40]!r}")


def answer_head(fields: Fields, close: bool) -> tuple[int, list[tuple[bytes, bytes]]]:
    """The status, and headers, of a response whose fields are those of HTTP/2."""
    status = int(fields[0][1])
    headers = [field for field in fields[1:] if field[0][:1] != b":"]
    if close:
        headers.append((b"connection", b"close"))
    return status, headers
