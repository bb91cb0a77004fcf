"""The examples of credentials print what their pages promise, on a free port."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.limits import CHILD_SECONDS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["tls", "mtls-rotation", "oauth2", "jwt", "authorization"])
def test_example(name: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/demo.py"), "--port=0", name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=CHILD_SECONDS,
    )
    assert done.returncode == 0, done.stdout
    if "skipped:" in done.stdout:
        pytest.skip(done.stdout.partition("skipped: ")[2].partition("\n")[0])
    assert done.stdout.endswith("all examples did what they should\n")
    assert "Traceback" not in done.stdout
