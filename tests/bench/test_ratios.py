"""Ratios are taken against the better of grpcio's variants, in the direction the target states."""

from __future__ import annotations

import pytest

from bench.harness.implementations import Implementation, candidates
from bench.harness.metrics import METRICS
from bench.harness.ratios import Row, best, rows, verdict
from bench.harness.samples import Samples

ALL: list[Implementation] = candidates()


def row(metric: str, figures: dict[str, list[float]], label: str) -> Row:
    samples = Samples()
    for name, values in figures.items():
        for value in values:
            samples.add(metric, name, value)
    return next(r for r in rows([metric], ALL, samples) if r.label == label)


def test_best_of_each_side_and_front_end() -> None:
    figures = {
        "grpcio-sync": [900.0],
        "grpcio-aio": [100.0],
        "grpcio-aio-uvloop": [150.0, 200.0],
        "clarion-aio": [1000.0],
        "clarion-aio-uvloop": [1800.0, 1700.0],
        "grpc-go": [3600.0],
    }
    found = row("server-4x32", figures, "aio")
    assert found.baseline == "grpcio-aio-uvloop"
    assert found.variant == "clarion-aio-uvloop"
    assert found.ratio == pytest.approx(9.0)
    assert found.plain_ratio == pytest.approx(5.0)
    assert found.result == "pass"
    assert found.peers == {"grpclib": None, "grpc-js": None, "grpc-go": pytest.approx(0.5)}


def test_where_no_front_end_is_named_all_of_grpcio_is_the_baseline() -> None:
    figures = {"grpcio-sync": [900.0], "grpcio-aio": [100.0], "clarion-aio": [1800.0]}
    found = row("server-down", figures, "aio")
    assert found.baseline == "grpcio-sync"
    assert found.ratio == pytest.approx(2.0)
    assert found.result == "fail"


def test_less_is_better() -> None:
    figures = {"grpcio-sync": [250.0, 200.0], "clarion-sync": [100.0, 120.0]}
    found = row("client-sequential", figures, "sync")
    assert found.ratio == pytest.approx(0.5)
    assert found.advantage == pytest.approx(2.0)
    assert found.target_advantage == pytest.approx(1 / 0.6)
    assert found.result == "pass"


def test_the_floor_counts_where_waking_is_what_bounds() -> None:
    figures = {"grpcio-aio": [100.0], "clarion-aio": [150.0], "floor": [300.0]}
    assert row("server-pingpong-1", figures, "aio").floor == pytest.approx(3.0)
    assert row("server-down", figures, "aio").floor is None


def test_memory_is_the_median() -> None:
    assert METRICS["memory-stream"].summary([1.0, 9.0, 5.0]) == 5.0


def test_missing_sides_give_no_ratio() -> None:
    found = row("server-4x32", {"grpcio-sync": [5.0]}, "sync")
    assert found.ratio is None
    assert found.advantage is None
    assert found.result == "no data"
    assert row("server-4x32", {"clarion-sync": [5.0]}, "sync").ratio is None


def test_one_failed_repetition_makes_the_row_invalid() -> None:
    samples = Samples()
    for name in ("grpcio-aio", "clarion-aio", "clarion-aio-uvloop"):
        samples.add("server-4x32", name, 10.0)
    samples.fail("server-4x32", "clarion-aio", "3 requests failed")
    found = rows(["server-4x32"], ALL, samples)[1]
    assert found.variant == "clarion-aio-uvloop"
    assert found.plain_ratio is None
    assert found.result == "invalid"


@pytest.mark.parametrize(
    ("metric", "ratio", "target", "result"),
    [
        ("server-4x32", 8.0, 8.0, "pass"),
        ("server-4x32", 7.99, 8.0, "fail"),
        ("client-sequential", 0.6, 0.6, "pass"),
        ("client-sequential", 0.61, 0.6, "fail"),
        ("server-4x32", None, 8.0, "no data"),
        ("server-4x32", 3.0, None, ""),
    ],
)
def test_verdict(metric: str, ratio: float | None, target: float | None, result: str) -> None:
    assert verdict(METRICS[metric], ratio, target) == result


def test_best_of_nothing() -> None:
    assert best(METRICS["server-4x32"], {}) is None


def test_a_figure_that_is_a_ratio_already_is_compared_with_nobody() -> None:
    figures = {"grpcio-aio": [0.5], "clarion-aio": [0.9, 0.97, 0.98], "clarion-sync": [0.8]}
    found = row("picks-retries-concurrent", figures, "aio")
    assert found.ratio == pytest.approx(0.97)
    assert found.baseline == "no retryPolicy"
    assert found.result == "pass"
    assert row("picks-retries-concurrent", figures, "sync").result == "fail"
