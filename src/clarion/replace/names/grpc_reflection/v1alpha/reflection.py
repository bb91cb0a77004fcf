"""The reflection service, with Clarion's servicer."""

from __future__ import annotations

from clarion.reflection import ReflectionServicer as _ReflectionServicer
from clarion.reflection import Version, enable_server_reflection
from grpc_reflection.v1alpha import _async as aio
from grpc_reflection.v1alpha._base import BaseReflectionServicer

__all__ = ["SERVICE_NAME", "ReflectionServicer", "aio", "enable_server_reflection"]

SERVICE_NAME = Version.V1ALPHA.service


class ReflectionServicer(_ReflectionServicer, BaseReflectionServicer):  # type: ignore[misc]
    """Clarion's, and one of the generated class's."""
