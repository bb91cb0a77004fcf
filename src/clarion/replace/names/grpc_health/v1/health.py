"""The health service, with Clarion's servicer."""

from __future__ import annotations

from clarion import health as _health
from clarion.health import OVERALL_HEALTH, SERVICE_NAME
from grpc_health.v1 import _async as aio
from grpc_health.v1 import health_pb2_grpc as _health_pb2_grpc

__all__ = ["OVERALL_HEALTH", "SERVICE_NAME", "HealthServicer", "aio"]


class HealthServicer(_health.HealthServicer, _health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Clarion's, and one of the generated class's."""
