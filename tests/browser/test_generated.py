"""The TypeScript in examples/browser/src/gen is what would be generated of the .proto files now."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clarion.cli import _protoc_binary
from support.processes import python_environment

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "browser"


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("chromium")
def test_generated_code(tmp_path: Path) -> None:
    try:
        _protoc_binary.find_protoc()
    except _protoc_binary.ProtocNotFoundError as error:
        pytest.skip(str(error))
    plugins = f"{EXAMPLE / 'node_modules' / '.bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [sys.executable, "-m", "clarion", "protoc", "-I.", f"--es_out={tmp_path}"]
    done = subprocess.run(
        [*command, "--es_opt=target=ts", "coffee.proto", "error_details.proto"],
        cwd=EXAMPLE,
        env={**python_environment(), "PATH": plugins},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    fresh = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert fresh == {path.name: path.read_text() for path in (EXAMPLE / "src" / "gen").iterdir()}
