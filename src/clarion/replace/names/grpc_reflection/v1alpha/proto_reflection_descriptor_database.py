"""A database of descriptors that asks a server."""

from __future__ import annotations

from clarion.reflection import ProtoReflectionDescriptorDatabase

__all__ = ["ProtoReflectionDescriptorDatabase"]
