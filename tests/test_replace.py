"""Clarion in grpc's place."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from clarion.replace import GRPC_VERSION, _first_version_is_lower, install_as_grpc

IN_ITS_PLACE = """
import clarion
clarion.install_as_grpc()
import grpc
import grpc.aio
from grpc import aio, experimental
from grpc._utilities import first_version_is_lower
assert grpc.insecure_channel is clarion.insecure_channel
assert grpc.StatusCode is clarion.StatusCode
assert grpc.aio is clarion.aio is aio
assert grpc.experimental is experimental
assert not first_version_is_lower(grpc.__version__, "1.0.0")
for name in set(clarion.__all__) - {"__version__"}:
    assert getattr(grpc, name) is getattr(clarion, name)
clarion.install_as_grpc()
assert sys.modules["grpc"] is grpc
"""

TOO_LATE = """
import types
sys.modules["grpc"] = types.ModuleType("grpc")
import clarion
try:
    clarion.install_as_grpc()
except ImportError as error:
    assert "before the first 'import grpc'" in str(error)
else:
    raise AssertionError
"""


@pytest.mark.parametrize("program", [IN_ITS_PLACE, TOO_LATE], ids=["in-its-place", "too-late"])
def test_install(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys\n" + program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def no_grpc() -> Iterator[None]:
    """A process in which nobody has imported `grpc` yet."""
    names = [name for name in sys.modules if name == "grpc" or name.startswith("grpc.")]
    saved = {name: sys.modules.pop(name) for name in names}
    yield
    for name in [name for name in sys.modules if name == "grpc" or name.startswith("grpc.")]:
        del sys.modules[name]
    sys.modules.update(saved)


@pytest.mark.usefixtures("no_grpc")
def test_in_this_process() -> None:
    install_as_grpc()
    grpc = importlib.import_module("grpc")
    assert grpc.__version__ == GRPC_VERSION
    install_as_grpc()
    assert sys.modules["grpc"] is grpc
    sys.modules["grpc"] = ModuleType("grpc")
    with pytest.raises(ImportError, match="before the first 'import grpc'"):
        install_as_grpc()


def test_generated_code_is_never_too_new() -> None:
    assert not _first_version_is_lower(GRPC_VERSION, "999.0.0")
