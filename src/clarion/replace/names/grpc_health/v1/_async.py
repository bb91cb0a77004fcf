"""The health service for asyncio, with Clarion's servicer."""

from __future__ import annotations

from clarion.health import aio as _aio
from grpc_health.v1 import health_pb2_grpc as _health_pb2_grpc

__all__ = ["HealthServicer"]


class HealthServicer(_aio.HealthServicer, _health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Clarion's, and one of the generated class's."""
