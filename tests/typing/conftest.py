"""Both type checkers, each run once over all programs in this folder.

Rules: nothing is checked with this project's own configuration but with the strictest of each checker, as a user has
it. Programs are copied beside code that is generated for them. What a program says in comments, `E: mypy[code]
pyright[rule]`, is what its line must be reported for, and nothing else.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

import clarion
from clarion.cli import main
from clarion.cli._protoc_binary import ProtocNotFoundError, find_protoc
from clarion.replace import FOLDER

HERE = Path(__file__).parent
PACKAGE = Path(clarion.__file__).parent
MESSAGES = HERE.parent / "codegen/protos"
_SECONDS = 240
# The modules whose `__all__` is public.
_PUBLIC = ("clarion", "clarion.aio", "clarion.codecs", "clarion.experimental")

_MYPY_LINE = re.compile(
    r"(?P<file>[^:\n]+):(?P<line>\d+): error: (?P<text>.*?)  \[(?P<code>[\w-]+)\]"
)


@dataclass
class Report:
    """One error: in which line of a program, the checker's name for its kind, and its text."""

    line: int
    code: str
    text: str


Reports = dict[str, list[Report]]
"""By file."""


@dataclass
class Checked:
    """What the checkers said.

    Attributes:
        reports: by checker.
        completeness: pyright's report on the types of the public API.
    """

    reports: dict[str, Reports]
    completeness: dict[str, object]


def _need(*distributions: str) -> None:
    for name in distributions:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(
                f"{name} is not installed here; type checkers run on one Python, the newest of `make test`"
            )


def _generate(workspace: Path) -> None:
    outputs = [f"--python_out={workspace}", f"--grpc_python_out={workspace}"]
    types = f"--pyi_out={workspace}"
    assert main(["protoc", f"-I{HERE}", *outputs, types, "places.proto", "quotes.proto"]) == 0
    assert main(["protoc", f"-I{HERE}", *outputs, "other.proto"]) == 0
    out = f"--out={workspace / 'generated'}"
    assert main(["generate", "--quiet", f"-I{MESSAGES}", out, str(MESSAGES / "typed")]) == 0
    shutil.copytree(HERE / "hooked", workspace / "hooked")
    assert main(["stubs", str(workspace / "hooked")]) == 0


def _generate_by_mypy_protobuf(workspace: Path) -> None:
    # protoc looks for plugins on PATH.
    plugins = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ.get('PATH', '')}"
    outputs = [f"--{kind}_out={workspace}" for kind in ("pyi", "mypy_grpc")]
    subprocess.run(
        [find_protoc(), f"-I{HERE}", *outputs, "other.proto"],
        env={**os.environ, "PATH": plugins},
        check=True,
        capture_output=True,
    )


def _facade(folder: Path) -> None:
    """A package that exports what is public, because every module of `clarion` counts as public otherwise."""
    folder.mkdir()
    (folder / "py.typed").touch()
    for name in _PUBLIC:
        module = importlib.import_module(name)
        own = name.removeprefix("clarion").removeprefix(".") or "__init__"
        lines = [f"from {name} import {each} as {each}" for each in sorted(module.__all__)]
        (folder / f"{own}.py").write_text("\n".join(lines) + "\n")


def _start(workspace: Path, *command: str) -> subprocess.Popen[str]:
    paths = [str(workspace), FOLDER, str(PACKAGE.parent)]
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=workspace,
        env={
            **os.environ,
            "MYPYPATH": os.pathsep.join(paths),
            "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
            "PYTHONPATH": os.pathsep.join([*paths, os.environ.get("PYTHONPATH", "")]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=_SECONDS)
    # 1: there are errors. Anything else: the checker itself failed.
    assert process.returncode in (0, 1), output + errors
    return output


def _read_mypy(output: str) -> Reports:
    found: Reports = defaultdict(list)
    for match in _MYPY_LINE.finditer(output):
        report = Report(int(match["line"]), match["code"], match["text"])
        found[Path(match["file"]).name].append(report)
    return found


def _read_pyright(output: str) -> Reports:
    found: Reports = defaultdict(list)
    for each in json.loads(output)["generalDiagnostics"]:
        if each["severity"] == "error":
            line = each["range"]["start"]["line"] + 1
            report = Report(line, each.get("rule", "syntax"), each["message"])
            found[Path(each["file"]).name].append(report)
    return found


def programs(folder: str) -> list[str]:
    """The names of the programs in a folder beside this file."""
    return sorted(path.name for path in (HERE / folder).glob("*.py"))


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all programs, and the code that is generated for them."""
    try:
        find_protoc()
    except ProtocNotFoundError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("typing")
    _generate(folder)
    for name in ("accepted", "rejected"):
        for program in programs(name):
            shutil.copy(HERE / name / program, folder / program)
    return folder


@pytest.fixture(scope="session")
def checked(workspace: Path, pytestconfig: pytest.Config) -> Checked:
    """Both checkers' reports on all programs, and on the completeness of the public API's types."""
    _need("mypy", "pyright", "mypy-protobuf", "types-protobuf")
    _generate_by_mypy_protobuf(workspace)
    _facade(workspace / "facade")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    names = [*programs("accepted"), *programs("rejected"), "places_pb2_grpc.pyi"]
    names += ["quotes_pb2_grpc.pyi", "generated"]
    configuration = {
        "typeCheckingMode": "strict",
        "include": names,
        "pythonVersion": version,
        "extraPaths": [str(workspace), FOLDER, str(PACKAGE.parent)],
        # Types of protobuf come from their own distribution; whether the library is there too is no matter.
        "reportMissingModuleSource": "none",
    }
    (workspace / "pyrightconfig.json").write_text(json.dumps(configuration))
    # Types of clarion and of the standard library need no second look in the next run.
    kept = getattr(pytestconfig, "cache", None)
    cache = kept.mkdir("typing") if kept is not None else workspace / "cache"
    processes = {
        "mypy": _start(
            workspace,
            "mypy",
            "--strict",
            # pyright's strict reports it, too.
            "--enable-error-code=deprecated",
            "--no-error-summary",
            "--hide-error-context",
            "--no-pretty",
            f"--python-version={version}",
            f"--cache-dir={cache / 'mypy'}",
            "--config-file=",
            *names,
        ),
        "pyright": _start(workspace, "pyright", "--outputjson", f"--project={workspace}"),
        "completeness": _start(workspace, "pyright", "--outputjson", "--verifytypes=facade"),
    }
    output = {name: _finish(process) for name, process in processes.items()}
    return Checked(
        {"mypy": _read_mypy(output["mypy"]), "pyright": _read_pyright(output["pyright"])},
        json.loads(output["completeness"])["typeCompleteness"],
    )
