"""Put the releases of the protobuf runtime that generated code is tested with into `.venvs/protobuf-N`.

    python tools/protobufs.py [--stamp FILE]

They are not virtual environments but folders for `PYTHONPATH`: the wheels are for every Python. A release that cannot be
installed is named with its reason; its tests then say that they skip.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from venvs import ROOT

__all__ = ["FOLDERS", "MAJORS", "main"]

# The newest three major versions, and of each the newest release; 5.29 is also the oldest that Clarion takes.
MAJORS = (5, 6, 7)
FOLDERS = ROOT / ".venvs"


def _install(major: int) -> str:
    """Install one release; return why not, or ""."""
    folder = FOLDERS / f"protobuf-{major}"
    shutil.rmtree(folder, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    got = subprocess.run(
        [
            *pip,
            "--no-deps",
            "--only-binary",
            ":all:",
            "--target",
            str(folder),
            f"protobuf=={major}.*",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if got.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        return got.stdout.strip().splitlines()[-1] if got.stdout.strip() else "pip failed"
    return ""


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stamp", type=Path, help="file to touch at the end")
    args = parser.parse_args()
    for major in MAJORS:
        reason = _install(major)
        if reason:
            print(f"protobuf {major} is not available: {reason}", flush=True)
    if args.stamp:
        args.stamp.parent.mkdir(parents=True, exist_ok=True)
        args.stamp.touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
