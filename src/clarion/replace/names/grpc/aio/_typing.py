"""The types in the signatures of `grpc.aio`, for programs that annotate with them."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from grpc.aio._metadata import (
    Metadata,
    MetadataKey,
    MetadataType,
    MetadataValue,
    MetadatumType,
)

from clarion.aio import EOF

__all__ = [
    "ChannelArgumentType",
    "DeserializingFunction",
    "DoneCallbackType",
    "EOFType",
    "Metadata",
    "MetadataKey",
    "MetadataType",
    "MetadataValue",
    "MetadatumType",
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
ChannelArgumentType = Sequence[tuple[str, Any]]
EOFType = type(EOF)
DoneCallbackType = Callable[[Any], None]
RequestIterableType = Iterable[RequestType] | AsyncIterable[RequestType]
ResponseIterableType = AsyncIterable[ResponseType]
