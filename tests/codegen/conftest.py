"""Shared by the tests of generated code: protoc, run on the .proto files beside this file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clarion.cli import _protoc_binary
from clarion.cli.protoc import run
from support.limits import CHILD_SECONDS, give_time

PROTOS = Path(__file__).parent / "protos"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    give_time(items, Path(__file__).parent)


@pytest.fixture
def protos() -> Path:
    """The folder of .proto files."""
    return PROTOS


@pytest.fixture
def clarion_protoc(tmp_path: Path) -> Callable[..., Path]:
    """Runs `clarion protoc` on named files; gives the folder with what it wrote."""
    try:
        _protoc_binary.find_protoc()
    except _protoc_binary.ProtocNotFoundError as error:
        pytest.skip(str(error))

    def generate(*names: str) -> Path:
        folder = tmp_path / "generated"
        folder.mkdir(exist_ok=True)
        outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
        assert run([f"-I{PROTOS}", *outputs, *names], prog="clarion protoc") == 0
        return folder

    return generate


@pytest.fixture
def run_in(tmp_path: Path) -> Callable[[Path, str], str]:
    """Runs a Python program in a fresh process, with a folder importable; gives what it printed.

    A process of its own, because message classes are registered once for a whole process.
    """

    def run_program(folder: Path, program: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=CHILD_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run_program
