"""Make `import grpc` mean Clarion, for programs, libraries and generated code that are written for grpcio.

`names/` holds what is then importable, as an ordinary folder of packages: thin modules that give Clarion's objects
under grpcio's names, private ones included where well-known libraries import them. The finder puts that folder in front
of everything else for the names in `NAMES`, and for nothing else. A name that has no package in the folder falls
through to what is installed, which then runs on Clarion's `grpc`. So serving one more of them takes a folder there.

The modules in `names/` hold no state and no code of weight, because a package may be loaded under two names. The names
are registered in the process that asks, and in no other.
"""

from __future__ import annotations

import importlib
import sys

from clarion.replace.finder import FOLDER, NAMES, register

__all__ = ["FOLDER", "GRPC_VERSION", "NAMES", "install_as_grpc"]

GRPC_VERSION = "1.85.1"
"""The grpcio release whose API this is. It is `grpc.__version__` where Clarion is `grpc`."""


def install_as_grpc() -> None:
    """Make `import grpc`, with all its submodules, give Clarion in this process, whether grpcio is there or not.

    Call it before anything imports `grpc`. Calling it again does nothing. Where grpcio is not installed,
    `importlib.metadata.version("grpcio")` answers `GRPC_VERSION`, for libraries that look there.

    Raises:
        ImportError: the real `grpc` was imported already.
    """
    present = sys.modules.get("grpc")
    if present is None:
        sys.modules.pop("grpc", None)
        register()
        importlib.import_module("grpc")
    elif not getattr(present, "__clarion__", False):
        raise ImportError(
            f"another 'grpc' ({_where(present)}) is imported already, so Clarion cannot take its name; call "
            "clarion.install_as_grpc() before the first 'import grpc', or run the program with "
            "'python -m clarion.as_grpc'",
            name="grpc",
        )


def _where(module: object) -> str:
    return str(getattr(module, "__file__", None) or "made by hand")
