"""The `grpc-message` header: a status message of any text in the octets that HTTP/2 lets through.

Rules kept (PROTOCOL-HTTP2, "Status-Message"): UTF-8, then percent-encoding of everything but space
and printable ASCII, and of `%` itself. A space at either end is encoded too: RFC 9113 §8.2.1 forbids
it there, and a message that ends in one is easily made (`f"failed: {error}"`). Decoding never fails and never throws the message away: it
is often all that a user has to find out what went wrong.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["decode_message", "encode_message", "shorten_message"]

_TO_ESCAPE: Final = re.compile(rb"[^ -$&-~]|\A | \Z")
_ESCAPED: Final = re.compile(rb"%([0-9A-Fa-f]{2})")


def encode_message(text: str) -> bytes:
    """Return the value of `grpc-message` for `text`. Lone surrogates, which UTF-8 has no form for,
    become question marks.
    """
    if (
        text.isascii()
        and text.isprintable()
        and "%" not in text
        and not text.startswith(" ")
        and not text.endswith(" ")
    ):
        return text.encode("ascii")
    return _TO_ESCAPE.sub(_escape, text.encode("utf-8", "replace"))


def decode_message(value: bytes) -> str:
    """Return the text of a `grpc-message` value.

    A `%` that no two hexadecimal digits follow stays as it is; octets that are not UTF-8, escaped
    or not, become U+FFFD.
    """
    if b"%" in value:
        value = _ESCAPED.sub(_unescape, value)
    return value.decode("utf-8", "replace")


def shorten_message(value: bytes, size: int) -> bytes:
    """Return a `grpc-message` value cut to `size` octets (at least 3), with an ellipsis for what is gone."""
    if len(value) <= size:
        return value
    value = value[: size - 3]
    escape = value.rfind(b"%", max(len(value) - 2, 0))
    return (value if escape < 0 else value[:escape]) + b"..."


def _escape(match: re.Match[bytes]) -> bytes:
    return b"%%%02X" % match[0][0]


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes((int(match[1], 16),))
