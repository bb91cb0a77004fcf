"""Clarion's `grpc.aio`: everything in `clarion.aio.__all__`."""

from __future__ import annotations

import importlib
from typing import Any

import clarion.aio

globals().update({name: getattr(clarion.aio, name) for name in clarion.aio.__all__})

__all__ = list(clarion.aio.__all__)
__clarion__ = True

# grpcio's package imports these, so programs have them from `import grpc` alone.
_PRIVATE_ON_USE = (
    "_base_call",
    "_base_channel",
    "_base_server",
    "_call",
    "_channel",
    "_interceptor",
    "_metadata",
    "_server",
    "_typing",
)


def __getattr__(name: str) -> Any:
    if name in _PRIVATE_ON_USE:
        return importlib.import_module(f"grpc.aio.{name}")
    raise AttributeError(
        f"module 'grpc.aio' has no attribute {name!r}; it is Clarion {clarion.__version__} in grpcio's place"
    )
