"""The name that `grpc.aio` had first."""

from __future__ import annotations

import grpc.aio as _aio

globals().update({name: getattr(_aio, name) for name in _aio.__all__})

__all__ = list(_aio.__all__)
