"""Where `grpc` and its companions are found once Clarion stands in their place.

Rules: only the names in `NAMES` are touched; what the folder does not hold is left to the other finders. What grpcio
tells about itself in `importlib.metadata` is answered only where grpcio is not installed. Registering twice is
registering once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import Distribution

__all__ = ["FOLDER", "NAMES", "register"]

FOLDER = os.path.join(os.path.dirname(__file__), "names")
"""The folder with the packages that carry grpcio's names. Put on `sys.path`, it does what the finder does."""

NAMES = frozenset(
    {"grpc", "grpc_channelz", "grpc_health", "grpc_reflection", "grpc_status", "grpc_testing"}
)
"""The top-level names that Clarion takes, as far as `FOLDER` has a package for them."""


class _Names:
    """A finder on `sys.meta_path`, first of all. Submodules are found by their packages' own `__path__`."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None and fullname in NAMES:
            return PathFinder.find_spec(fullname, [FOLDER], target)
        return None


class _Metadata:
    """A finder on `sys.meta_path`, last of all: grpcio as a distribution, if no other finder knows one."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        return None

    @staticmethod
    def find_distributions(context: Any) -> Iterable[Distribution]:
        # Listings, which name nothing, show what is installed, and grpcio is not.
        if getattr(context, "name", None) != "grpcio":
            return ()
        from clarion.replace.distribution import Grpcio

        return (Grpcio(),)


def register() -> None:
    """Make imports of `NAMES` look into `FOLDER` first."""
    if _Names not in sys.meta_path:
        sys.meta_path.insert(0, _Names)
        sys.meta_path.append(_Metadata)
