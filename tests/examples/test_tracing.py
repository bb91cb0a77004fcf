"""The example of tracing prints what its page promises, on a free port."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.limits import CHILD_SECONDS

pytest.importorskip("google.protobuf")

ROOT = Path(__file__).resolve().parents[2]


def test_example() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/demo.py"), "--port=0", "tracing"],
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
