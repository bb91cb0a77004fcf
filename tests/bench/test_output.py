"""The table lines up, the chart is well-formed, and neither tells where the run was made."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.harness.chart import chart
from bench.harness.machine import describe
from bench.harness.ratios import Row
from bench.harness.table import HEADINGS, document, markdown, number

SVG = "{http://www.w3.org/2000/svg}"


def row(ratio: float | None, *, more: bool = True, target: float | None = None) -> Row:
    return Row(
        metric="server-4x32",
        title="Server <&> unary",
        label="aio",
        more_is_better=more,
        ratio=ratio,
        variant="clarion-aio",
        plain_ratio=ratio,
        baseline="grpcio-aio",
        target=target,
        floor=None,
        result="pass" if target else "",
        peers={"grpclib": None, "grpc-js": 2.0, "grpc-go": 0.8},
    )


ROWS = [row(12.5, target=8.0), row(0.02, more=False), row(0.5), row(None, target=4.0)]


def test_table_lines_up() -> None:
    lines = markdown(ROWS).splitlines()
    assert len(lines) == 2 + len(ROWS)
    assert len({len(line) for line in lines}) == 1
    assert {line.count("|") for line in lines} == {len(HEADINGS) + 1}
    assert ">= 8x" in lines[2]
    assert "less is better" in lines[3]


@pytest.mark.parametrize(
    ("ratio", "text"), [(None, "-"), (12.54, "12.5x"), (0.0834, "0.0834x"), (1234.5, "1234x")]
)
def test_number(ratio: float | None, text: str) -> None:
    assert number(ratio) == text


def test_chart_is_well_formed_with_a_bar_and_a_label_for_each_ratio() -> None:
    root = ElementTree.fromstring(chart(ROWS))
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert texts.count("Server <&> unary (aio)") == 3
    assert {"12.5x", "50x", "0.5x"} <= set(texts)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for box in root.iter(f"{SVG}rect"):
        x, y, w, h = (float(box.attrib[name]) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height


def test_chart_without_ratios_says_so() -> None:
    assert "No ratio" in chart([row(None)])
    ElementTree.fromstring(chart([]))


def test_document_has_the_table_the_machine_and_what_is_missing() -> None:
    machine = {"CPUs": "2"}
    failures = {key: {"grpclib": "1 requests failed"} for key in ("server-4x32", "server-cpu")}
    text = document(ROWS, machine, {"grpc-go": "Go is not on the path"}, failures)
    assert markdown(ROWS) in text
    assert "- CPUs: 2" in text
    assert "- skipped: grpc-go: Go is not on the path" in text
    titles = "Server, unary, 4 x 32; Server CPU per unary RPC"
    assert f"- invalid: grpclib: 1 requests failed [{titles}]" in text


def test_machine_tells_no_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    facts = describe()
    assert "Python" in facts
    assert not any(str(Path.cwd()) in value for value in facts.values())
