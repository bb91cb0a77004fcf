"""Values of keys that end in `-bin` against the grammar: unpadded or padded base64, joined by commas."""

from __future__ import annotations

import base64
import re

from clarion.errors import RemoteError
from clarion.protocol.metadata import decode_metadata, encode_metadata

__all__ = ["fuzz_one"]

_ALPHABET = re.compile(rb"[A-Za-z0-9+/]*").fullmatch


def _plain(part: bytes) -> bytes | None:
    """The octets of one part, or None if it is no base64."""
    body = part.rstrip(b"=")
    padding = len(part) - len(body)
    if not _ALPHABET(body) or len(body) % 4 == 1:
        return None
    if padding and (padding > 2 or (len(part) & 3 and len(part) + (-len(part) & 3) > _whole(body))):
        return None
    return base64.b64decode(body + b"=" * (-len(body) & 3))


def _whole(body: bytes) -> int:
    return len(body) + (-len(body) & 3)


def fuzz_one(data: bytes) -> None:
    """The bytes are the value as received, and then what is sent."""
    parts = data.split(b",")
    if len(parts) > 1:
        parts = [part.strip(b" \t") for part in parts]
    expected = [_plain(part) for part in parts]
    try:
        entries = decode_metadata([(b"x-bin", data)])
    except RemoteError:
        assert None in expected
    else:
        assert [value for _, value in entries] == expected
    ((_, wire),) = encode_metadata([("x-bin", data)])
    assert b"=" not in wire
    assert decode_metadata([(b"x-bin", wire)])[0][1] == data
