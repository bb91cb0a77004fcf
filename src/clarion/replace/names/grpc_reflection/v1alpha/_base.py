"""What the reflection servicers have in common."""

from __future__ import annotations

from clarion.reflection.servicer import BaseReflectionServicer as _BaseReflectionServicer
from grpc_reflection.v1alpha import reflection_pb2_grpc as _reflection_pb2_grpc

__all__ = ["BaseReflectionServicer"]


class BaseReflectionServicer(
    _BaseReflectionServicer,
    _reflection_pb2_grpc.ServerReflectionServicer,  # type: ignore[misc]
):
    """Clarion's, and one of the generated class's."""
