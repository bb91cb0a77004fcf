"""`python -m clarion.as_grpc` against Python itself: the same program, run both ways, must not see a difference."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from clarion.replace import FOLDER
from support.processes import python_environment

# A child may take a minute, and what became of it is still to be shown.
pytestmark = pytest.mark.timeout(180)

# `grpc` is not imported here: these programs have to run without as_grpc too.
PROGRAM = f"""
import sys

print(sys.argv, __name__, __file__, __spec__ and __spec__.name, __package__, type(__loader__))
print(sorted(name for name in globals() if name.startswith("__")), __cached__)
print([entry for entry in sys.path if entry != {FOLDER!r}], sys.flags.safe_path)
assert sys.modules["__main__"].__dict__ is globals()


def inner(how):
    if how == "raise":
        raise ValueError("wrong")
    if how == "exit":
        sys.exit(7)
    if how == "message":
        sys.exit("a message")
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "cause":
        try:
            inner("raise")
        except ValueError as error:
            raise LookupError from error


inner(sys.argv[-1])
"""


def python(folder: Path, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**python_environment(), "PYTHON_COLORS": "0"},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def without_runpy(text: str) -> str:
    """A traceback without the frames that Python's own `-m` shows above the program's."""
    lines = text.splitlines(True)
    return "".join(line for line in lines if not line.startswith('  File "<frozen runpy>"'))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    for package in "package", "directory":
        (tmp_path / package).mkdir()
        (tmp_path / package / "__main__.py").write_text(PROGRAM)
    (tmp_path / "package/__init__.py").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/__init__.py").touch()
    py_compile.compile(str(tmp_path / "program.py"), str(tmp_path / "compiled.pyc"))
    with zipfile.ZipFile(tmp_path / "archive.pyz", "w") as archive:
        archive.writestr("__main__.py", PROGRAM)
    (tmp_path / "broken.py").write_text("x = = 1\n")
    (tmp_path / "fails_on_import.py").write_text("import nothing_of_that_name\n")
    if os.name != "nt":
        (tmp_path / "directory/link.py").symlink_to("../program.py")
    return tmp_path


STARTS = {
    "script": ["program.py"],
    "absolute": ["{folder}/program.py"],
    "symlink": ["directory/link.py"],
    "compiled": ["compiled.pyc"],
    "directory": ["directory"],
    "archive": ["archive.pyz"],
    "module": ["-m", "program"],
    "package": ["-m", "package"],
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_programs(folder: Path, start: list[str]) -> None:
    if start == STARTS["symlink"] and os.name == "nt":
        pytest.skip("symbolic links need a privilege on Windows")
    arguments = [part.format(folder=folder) for part in start]
    expected = python(folder, *arguments, "-x", "raise")
    got = python(folder, "-m", "clarion.as_grpc", *arguments, "-x", "raise")
    assert got == (*expected[:2], without_runpy(expected[2]))
    assert expected[0] == 1


@pytest.mark.parametrize("how", ["plain", "exit", "message", "interrupt", "cause"])
def test_ways_to_end(folder: Path, how: str) -> None:
    expected = python(folder, "program.py", how)
    assert python(folder, "-m", "clarion.as_grpc", "program.py", how) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere.py"],
        ["broken.py"],
        ["fails_on_import.py"],
        ["empty"],
        ["-m", "nothing_of_that_name"],
        ["-m", "empty"],
        ["-m", "nothing_of_that_name.child"],
        ["-c", "import sys; print(sys.argv, sys.path[0], __name__)", "-a", "b"],
        ["-c", "import sys; sys.exit(3)"],
        ["-c", "1 / 0"],
        ["-", "a"],
    ],
    ids=" ".join,
)
def test_other_ways_to_start(folder: Path, arguments: list[str]) -> None:
    stdin = "import sys\nprint(sys.argv, sys.path[0])\nsys.exit(4)\n"
    expected = python(folder, *arguments, stdin=stdin)
    assert python(folder, "-m", "clarion.as_grpc", *arguments, stdin=stdin) == expected


@pytest.mark.parametrize("start", [["program.py"], ["directory"]], ids=["script", "directory"])
def test_safe_path(folder: Path, start: list[str]) -> None:
    expected = python(folder, "-P", *start)
    assert python(folder, "-P", "-m", "clarion.as_grpc", *start) == expected


@pytest.mark.parametrize("arguments", [[], ["-m"], ["-c"]], ids=["none", "m", "c"])
def test_usage(folder: Path, arguments: list[str]) -> None:
    code, output, errors = python(folder, "-m", "clarion.as_grpc", *arguments)
    assert (code, output) == (2, "")
    assert errors.startswith("usage: python -m clarion.as_grpc")
    code, output, _ = python(folder, "-m", "clarion.as_grpc", "--help")
    assert code == 0
    assert output.startswith("usage: python -m clarion.as_grpc")


def test_grpc_is_clarion_in_children_too(folder: Path) -> None:
    (folder / "parent.py").write_text(
        "import multiprocessing\n"
        "import grpc\n"
        "def work(number):\n"
        "    import grpc.aio\n"
        "    assert grpc.__clarion__ and grpc.aio.__clarion__\n"
        "    return number + 1\n"
        "if __name__ == '__main__':\n"
        "    assert grpc.__clarion__\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(work, [1, 2]))\n"
    )
    got = python(folder, "-m", "clarion.as_grpc", "parent.py")
    assert got == (0, "[2, 3]\n", "")
