"""What a call says of its messages' encoding: `application/grpc`, or that with `+json` (PROTOCOL-HTTP2, "Content-Type").

A program says it by the function that makes bytes of messages: where that has an attribute `content_subtype`, its name
is sent. So generated code, interceptors and handlers need no other argument, and calls without one do no work for it.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from clarion.errors import LocalError
from clarion.hpack import encode_literal

__all__ = [
    "CONTENT_TYPE",
    "InvalidSubtype",
    "ResponseHeads",
    "content_type_of",
    "is_grpc_content_type",
    "response_heads",
    "subtype_of",
]

Fields = tuple[tuple[bytes, bytes], ...]
ResponseHeads = tuple[bytes, Fields]

CONTENT_TYPE = b"application/grpc"

# RFC 9110 section 5.6.2, and lower case: media types are compared without regard to it.
_SUBTYPE = re.compile(r"[a-z0-9!#$&^_.-]+")


class InvalidSubtype(LocalError, ValueError):
    """A serializer has a `content_subtype` that cannot be sent."""


def is_grpc_content_type(value: bytes) -> bool:
    """Whether `value` is application/grpc, or that with a subtype (+proto, ;charset)."""
    return value.startswith(CONTENT_TYPE) and value[16:17] in (b"", b"+", b";")


def subtype_of(value: bytes) -> str:
    """The subtype in a content-type of gRPC, in lower case; "" if it has none."""
    if value[16:17] == b"+":
        return value[17:].partition(b";")[0].strip().decode("latin-1").lower()
    return ""


def content_type_of(serializer: Any) -> bytes:
    """The content-type of messages that a serializer makes.

    Raises:
        InvalidSubtype: the serializer's `content_subtype` cannot be sent.
    """
    subtype = getattr(serializer, "content_subtype", None)
    # Whatever else has the name, such as any attribute of a mock, is not meant.
    if not isinstance(subtype, str) or not subtype:
        return CONTENT_TYPE
    if _SUBTYPE.fullmatch(subtype) is None:
        raise InvalidSubtype(
            f"the content subtype of a serializer is a lower-case name, such as 'json', not {subtype!r}"
        )
    return b"%b+%b" % (CONTENT_TYPE, subtype.encode())


@functools.lru_cache(maxsize=64)
def response_heads(content_type: bytes) -> ResponseHeads:
    """Response headers without metadata: as a header block, and as fields.

    The block is good on every connection because no dynamic table is involved.
    """
    fields: Fields = ((b":status", b"200"), (b"content-type", content_type))
    return b"\x88" + encode_literal(b"content-type", content_type), fields
