"""The example of services within an ASGI server prints what its page promises."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clarion.cli import _protoc_binary

pytest.importorskip("google.protobuf")
pytest.importorskip("starlette", reason="starlette is not installed")
pytest.importorskip("uvicorn", reason="uvicorn is not installed")
pytest.importorskip("h11", reason="h11 is not installed")

ROOT = Path(__file__).resolve().parents[2]


def test_example(tmp_path: Path) -> None:
    try:
        _protoc_binary.find_protoc()
    except _protoc_binary.ProtocNotFoundError as error:
        pytest.skip(str(error))
    examples = tmp_path / "examples"
    ignore = shutil.ignore_patterns("*_pb2*", "__pycache__")
    shutil.copytree(ROOT / "examples/asgi", examples / "asgi", ignore=ignore)
    done = subprocess.run(
        [sys.executable, "tools/demo.py", "--port=0", f"--examples={examples}", "asgi"],
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
