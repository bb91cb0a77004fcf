"""Runs an example with `tools/demo.py`, on a copy, so that runs beside this one do not meet half-generated code."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clarion.cli import _protoc_binary
from support.limits import CHILD_SECONDS

__all__ = ["run_example"]

ROOT = Path(__file__).resolve().parents[2]


def run_example(folder: str, name: str, workspace: Path) -> None:
    """The example `name`, in `examples/<folder>`, prints what its page promises."""
    try:
        _protoc_binary.find_protoc()
    except _protoc_binary.ProtocNotFoundError as error:
        pytest.skip(str(error))
    examples = workspace / "examples"
    ignore = shutil.ignore_patterns("*_pb2*", "__pycache__")
    shutil.copytree(ROOT / "examples" / folder, examples / folder, ignore=ignore)
    done = subprocess.run(
        [sys.executable, "tools/demo.py", "--port=0", f"--examples={examples}", name],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=CHILD_SECONDS,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("all examples did what they should\n")
    assert "Traceback" not in done.stdout
