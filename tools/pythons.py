"""Find the Python interpreters that Clarion supports on this machine: one per minor version.

Rules: a candidate counts only after it ran and told its version (pyenv's shims exist for versions
that are not selected, and fail). PATH comes first, then pyenv's and uv's own folders. Nothing is
installed and nothing outside this process is changed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import which

__all__ = ["NEWEST_RELEASED", "OLDEST", "Interpreter", "find", "missing"]

OLDEST = (3, 11)
# Only used to say which versions are missing; newer ones are used where found.
NEWEST_RELEASED = (3, 14)
_LAST_NAME_TRIED = 20

_PROBE = (
    "import sys;"
    "i = sys.implementation.name;"
    "print(*sys.version_info[:3], i, sys.executable, sep='\\n')"
)


@dataclass(frozen=True)
class Interpreter:
    """One usable CPython: its version and the program to start."""

    version: tuple[int, int, int]
    path: str

    @property
    def minor(self) -> str:
        """The version as people say it, such as "3.13"."""
        return f"{self.version[0]}.{self.version[1]}"

    @property
    def full(self) -> str:
        """The version with its patch number, such as "3.13.0"."""
        return ".".join(map(str, self.version))


def _probe(path: str) -> Interpreter | None:
    try:
        result = subprocess.run(
            [path, "-c", _PROBE], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = result.stdout.splitlines()
    if result.returncode or len(lines) != 5 or lines[3] != "cpython":
        return None
    return Interpreter((int(lines[0]), int(lines[1]), int(lines[2])), lines[4] or path)


def _newest_first(paths: Iterator[Path]) -> list[Path]:
    def numbers(path: Path) -> list[int]:
        return [int(digits) for digits in re.findall(r"\d+", str(path))]

    return sorted(paths, key=numbers, reverse=True)


def _candidates() -> Iterator[str]:
    names = [f"python3.{minor}" for minor in range(OLDEST[1], _LAST_NAME_TRIED + 1)]
    for name in [*names, "python3"]:
        found = which(name)
        if found:
            yield found
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv/python")
    for path in _newest_first(pyenv.glob("versions/3.*/bin/python3")):
        yield str(path)
    for path in _newest_first(uv.glob("cpython-3.*/bin/python3")):
        yield str(path)
    yield sys.executable


def find() -> list[Interpreter]:
    """Return the usable interpreters, oldest minor version first, one for each."""
    by_minor: dict[tuple[int, int], Interpreter] = {}
    for path in _candidates():
        interpreter = _probe(path)
        if interpreter and interpreter.version[:2] >= OLDEST:
            by_minor.setdefault(interpreter.version[:2], interpreter)
    return [by_minor[minor] for minor in sorted(by_minor)]


def missing(found: list[Interpreter]) -> list[str]:
    """Return the released minor versions that are supported and were not found."""
    have = {interpreter.version[:2] for interpreter in found}
    return [
        f"3.{minor}" for minor in range(OLDEST[1], NEWEST_RELEASED[1] + 1) if (3, minor) not in have
    ]


def report(found: list[Interpreter]) -> str:
    """Return a few lines that say which interpreters are used and which are missing."""
    lines = [f"Python {interpreter.full}: {interpreter.path}" for interpreter in found]
    absent = missing(found)
    if absent:
        lines.append(f"not found, so not tested: Python {', '.join(absent)}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(find()))
