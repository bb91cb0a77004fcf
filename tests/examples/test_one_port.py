"""The example with a service and a site on one port prints what its page promises."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clarion.cli import _protoc_binary

pytest.importorskip("google.protobuf")
pytest.importorskip("h11", reason="h11 is not installed")

ROOT = Path(__file__).resolve().parents[2]


def test_example(tmp_path: Path) -> None:
    try:
        _protoc_binary.find_protoc()
    except _protoc_binary.ProtocNotFoundError as error:
        pytest.skip(str(error))
    examples = tmp_path / "examples"
    ignore = shutil.ignore_patterns("*_pb2*", "__pycache__")
    shutil.copytree(ROOT / "examples/one_port", examples / "one_port", ignore=ignore)
    done = subprocess.run(
        [sys.executable, "tools/demo.py", "--port=0", f"--examples={examples}", "one-port"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=55,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("all examples did what they should\n")
    assert "Traceback" not in done.stdout
