"""Where the programs run: the environment with the libraries and without grpcio, `.venvs/programs`."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.processes import python_environment

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 100
"""For a program that takes a few seconds; most of these are imports."""


def _interpreter() -> Path | None:
    """This interpreter if it is that environment's, or the environment if it was made before."""
    if importlib.util.find_spec("grpc_interceptor") is not None:
        return Path(sys.executable)
    made = ROOT / ".venvs/programs" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    return made if made.exists() else None


@pytest.fixture(scope="session")
def interpreter() -> Path:
    """The Python with the libraries."""
    found = _interpreter()
    if found is None:
        pytest.skip(
            "the libraries are not installed; `make programs` makes .venvs/programs for them"
        )
    return found


@pytest.fixture
def run(interpreter: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the interpreter with these arguments, and returns its exit code and its output."""

    def start(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(interpreter), "-X", "faulthandler", *map(str, arguments)],
            env=python_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    return start
