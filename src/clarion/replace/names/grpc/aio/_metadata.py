"""`grpc.aio.Metadata` and the types of metadata."""

from __future__ import annotations

from collections.abc import Sequence

from clarion.aio import Metadata

__all__ = ["Metadata", "MetadataKey", "MetadataType", "MetadataValue", "MetadatumType"]

MetadataKey = str
MetadataValue = str | bytes
MetadatumType = tuple[MetadataKey, MetadataValue]
MetadataType = Metadata | Sequence[MetadatumType]
