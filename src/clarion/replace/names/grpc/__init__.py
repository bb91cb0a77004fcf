"""Clarion's `grpc`: everything in `clarion.__all__`, under the name that programs for grpcio import."""

from __future__ import annotations

import importlib
from typing import Any

import clarion
from clarion.replace import GRPC_VERSION, finder

# Nothing that a later release adds to Clarion has to be named here too.
globals().update({name: getattr(clarion, name) for name in clarion.__all__})

__all__ = [name for name in clarion.__all__ if name not in ("__version__", "install_as_grpc")]
__version__ = GRPC_VERSION
__clarion__ = True

# grpcio's package imports these. They are loaded on first use, because asyncio takes longer to
# import than everything else here.
_ON_USE = ("aio", "experimental")
_PRIVATE_ON_USE = (
    "_channel",
    "_common",
    "_compression",
    "_cython",
    "_grpcio_metadata",
    "_interceptor",
    "_runtime_protos",
    "_server",
    "_simple_stubs",
    "_typing",
    "_utilities",
)

# A process may find this package on its `sys.path`, without having asked for it by a call.
finder.register()


def __getattr__(name: str) -> Any:
    if name in _ON_USE or name in _PRIVATE_ON_USE:
        return importlib.import_module(f"grpc.{name}")
    raise AttributeError(
        f"module 'grpc' has no attribute {name!r}; it is Clarion {clarion.__version__} in grpcio's place"
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *_ON_USE})
