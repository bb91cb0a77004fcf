"""The types in grpcio's signatures, for programs that annotate with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

__all__ = [
    "ArityAgnosticMethodHandler",
    "ChannelArgumentType",
    "DeserializingFunction",
    "DoneCallbackType",
    "MetadataType",
    "NullaryCallbackType",
    "RequestIterableType",
    "RequestType",
    "ResponseIterableType",
    "ResponseType",
    "SerializingFunction",
]

RequestType = TypeVar("RequestType")
ResponseType = TypeVar("ResponseType")
SerializingFunction = Callable[[Any], bytes]
DeserializingFunction = Callable[[bytes], Any]
MetadataType = Sequence[tuple[str, str | bytes]]
ChannelArgumentType = tuple[str, Any]
DoneCallbackType = Callable[[Any], None]
NullaryCallbackType = Callable[[], None]
RequestIterableType = Iterable[Any]
ResponseIterableType = Iterable[Any]
ArityAgnosticMethodHandler = Callable[..., Any]
