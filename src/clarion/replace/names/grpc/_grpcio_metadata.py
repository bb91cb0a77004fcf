"""grpcio's version."""

from __future__ import annotations

from clarion.replace import GRPC_VERSION

__all__ = ["__version__"]

__version__ = GRPC_VERSION
