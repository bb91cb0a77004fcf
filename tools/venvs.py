"""Make a virtual environment with Clarion (editable) and chosen groups of `pyproject.toml`.

    python tools/venvs.py DIRECTORY [--extras a,b] [--groups c,d] [--optional e,f] [--stamp FILE]

Rules: needs nothing but the standard library, pip, and a network or a local package index; changes
nothing outside DIRECTORY and `.venvs/`. Where `venv` has no ensurepip (Debian without python3-venv),
`virtualenv` is unpacked into `.venvs/` and used instead. Packages of the extras and of the optional
groups are only installed from wheels, and one that cannot be installed is named with its reason, not
an error.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this line is what tells people with an old Python
    sys.exit(
        f"Clarion needs Python 3.11 or newer, and {sys.executable} is {sys.version.split()[0]}."
        " Choose another: make PYTHON=/path/to/python3.11 ..."
    )

import argparse
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["ROOT", "InstallError", "create", "install", "python_of", "remove"]

ROOT = Path(__file__).resolve().parent.parent
_VIRTUALENV = ROOT / ".venvs" / "virtualenv"


class InstallError(Exception):
    """An environment could not be made; the message says why and what to do."""


def python_of(directory: Path) -> Path:
    """Return the interpreter inside the virtual environment `directory`."""
    return directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _run(command: Sequence[str | Path], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment},
    )


def create(directory: Path, interpreter: str = sys.executable) -> None:
    """Make an empty environment with pip at `directory`, in place of what was there.

    Raises:
        InstallError: neither `venv` nor `virtualenv` works with `interpreter`.
    """
    shutil.rmtree(directory, ignore_errors=True)
    first = _run([interpreter, "-m", "venv", directory])
    if first.returncode == 0:
        return
    shutil.rmtree(directory, ignore_errors=True)
    print(f"{interpreter} cannot make a virtual environment by itself; using virtualenv")
    if not _VIRTUALENV.exists():
        got = _run([sys.executable, "-m", "pip", "install", "-q", "-t", _VIRTUALENV, "virtualenv"])
        if got.returncode:
            shutil.rmtree(_VIRTUALENV, ignore_errors=True)
            raise InstallError(
                f"{interpreter} -m venv failed:\n{first.stdout}\n"
                f"and virtualenv could not be fetched with pip:\n{got.stdout}\n"
                "Install the venv module (Debian, Ubuntu: apt install python3-venv) and try again."
            )
    made = _run(
        [sys.executable, "-m", "virtualenv", "-q", "-p", interpreter, directory],
        PYTHONPATH=str(_VIRTUALENV),
    )
    if made.returncode:
        raise InstallError(f"virtualenv failed for {interpreter}:\n{made.stdout}")


def _project() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        data = tomllib.load(file)
    return data["project"]["optional-dependencies"], data["dependency-groups"]


def _reason(output: str) -> str:
    errors = [line for line in output.splitlines() if line.startswith("ERROR:")]
    return errors[-1].removeprefix("ERROR:").strip() if errors else output.strip()[-300:]


def install(
    directory: Path,
    *,
    extras: Iterable[str] = (),
    groups: Iterable[str] = (),
    optional: Iterable[str] = (),
    only_wheels: bool = False,
) -> list[str]:
    """Install Clarion (editable) and what is named into the environment at `directory`.

    Args:
        directory: the environment.
        extras: names from `[project.optional-dependencies]`.
        groups: names from `[dependency-groups]` that must install.
        optional: names from `[dependency-groups]` whose packages may have no wheel here.
        only_wheels: build nothing from source. It could take minutes, and fail in the end.

    Returns:
        One line for each package of the extras and the optional groups that did not install.

    Raises:
        InstallError: something that is required did not install.
    """
    all_extras, all_groups = _project()
    pip: list[str | Path] = [python_of(directory), "-m", "pip", "install", "--quiet"]
    required = ["-e", str(ROOT), *(line for name in groups for line in all_groups[name])]
    wanted = [
        *(line for name in extras for line in all_extras[name]),
        *(line for name in optional for line in all_groups[name]),
    ]
    if not wanted:
        # Compiling all of them takes longer than the rest; Python compiles what it imports.
        quick = ["--only-binary", ":all:", "--no-compile"] if only_wheels else []
        got = _run([*pip, *quick, *required])
        if got.returncode:
            raise InstallError(f"pip could not install into {directory}:\n{got.stdout}")
        return []
    wheels = [part for line in wanted for part in ("--only-binary", _name(line))]
    if _run([*pip, *wheels, *required, *wanted]).returncode == 0:
        return []
    install(directory, groups=groups)
    failures = []
    for line in wanted:
        got = _run([*pip, "--only-binary", _name(line), line])
        if got.returncode:
            failures.append(f"{_name(line)} is not available: {_reason(got.stdout)}")
    return failures


def remove(directory: Path, *packages: str) -> None:
    """Take packages out of the environment at `directory` again, though others require them.

    Raises:
        InstallError: pip could not.
    """
    got = _run([python_of(directory), "-m", "pip", "uninstall", "--quiet", "--yes", *packages])
    if got.returncode:
        raise InstallError(f"pip could not remove {', '.join(packages)}:\n{got.stdout}")


def _name(requirement: str) -> str:
    end = next((i for i, c in enumerate(requirement) if c in " <>=!~;["), len(requirement))
    return requirement[:end]


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--extras", type=_names, default=[])
    parser.add_argument("--groups", type=_names, default=[])
    parser.add_argument("--optional", type=_names, default=[])
    parser.add_argument("--stamp", type=Path, help="file to touch on success")
    args = parser.parse_args()
    try:
        if not python_of(args.directory).exists():
            print(f"making {args.directory} with Python {sys.version.split()[0]}", flush=True)
            create(args.directory)
        what = ", ".join(["clarion", *args.extras, *args.groups, *args.optional])
        print(f"installing into {args.directory}: {what}", flush=True)
        for line in install(
            args.directory, extras=args.extras, groups=args.groups, optional=args.optional
        ):
            print(line)
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1
    if args.stamp:
        args.stamp.touch()
    return 0


if __name__ == "__main__":
    sys.exit(main())
