"""Batches of measurements: what is exported is what single measurements would have given."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk.metrics", reason="opentelemetry-sdk is not installed")

from opentelemetry.sdk.metrics import Histogram
from opentelemetry.sdk.metrics.export import AggregationTemporality
from opentelemetry.sdk.metrics.view import (
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)

from clarion.telemetry import batches as batches_module
from clarion.telemetry import sdk
from clarion.telemetry.batches import Batches
from support.libraries import LIMIT
from support.telemetry import Metrics

DURATION = "grpc.client.call.duration"
VALUES = [0.0004, 0.02, 0.02, 3.5, 0.1, 700.0, 0.0, 0.004]


def summary(point: Any) -> Any:
    values = [
        getattr(point, name, None)
        for name in ("count", "sum", "min", "max", "bucket_counts", "scale", "zero_count")
    ]
    return dict(point.attributes), values


def record(metrics: Metrics, *, batched: bool, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(batches_module, "has_internals", lambda meter: batched)
    batches = Batches(metrics.provider.get_meter("test"), [DURATION])
    batches.flush_when_collected()
    group = batches.group(DURATION)
    series = [
        group.series({"grpc.status": code, "grpc.method": code}) for code in ("OK", "ABORTED")
    ]
    seen = []
    for _ in range(2):
        for each in series:
            for value in VALUES:
                each.add((value,))
        seen.append([summary(point) for point in metrics.points().get(DURATION, [])])
    return seen


@pytest.mark.parametrize(
    "view",
    [
        None,
        View(
            instrument_name=DURATION,
            aggregation=ExplicitBucketHistogramAggregation([0.01, 1, 10], record_min_max=False),
        ),
        View(instrument_name=DURATION, attribute_keys={"grpc.status"}),
        View(instrument_name=DURATION, attribute_keys=set()),
        View(instrument_name=DURATION, aggregation=ExponentialBucketHistogramAggregation()),
        View(instrument_name=DURATION, aggregation=DropAggregation()),
    ],
)
@pytest.mark.parametrize(
    "temporality", [AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA]
)
def test_the_same_as_single_values(
    view: View | None, temporality: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = [
        record(
            Metrics([view] if view else [], preferred_temporality={Histogram: temporality}),
            batched=batched,
            monkeypatch=monkeypatch,
        )
        for batched in (True, False)
    ]
    assert len(seen[0]) == len(seen[1]) == 2
    for batched, single in zip(*seen, strict=True):
        assert [labels for labels, _ in batched] == [labels for labels, _ in single]
        for (_, values), (_, expected) in zip(batched, single, strict=True):
            # Sums of the same numbers in another order.
            assert values[1] == pytest.approx(expected[1])
            assert [*values[:1], *values[2:]] == [*expected[:1], *expected[2:]]
    assert bool(seen[0][0]) != (view is not None and "Drop" in type(view._aggregation).__name__)


def test_this_sdk_is_known() -> None:
    """Where this fails, the SDK has changed: metrics stay right, and cost more."""
    assert sdk.has_internals(Metrics().provider.get_meter("test"))


def test_an_sdk_that_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Metrics().provider.get_meter("test")
    sdk._as_known.cache_clear()
    monkeypatch.setattr(sdk, "_is_buckets", lambda kept: False)
    assert not sdk.has_internals(meter)
    sdk._as_known.cache_clear()
    monkeypatch.setattr(sdk, "_matches", lambda histogram: histogram.no_such_thing)
    assert not sdk.has_internals(meter)
    monkeypatch.undo()
    sdk._as_known.cache_clear()
    assert sdk.has_internals(meter)
    assert not sdk.has_internals("no meter")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.metrics", None)
    assert not sdk.has_internals(meter)


def test_full_batches_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """And threads that add at the same time lose nothing."""
    metrics = Metrics()
    batches = Batches(metrics.provider.get_meter("test"), [DURATION])
    group = batches.group(DURATION)
    series = group.series({"grpc.status": "OK"})

    def add() -> None:
        for _ in range(2000):
            series.add((0.5,))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive()
    # All but what is left of a batch is with the SDK already, and nothing is lost.
    (left,) = series.take() or [[]]
    assert len(left) < 8000
    assert metrics.points()[DURATION][0].count == 8000 - len(left)
    series.add((1.0,))
    batches.flush()
    assert metrics.points()[DURATION][0].count == 8001 - len(left)


def test_who_finds_another_at_it_leaves_it(caplog: pytest.LogCaptureFixture) -> None:
    batches = Batches(Metrics().provider.get_meter("test"), [DURATION])
    done: list[str] = []

    def outer() -> None:
        batches.exclusively(lambda: done.append("inner"), wait=False)
        done.append("outer")
        raise RuntimeError("not recorded")

    batches.exclusively(outer, wait=True)
    assert done == ["outer"]
    assert "could not be recorded" in caplog.text


def test_a_fork_while_somebody_records() -> None:
    """The lock of a thread that the child does not have keeps nobody out there."""
    batches = Batches(Metrics().provider.get_meter("test"), [DURATION])
    done: list[str] = []

    with batches._lock:
        batches_module._renew_lock(batches)
        batches.exclusively(lambda: done.append("child"), wait=False)
    batches_module._renew_lock(None)
    assert done == ["child"]


@pytest.mark.parametrize(
    "values",
    [
        [0.5, 0.0, 1.0, 1.5, 2.0, 5.0, 5.5, 9.0],
        [7.0] * 4,
        [0.0] * 4,
        [3.0] * 4,
        [5.0, 5.0],
        [1.0],
    ],
)
def test_buckets_are_those_of_single_values(values: list[float]) -> None:
    metrics = Metrics()
    meter = metrics.provider.get_meter("test")
    one, many = (
        meter.create_histogram(name, explicit_bucket_boundaries_advisory=[1, 2, 5])
        for name in ("one", "many")
    )
    for value in values:
        one.record(value, {"a": "b"})
    sdk.record_many(many, [({"a": "b"}, values)])
    collected = metrics.points()
    (expected,), (seen,) = collected["one"], collected["many"]
    assert list(seen.bucket_counts) == list(expected.bucket_counts)
    assert (seen.count, seen.sum, seen.min, seen.max) == (
        len(values),
        sum(values),
        min(values),
        max(values),
    )
