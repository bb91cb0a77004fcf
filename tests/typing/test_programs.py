"""Strict type checkers accept programs that use the API as documented, and find mistakes where they are.

The accepted programs say with `assert_type` what type a call has where it is made. They are not run, but loaded: what
type checkers accept has to exist.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    # As `conftest` has it; the fixture's type alone is needed.
    from typing import Any

    Checked = Any

HERE = Path(__file__).parent
CHECKERS = ("mypy", "pyright")
_EXPECTED = re.compile(r"(?P<checker>mypy|pyright)\[(?P<codes>[\w,-]+)\]")

_GENERATED = (
    "places_pb2_grpc.pyi",
    "quotes_pb2_grpc.pyi",
    "awkward_names_pb2.pyi",
    "classic_pb2.pyi",
    "edition_2023_pb2.pyi",
    "edition_2024_pb2.pyi",
    "modern_pb2.py",
    "modern_pb2.pyi",
    "other_pb2.pyi",
    "through_pb2.pyi",
)

# What pyright says of the rest of an expression whose mistake it has reported.
_CONSEQUENCES = ("reportUnknown", "reportUnusedVariable")

# One Python checks for all: the checkers are installed there alone. The first test waits for all of them.
pytestmark = pytest.mark.timeout(300)


def _programs(folder: str) -> list[str]:
    return sorted(path.name for path in (HERE / folder).glob("*.py"))


def _expected(path: Path, checker: str) -> dict[int, set[str]]:
    expected = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        _, mark, comment = line.partition("# E: ")
        for match in _EXPECTED.finditer(comment) if mark else ():
            if match["checker"] == checker:
                expected[number] = set(match["codes"].split(","))
    return expected


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("program", [*_programs("accepted"), *_GENERATED])
def test_a_program_is_accepted(program: str, checker: str, checked: Checked) -> None:
    assert checked.reports[checker].get(program, []) == []


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("program", _programs("rejected"))
def test_a_mistake_is_found_where_it_is(program: str, checker: str, checked: Checked) -> None:
    expected = _expected(HERE / "rejected" / program, checker)
    assert expected
    found: dict[int, set[str]] = {}
    reports = checked.reports[checker].get(program, [])
    for report in reports:
        if report.code.startswith(_CONSEQUENCES):
            continue
        found.setdefault(report.line, set()).add(report.code)
    assert found == expected, reports


def test_everything_public_has_a_type(checked: Checked) -> None:
    symbols = [
        symbol
        for symbol in checked.completeness["symbols"]
        if not symbol["name"].startswith("google.")
    ]
    assert len(symbols) > 500
    # types-protobuf knows the constructors of its descriptors in part; nobody calls them.
    of_descriptors = ("facade.method_descriptor", "facade.reflect", "clarion.reflection.")
    assert [
        (symbol["name"], [each["message"] for each in symbol["diagnostics"]])
        for symbol in symbols
        if symbol["isTypeAmbiguous"]
        or (not symbol["isTypeKnown"] and not symbol["name"].startswith(of_descriptors))
    ] == []


def test_accepted_programs_load(workspace: Path) -> None:
    modules = [name.removesuffix(".py") for name in _programs("accepted")]
    program = f"import clarion; clarion.install_as_grpc(); import {', '.join(modules)}"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=workspace,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
