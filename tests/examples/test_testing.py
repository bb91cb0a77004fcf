"""The example of tests passes, run as its page says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.limits import CHILD_SECONDS

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "clarion.testing.pytest_plugin"


def test_example(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            f"--rootdir={tmp_path}",
            "-c",
            os.devnull,
            "-p",
            PLUGIN,
            "-p",
            "no:cacheprovider",
            "-W",
            "error::ResourceWarning",
            "-W",
            "error::pytest.PytestUnraisableExceptionWarning",
            ".",
        ],
        cwd=ROOT / "examples" / "testing",
        # By name alone: where Clarion is installed, pytest knows the plugin by its entry point, too.
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "src"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=CHILD_SECONDS,
    )
    assert done.returncode == 0, done.stdout
    assert "7 passed" in done.stdout
