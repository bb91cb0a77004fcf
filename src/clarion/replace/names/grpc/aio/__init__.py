"""Clarion's `grpc.aio`: everything in `clarion.aio.__all__`."""

from __future__ import annotations

from typing import Any

import clarion.aio

globals().update({name: getattr(clarion.aio, name) for name in clarion.aio.__all__})

__all__ = list(clarion.aio.__all__)
__clarion__ = True


def __getattr__(name: str) -> Any:
    raise AttributeError(
        f"module 'grpc.aio' has no attribute {name!r}; it is Clarion {clarion.__version__} in grpcio's place"
    )
