"""The examples of errors and interceptors print what their pages promise, on a free port."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.limits import CHILD_SECONDS

ROOT = Path(__file__).resolve().parents[2]


def test_examples() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/demo.py"), "--port=0", "rich-errors", "interceptors"],
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
