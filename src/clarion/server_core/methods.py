"""A method handler made ready for serving."""

from __future__ import annotations

from typing import Any

from clarion.method import RpcMethodHandler

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
        style: how the front end runs `behavior`; the front end's to set.
    """

    __slots__ = (
        "behavior",
        "deserialize",
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
        if self.request_streaming:
            behavior = handler.stream_stream if self.response_streaming else handler.stream_unary
        else:
            behavior = handler.unary_stream if self.response_streaming else handler.unary_unary
        if behavior is None:
            raise ValueError(f"the handler of {path} has no behaviour for the pattern it states")
        self.behavior = behavior
        self.style: Any = None
