"""The reflection service for asyncio, with Clarion's servicer."""

from __future__ import annotations

from clarion.reflection import aio as _aio
from grpc_reflection.v1alpha._base import BaseReflectionServicer

__all__ = ["ReflectionServicer"]


class ReflectionServicer(_aio.ReflectionServicer, BaseReflectionServicer):  # type: ignore[misc]
    """Clarion's, and one of the generated class's."""
