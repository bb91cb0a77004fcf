"""The content types of Connect: `application/proto` for one message, `application/connect+proto` for streams.

A type that this side has no codec for is no Connect to it, and answered with 415 (Connect, "Unary-Request"). Parameters are
passed over but for a charset, which can only be UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final, NamedTuple

__all__ = ["CODECS", "ConnectType", "accept_post", "looks_like_connect", "parse_content_type"]

CODECS: Final = ("proto", "json")
"""The codecs that every implementation has."""

_TYPE: Final = re.compile(
    rb"application/(?P<stream>connect\+)?(?P<codec>[a-z0-9!#$&^_.+-]+)[ \t]*(?P<parameters>;.*)?",
    re.IGNORECASE,
)
_CHARSET: Final = re.compile(rb';[ \t]*charset="?([^";\s]*)', re.IGNORECASE)


class ConnectType(NamedTuple):
    """A content type of Connect.

    Attributes:
        streaming: whether the body is a sequence of envelopes.
        codec: how messages are encoded, such as `proto` or `json`.
    """

    streaming: bool
    codec: str

    @property
    def content_type(self) -> bytes:
        """As it is sent."""
        return f"application/{'connect+' if self.streaming else ''}{self.codec}".encode()


def parse_content_type(value: bytes, codecs: Collection[str] = CODECS) -> ConnectType | None:
    """Read a content type; None for one that is not Connect's, or of no codec in `codecs`."""
    match = _TYPE.fullmatch(value.strip(b" \t"))
    if match is None:
        return None
    codec = match["codec"].decode().lower()
    if codec not in codecs:
        return None
    charset = _CHARSET.search(match["parameters"] or b"")
    if charset is not None and charset[1].lower() not in (b"utf-8", b"utf8"):
        return None
    return ConnectType(match["stream"] is not None, codec)


def looks_like_connect(value: bytes) -> bool:
    """Whether a response's content type is Connect's, if not the one that was asked for."""
    return parse_content_type(value) is not None


def accept_post(codecs: Collection[str] = CODECS) -> bytes:
    """The value of `accept-post`, which tells whoever gets 415 what would do."""
    return b", ".join(
        ConnectType(streaming, codec).content_type
        for streaming in (False, True)
        for codec in codecs
    )
