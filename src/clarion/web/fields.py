"""Header fields as the protocols of the web need them: single values, and metadata among what HTTP has for itself.

Rules: what HTTP means between two of its ends is not metadata, in either direction: neither shown to applications nor sent
for them. Otherwise metadata is what it is in gRPC, and encoded as there (`clarion.protocol.metadata`); binary values are base64 without padding,
and read with it or without. What says something once says it once: a field that comes twice, where one server on the way
could read the first and another the second, is a fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from clarion.errors import RemoteError
from clarion.metadata import Metadatum
from clarion.protocol.metadata import (
    decode_metadata,
    metadata_size,
)
from clarion.status import StatusCode
from clarion.web.errors import WebError

__all__ = [
    "Fields",
    "check_size",
    "joined",
    "metadata_of",
    "single",
    "without_http",
]

Fields = tuple[tuple[bytes, bytes], ...]

# Beyond what protocol.metadata keeps to itself. Answers to questions of CORS are the server's, never the application's.
_HTTP: Final = frozenset(
    b"accept-encoding content-encoding content-length connection expect host http2-settings keep-alive proxy-connection te"
    b" trailer transfer-encoding upgrade connect-accept-encoding connect-content-encoding connect-protocol-version"
    b" connect-timeout-ms".split()
)
_RESERVED: Final = (b"connect-", b"access-control-")


def without_http(fields: Iterable[tuple[bytes, bytes]]) -> Fields:
    """The fields that are not HTTP's own, nor reserved: what may be metadata."""
    return tuple(
        field for field in fields if field[0] not in _HTTP and not field[0].startswith(_RESERVED)
    )


def metadata_of(
    fields: Iterable[tuple[bytes, bytes]], code: StatusCode = StatusCode.INTERNAL
) -> tuple[Metadatum, ...]:
    """What an application sees of header fields.

    Raises:
        WebError: a key or a value that metadata cannot have; `code` is its status.
    """
    try:
        return decode_metadata(without_http(fields))
    except RemoteError as error:
        raise WebError(code, str(error)) from None


def check_size(fields: Iterable[tuple[bytes, bytes]], max_size: int) -> None:
    """Refuse header fields that are larger than `max_size`, as RFC 9113 section 6.5.2 counts them.

    Raises:
        WebError: they are: RESOURCE_EXHAUSTED.
    """
    size = metadata_size(fields)
    if size > max_size:
        raise WebError(
            StatusCode.RESOURCE_EXHAUSTED,
            f"received metadata size exceeds hard limit ({size} vs. {max_size})",
        )


def single(fields: Iterable[tuple[bytes, bytes]], name: bytes, code: StatusCode) -> bytes | None:
    """The value of a field that may come once, or None.

    Raises:
        WebError: it came more than once; `code` is its status.
    """
    found = None
    for key, value in fields:
        if key == name:
            if found is not None:
                raise WebError(code, f"{name.decode()} was sent more than once")
            found = value.strip(b" \t")
    return found


def joined(fields: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """The value of a field that is a list, which may come in several lines (RFC 9110 section 5.3), or None."""
    values = [value for key, value in fields if key == name]
    return b",".join(values) if values else None
