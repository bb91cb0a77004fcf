"""The `clarion` command itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clarion import protoc
from clarion._version import __version__
from clarion.cli import main
from support.limits import CHILD_SECONDS


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"clarion {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_the_commands(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: clarion ")
    assert "protoc" in out


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bogus"]) == 2
    assert "bogus" in capsys.readouterr().err


def test_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "clarion", "bogus"],
        capture_output=True,
        text=True,
        check=False,
        timeout=CHILD_SECONDS,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python -m clarion ")


def test_nothing_heavy_is_imported_for_the_version() -> None:
    program = (
        "import sys\nfrom clarion.cli import main\nmain(['--version'])\n"
        "print([name for name in sys.modules if name.startswith(('clarion.codegen', 'clarion.cli.'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=CHILD_SECONDS,
    )
    assert done.stdout.splitlines() == [f"clarion {__version__}", "[]"]


def test_the_process_arguments_are_the_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["clarion", "--version"])
    assert main() == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "passed_on"),
    [
        (["-I.", "a.proto"], ["-I.", "a.proto"]),
        (["", "-I.", "a.proto"], ["-I.", "a.proto"]),
        (("grpc_tools.protoc", "-I.", "a.proto"), ["-I.", "a.proto"]),
        (["a.proto"], ["a.proto"]),
        (["@list.txt"], ["@list.txt"]),
        ([], []),
        (None, ["from", "argv"]),
    ],
)
def test_protoc_main_takes_arguments_with_and_without_a_program_name(
    given: list[str] | None, passed_on: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def record(arguments: list[str], *, prog: str) -> int:
        calls.append((arguments, prog))
        return 7

    monkeypatch.setattr(protoc, "run", record)
    monkeypatch.setattr(sys, "argv", ["protoc.py", "from", "argv"])
    assert protoc.main(given) == 7
    assert calls == [(passed_on, "python -m clarion.protoc")]
