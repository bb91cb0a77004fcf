"""Clarion's `grpc.experimental`: everything in `clarion.experimental.__all__`."""

from __future__ import annotations

import importlib
from typing import Any

import clarion.experimental

globals().update(
    {name: getattr(clarion.experimental, name) for name in clarion.experimental.__all__}
)

__all__ = list(clarion.experimental.__all__)


def __getattr__(name: str) -> Any:
    if name == "aio":
        return importlib.import_module("grpc.experimental.aio")
    raise AttributeError(
        f"module 'grpc.experimental' has no attribute {name!r}; "
        f"it is Clarion {clarion.__version__} in grpcio's place"
    )
