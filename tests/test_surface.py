"""The comparison of Clarion's public API with grpcio's is true, and so is the page that shows it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

_TOOLS = Path(__file__).parent.parent / "tools"


@pytest.fixture(scope="module")
def tool() -> Any:
    sys.path.insert(0, str(_TOOLS))
    try:
        import compare_surface
    finally:
        sys.path.remove(str(_TOOLS))
    return compare_surface


def function(*parameters: tuple[str, str, str | None], **more: Any) -> dict[str, Any]:
    return {"kind": "function", "signature": [list(each) for each in parameters], **more}


def a_class(*ancestors: str, abstract: tuple[str, ...] = (), **members: Any) -> dict[str, Any]:
    return {"kind": "class", "is": list(ancestors), "abstract": list(abstract), "members": members}


# What there is


def test_every_name_is_there_or_excused(tool: Any) -> None:
    _, theirs, reasons = tool.load()
    assert tool.compare(theirs, tool.clarion_surface(), reasons).problems == []


def test_the_page_is_up_to_date(tool: Any) -> None:
    version, theirs, reasons = tool.load()
    ours = tool.clarion_surface()
    page = tool.page(version, tool.compare(theirs, ours, reasons), ours, theirs)
    assert tool.PAGE.read_text(encoding="utf-8") == page, "run 'make surface'"


def test_the_snapshot_is_grpcios_surface(tool: Any) -> None:
    grpc = pytest.importorskip("grpc", reason="grpcio has no wheel for this interpreter")
    version, theirs, _ = tool.load()
    if grpc.__version__ != version:
        pytest.skip(f"grpcio {grpc.__version__} is installed; the comparison is with {version}")
    assert tool.grpcio_surface() == (version, theirs)


# How it is compared


def differences(tool: Any, theirs: Any, ours: Any) -> list[str]:
    rows = tool.compare({"grpc": {"x": theirs}}, {"grpc": {"x": ours}}, {"grpc.x": "why"}).rows
    return [row.differs for row in rows["grpc"] if row.differs]


def test_what_is_the_same(tool: Any) -> None:
    entry = a_class("Exception", close=function(("grace", "", "None")))
    comparison = tool.compare({"grpc": {"x": entry}}, {"grpc": {"x": entry}}, {})
    assert [row.name for row in comparison.rows["grpc"]] == ["grpc.x", "grpc.x.close"]
    assert not any(row.differs or row.missing for row in comparison.rows["grpc"])
    assert comparison.problems == []


def test_what_is_missing(tool: Any) -> None:
    theirs = {"grpc": {"x": a_class(close=function()), "y": function()}}
    ours = {"grpc": {"x": a_class()}}
    assert tool.compare(theirs, ours, {}).problems == [
        "grpc.x.close is missing; tools/surface_exceptions.toml says no why",
        "grpc.y is missing; tools/surface_exceptions.toml says no why",
    ]
    excused = tool.compare(theirs, ours, {"grpc.x": "because", "grpc.y": "so"})
    assert excused.problems == []
    assert [row.reason for row in excused.rows["grpc"] if row.missing] == ["because", "so"]


def test_an_exception_that_is_not_needed(tool: Any) -> None:
    names = {"grpc": {"x": function()}}
    assert tool.compare(names, names, {"grpc.x": "because"}).problems == [
        "grpc.x is in tools/surface_exceptions.toml, but is neither missing nor different"
    ]


@pytest.mark.parametrize(
    ("theirs", "ours", "found"),
    [
        (function(("a", "", None)), function(("b", "", None)), "takes `(b)`"),
        (function(("a", "", "None")), function(("a", "", "0")), "takes `(a=0)`"),
        (function(("a", "", None)), function(("a", "keyword-only", None)), "takes `(*, a)`"),
        (function(("a", "", None)), function(("a", "positional-only", None)), "takes `(a, /)`"),
        (function(), function(("a", "*", None), ("b", "**", None)), "takes `(*a, **b)`"),
        (function(), function(**{"async": True}), "a coroutine function"),
        (function(**{"async": True}), function(), "not a coroutine function"),
        (function(), a_class(), "is a class, not a function"),
        (a_class("Exception"), a_class(), "is no Exception"),
        (a_class(), a_class(abstract=("close",)), "abstract besides: close"),
        (
            {"kind": "enum", "is": [], "values": {"A": "1", "B": "2"}},
            {"kind": "enum", "is": [], "values": {"A": "5"}},
            "has no B; A is 5, not 1",
        ),
    ],
)
def test_what_differs(tool: Any, theirs: Any, ours: Any, found: str) -> None:
    assert differences(tool, theirs, ours) == [found]


def test_a_signature_that_is_not_told_is_not_compared(tool: Any) -> None:
    assert differences(tool, {"kind": "function"}, function(("a", "", None))) == []
