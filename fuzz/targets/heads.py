"""Whole header lists as a request, a response and trailers: what is read from them, or `RemoteError`."""

from __future__ import annotations

import math

from clarion.errors import RemoteError
from clarion.hpack import HeaderList
from clarion.http2.semantics import check_request, check_response, check_trailers
from clarion.protocol.request_head import read_request
from fuzz.reader import Reader

__all__ = ["fuzz_one"]

_START = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/a.B/C"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
)
_NAMES = (
    b":method",
    b":path",
    b":scheme",
    b":authority",
    b":status",
    b"te",
    b"content-type",
    b"content-length",
    b"grpc-timeout",
    b"grpc-encoding",
    b"grpc-accept-encoding",
    b"grpc-status",
    b"grpc-message",
    b"connection",
    b"x-bin",
)
_VALUES = (b"", b"POST", b"200", b"0", b"1S", b"gzip", b"application/grpc+proto", b"trailers")


def fuzz_one(data: bytes) -> None:
    """A list of fields, after those of a good request or alone."""
    reader = Reader(data)
    fields = list(_START) if reader.byte() & 1 else []
    while reader.left:
        form = reader.byte()
        name = reader.choose(_NAMES) if form & 1 else reader.piece()
        fields.append((name, reader.choose(_VALUES) if form & 2 else reader.piece()))
    whole = tuple(fields)
    size = sum(len(name) + len(value) + 32 for name, value in whole)
    try:
        head = read_request(HeaderList(whole, size), 1000)
    except RemoteError:
        pass
    else:
        assert size <= 1000 or head.error is not None
        assert head.timeout is None or (head.timeout >= 0 and math.isfinite(head.timeout))
        assert head.content_length is None or head.content_length >= 0
    for check in (check_request, check_response, check_trailers):
        try:
            check(whole)
        except RemoteError:
            pass
