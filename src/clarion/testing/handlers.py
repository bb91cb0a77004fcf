"""Handlers made of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clarion.method import RpcMethodHandler

__all__ = ["replaced"]


class _Handler(RpcMethodHandler[Any, Any]):
    """Another's handler with another behaviour."""


def replaced(
    handler: RpcMethodHandler[Any, Any],
    wrap: Callable[[Callable[[Any, Any], Any], bool], Callable[[Any, Any], Any]],
) -> RpcMethodHandler[Any, Any]:
    """A handler like `handler`, with the behaviour that `wrap(behaviour, whether responses are streamed)` returns."""
    pattern = "_".join(
        "stream" if each else "unary"
        for each in (handler.request_streaming, handler.response_streaming)
    )
    new = _Handler()
    for name in (
        "request_streaming",
        "response_streaming",
        "request_deserializer",
        "response_serializer",
        "unary_unary",
        "unary_stream",
        "stream_unary",
        "stream_stream",
    ):
        setattr(new, name, getattr(handler, name))
    setattr(new, pattern, wrap(getattr(handler, pattern), bool(handler.response_streaming)))
    return new
