"""What a library costs before its first call: its import in a fresh process, and its size.

Size is that of the distribution's own files without byte code; what it depends on is not counted,
for anyone.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib import metadata
from pathlib import Path

from bench.harness.implementations import Implementation
from bench.harness.processes import Invalid, run_pinned
from bench.scenarios.base import Context, Figures, Scenario

__all__ = ["SCENARIO", "tree_size"]

ATTEMPTS = 5

MODULES = {
    "grpcio-sync": "grpc",
    "grpcio-aio": "grpc.aio",
    "clarion-sync": "clarion",
    "clarion-aio": "clarion.aio",
    "grpclib": "grpclib.client, grpclib.server",
}

TIMER = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def tree_size(folder: Path) -> int:
    """Bytes of the files under a folder, without byte code and the caches of tools."""
    return sum(
        file.stat().st_size
        for file in folder.rglob("*")
        if file.is_file()
        and file.suffix != ".pyc"
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


def installed_size(library: str) -> int:
    """Bytes of a distribution's files; of the package's folder where it runs from a checkout."""
    package = {"grpcio": "grpc"}.get(library, library)
    distribution = {"clarion": "clarion-rpc"}.get(library, library)
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise Invalid(f"the package {package} is not installed")
    folder = Path(spec.origin).parent
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        files = []
    located = [Path(str(file.locate())) for file in files if file.suffix != ".pyc"]
    if not any(folder in path.parents for path in located):
        return tree_size(folder)
    return sum(path.stat().st_size for path in located if path.is_file())


def applies(implementation: Implementation) -> bool:
    return implementation.name in MODULES


def measure(implementation: Implementation, context: Context) -> Figures:
    command = [sys.executable, "-c", TIMER.format(MODULES[implementation.name])]
    seconds = min(float(run_pinned(command)) for _ in range(ATTEMPTS))
    return {
        "import": seconds * 1e3,
        "size": float(installed_size(implementation.library)),
    }


SCENARIO = Scenario("footprint", ("import", "size"), applies, measure)
