"""A method handler made ready for serving."""

from __future__ import annotations

from typing import Any

from clarion.method import RpcMethodHandler
from clarion.protocol.content_type import (
    CONTENT_TYPE,
    ResponseHeads,
    content_type_of,
    response_heads,
)

__all__ = ["Method"]


def _pass_through(value: Any) -> Any:
    return value


class Method:
    """What a server needs of an `RpcMethodHandler`, read once.

    Attributes:
        path: `/package.Service/Method`.
        request_streaming, response_streaming: the pattern.
        deserialize, serialize: never None.
        behavior: the user's function.
        heads: `ServerStream.head_block` and `head_fields` where they are not the usual ones, else None.
        style: how the front end runs `behavior`; the front end's to set.
    """

    __slots__ = (
        "behavior",
        "deserialize",
        "heads",
        "path",
        "request_streaming",
        "response_streaming",
        "serialize",
        "style",
    )

    def __init__(self, path: str, handler: RpcMethodHandler) -> None:
        self.path = path
        self.request_streaming = bool(handler.request_streaming)
        self.response_streaming = bool(handler.response_streaming)
        self.deserialize = handler.request_deserializer or _pass_through
        self.serialize = handler.response_serializer or _pass_through
        content_type = content_type_of(self.serialize)
        self.heads: ResponseHeads | None = None
        if content_type is not CONTENT_TYPE:
            self.heads = response_heads(content_type)
        if self.request_streaming:
            behavior = handler.stream_stream if self.response_streaming else handler.stream_unary
        else:
            behavior = handler.unary_stream if self.response_streaming else handler.unary_unary
        if behavior is None:
            raise ValueError(f"the handler of {path} has no behaviour for the pattern it states")
        self.behavior = behavior
        self.style: Any = None
