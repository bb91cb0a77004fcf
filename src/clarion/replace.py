"""Make `import grpc` mean Clarion, for programs and generated code that are written for grpcio."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

__all__ = ["GRPC_VERSION", "install_as_grpc"]

GRPC_VERSION = "1.85.0"
"""The grpcio release whose API this is."""


def install_as_grpc() -> None:
    """Make `import grpc` and `import grpc.aio` give Clarion in this process, whether grpcio is there or not.

    Call it before anything imports `grpc`.

    Raises:
        ImportError: the real `grpc` was imported already.
    """
    real = sys.modules.get("grpc")
    if real is not None:
        if getattr(real, "__clarion__", False):
            return
        raise ImportError(
            "grpcio's 'grpc' is imported already, so Clarion cannot take its name; call "
            "clarion.install_as_grpc() before the first 'import grpc'"
        )
    clarion = importlib.import_module("clarion")
    aio = importlib.import_module("clarion.aio")
    grpc = ModuleType("grpc", clarion.__doc__)
    for name in clarion.__all__:
        setattr(grpc, name, getattr(clarion, name))
    utilities = ModuleType("grpc._utilities")
    utilities.first_version_is_lower = _first_version_is_lower  # type: ignore[attr-defined]
    experimental = ModuleType("grpc.experimental")
    grpc.__dict__.update(
        __version__=GRPC_VERSION,
        __clarion__=True,
        __path__=[],
        aio=aio,
        experimental=experimental,
        _utilities=utilities,
    )
    sys.modules.update(
        {
            "grpc": grpc,
            "grpc.aio": aio,
            "grpc._utilities": utilities,
            "grpc.experimental": experimental,
        }
    )


def _first_version_is_lower(version1: str, version2: str) -> bool:
    """False, whatever generated code asks: what it needs is an API that has not changed in years."""
    return False
