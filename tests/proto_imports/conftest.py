"""Packages with .proto files. Message classes are registered once for the whole process, so each test has names of its
own: a package `NAME`, given by the test, whose name the files' protobuf packages begin with.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

import clarion
from clarion.cli._protoc_binary import ProtocNotFoundError, find_protoc


@dataclass
class ProtoTree:
    """A folder on `sys.path`, with packages that import .proto files."""

    root: Path

    def package(self, name: str, **options: object) -> Path:
        """Make a package that calls `import_protos`."""
        folder = self.root.joinpath(*name.split("."))
        folder.mkdir(parents=True)
        for parent in folder.relative_to(self.root).parents:
            if parent.parts:
                self.root.joinpath(parent, "__init__.py").touch()
        given = "".join(f", {key}={value!r}" for key, value in options.items())
        (folder / "__init__.py").write_text(
            f"import clarion\nclarion.import_protos(__name__{given})\n"
        )
        return folder

    def write(self, path: str, text: str) -> Path:
        """Write a proto3 file; its first line is the syntax."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('syntax = "proto3";\n' + dedent(text), encoding="utf-8")
        return file

    def run(self, program: str, **environment: str) -> str:
        """Run a program in a process of its own; return what it prints."""
        paths = [str(self.root), str(Path(clarion.__file__).parent.parent)]
        done = subprocess.run(
            [sys.executable, "-c", dedent(program)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def protoc() -> Path:
    """protoc; the test is skipped where there is none."""
    try:
        return find_protoc()
    except ProtocNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protoc: Path) -> Iterator[ProtoTree]:
    """An empty folder on `sys.path`; what is imported from it is forgotten, and nothing goes to the user's cache."""
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.syspath_prepend(root)
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "user"))
    before = set(sys.modules)
    yield ProtoTree(root)
    tops = {path.name for path in root.iterdir()}
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in tops:
            del sys.modules[name]
    for finder in sys.meta_path:
        for name in list(getattr(finder, "packages", ())):
            if name.partition(".")[0] in tops:
                del finder.packages[name]


@pytest.fixture
def count_protoc(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Tells how often protoc ran in this process since."""
    runs: list[object] = []
    start = subprocess.run

    def run(*args: object, **options: object) -> object:
        runs.append(args)
        return start(*args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", run)
    return lambda: len(runs)
