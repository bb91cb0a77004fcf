"""The suite's program, and the Python code of its contract: built from the Go module proxy, with the versions in go.mod.

Nothing of the suite is in this repository: its .proto files are read where Go keeps its modules, and what is made of them goes to
`.venvs/connect`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["BUILD_SECONDS", "Missing", "Suite", "build"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILT = ROOT / ".venvs" / "connect"
BUILD_SECONDS = 600.0
_MODULE = "connectrpc.com/conformance"


class Missing(Exception):
    """The suite is not to be had here; the text says why."""


class Suite(NamedTuple):
    """What was built.

    Attributes:
        binary: the program.
        protos: the folder from which `connectrpc.conformance.v1` is imported.
    """

    binary: Path
    protos: Path


def build(seconds: float = BUILD_SECONDS) -> Suite:
    """Build the program and generate the code, unless that was done before.

    Args:
        seconds: how long that may take.

    Raises:
        Missing: there is no Go, or it failed.
    """
    pins = hashlib.sha256((HERE / "go.mod").read_bytes() + (HERE / "go.sum").read_bytes())
    place = BUILT / pins.hexdigest()[:12]
    suite = Suite(place / "connectconformance", place / "protos")
    if place.exists():
        return suite
    go = shutil.which("go")
    if go is None:
        raise Missing("Go is not on the path, and the suite is a Go program")
    BUILT.mkdir(parents=True, exist_ok=True)
    with (BUILT / "lock").open("w") as lock:
        # Test runs of several Pythons come here at once.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            with tempfile.TemporaryDirectory(dir=BUILT) as folder:
                _build(go, Path(folder, "new"), seconds)
                Path(folder, "new").rename(place)
    return suite


def _build(go: str, place: Path, seconds: float) -> None:
    binary = place / "connectconformance"
    _run([go, "build", "-mod=readonly", "-o", str(binary), f"{_MODULE}/cmd/{binary.name}"], seconds)
    module = _run([go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", _MODULE], seconds).strip()
    generate = ["generate", str(Path(module, "proto")), "--no-types", "--quiet"]
    _run([sys.executable, "-m", "clarion", *generate, "--out", str(place / "protos")], seconds)


def _run(command: Sequence[str], seconds: float) -> str:
    what = " ".join(command[:3])
    try:
        done = subprocess.run(
            command,
            cwd=HERE,
            env={**os.environ, "GOWORK": "off", "PYTHONPATH": str(ROOT / "src")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise Missing(
            f"{what} did not end within {seconds:.0f} s; try `make conformance`"
        ) from None
    if done.returncode:
        last = " | ".join(done.stdout.strip().splitlines()[-3:])
        raise Missing(f"{what} failed: {last}")
    return done.stdout
