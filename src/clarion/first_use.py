"""Names of a package that are imported when they are first used (PEP 562).

`import clarion` then costs what its vocabulary costs: a program that only imports generated code, or only serves, does
not load the client, nor asyncio, nor credentials.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["on_first_use"]


def on_first_use(
    package: str, sources: Mapping[str, str], submodules: Iterable[str] = ()
) -> Callable[[str], Any]:
    """Make a package's `__getattr__`.

    Type checkers must not see it, or they would take any name for granted.

    Args:
        package: the package's name.
        sources: module names, and the names that the package has of each, with spaces between.
        submodules: names of submodules that the package has without an import of their own.
    """
    module_of = {name: module for module, names in sources.items() for name in names.split()}
    modules = frozenset(submodules)

    def find(name: str) -> Any:
        module = module_of.get(name)
        if module is not None:
            value = getattr(importlib.import_module(module), name)
            # The next look-up does not come here.
            setattr(sys.modules[package], name, value)
            return value
        if name in modules:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find
