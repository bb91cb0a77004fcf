"""The content types of gRPC-Web: binary or text, with the name of the messages' encoding or without."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["GrpcWebType", "answer_type", "parse_content_type"]

_TYPE: Final = re.compile(
    rb"application/grpc-web(?P<text>-text(?:-base64)?)?(?:\+(?P<subtype>[a-z0-9!#$&^_.-]+))?[ \t]*(?:;.*)?",
    re.IGNORECASE,
)


class GrpcWebType(NamedTuple):
    """A content type of gRPC-Web.

    Attributes:
        text: whether the body is base64.
        subtype: how messages are encoded, such as `proto`; "" if it is not said, which means proto.
    """

    text: bool
    subtype: str = ""

    @property
    def content_type(self) -> bytes:
        """As it is sent. The subtype is always said, as clients exist that read no other."""
        base = "application/grpc-web-text" if self.text else "application/grpc-web"
        return f"{base}+{self.subtype or 'proto'}".encode()


def parse_content_type(value: bytes) -> GrpcWebType | None:
    """Read a content type; None for one that is not gRPC-Web's."""
    match = _TYPE.fullmatch(value.strip(b" \t"))
    if match is None:
        return None
    return GrpcWebType(match["text"] is not None, (match["subtype"] or b"").decode().lower())


def answer_type(asked: GrpcWebType, accept: bytes | None) -> GrpcWebType:
    """The content type of the response: the request's, or what its `accept` says of the mode."""
    for each in (accept or b"").split(b",", 16)[:16]:
        wanted = parse_content_type(each)
        if wanted is not None:
            return asked._replace(text=wanted.text)
    return asked
