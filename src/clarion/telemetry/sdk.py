"""Many measurements at once, for the histograms of OpenTelemetry's SDK.

The API records one value at a time. The SDK keeps, for each set of attributes, an object with bucket counts, a sum, a
least and a greatest value; a batch is added to these in one step. That is not the SDK's API. So it is tried out once in
each process, with a meter of its own, before it is relied on; and where it does not give what single values give, or a
view makes something else of a histogram than buckets, values are recorded one by one.
"""

from __future__ import annotations

import functools
import logging
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["has_internals", "record_many"]

_LOG = logging.getLogger(__name__)

Labels = Mapping[str, str]
Batch = tuple[Labels, Sequence[float]]


def has_internals(meter: Any) -> bool:
    """Whether `meter` is one of the SDK's, and its histograms are as they are known here."""
    try:
        from opentelemetry.sdk.metrics import Meter
    except ImportError:
        return False
    return isinstance(meter, Meter) and _as_known()


@functools.cache
def _as_known() -> bool:
    """Try it out."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.resources import Resource

    values = [0.5, 3.0, 1.0, 0.25, 7.0]
    try:
        reader = InMemoryMetricReader()
        provider = MeterProvider([reader], Resource.get_empty(), shutdown_on_exit=False)
        meter = provider.get_meter(__name__)
        one, many = (
            meter.create_histogram(name, explicit_bucket_boundaries_advisory=[1, 2, 5])
            for name in ("one", "many")
        )
        labels = {"label": "value"}
        for value in values:
            one.record(value, labels)
        for at_once in (values[:3], values[3:]):
            if not _record_at_once(many, [(labels, at_once)]):
                return False
        data = reader.get_metrics_data()
        points = [
            metric.data.data_points for metric in data.resource_metrics[0].scope_metrics[0].metrics
        ]
        seen = [
            (point.count, point.sum, point.min, point.max, tuple(point.bucket_counts))
            for (point,) in points
        ]
        provider.shutdown()
    except Exception:
        _LOG.debug("this OpenTelemetry SDK takes one value at a time", exc_info=True)
        return False
    return len(seen) == 2 and seen[0] == seen[1]


def record_many(histogram: Any, batches: list[Batch]) -> None:
    """Record values in a histogram of the SDK.

    Args:
        histogram: see above.
        batches: labels, each with at least one value.
    """
    if batches and not _record_at_once(histogram, batches):
        for labels, values in batches:
            for value in values[1:]:
                histogram.record(value, labels)


def _record_at_once(histogram: Any, batches: list[Batch]) -> bool:
    """Record the first value of each batch, and the others unless it returns False."""
    for labels, values in batches:
        # So that the SDK makes what it keeps for the labels, by its own rules.
        histogram.record(values[0], labels)
    additions: list[tuple[Any, Sequence[float]]] = []
    for match in _matches(histogram):
        keys = match._view._attribute_keys
        with match._lock:
            known = {
                frozenset(kept._attributes.items()): kept
                for kept in match._attributes_aggregation.values()
            }
        for labels, values in batches:
            wanted = labels.items() if keys is None else _only(keys, labels)
            kept = known.get(frozenset(wanted))
            if not _is_buckets(kept):
                return False
            additions.append((kept, values[1:]))
    for kept, values in additions:
        _add(kept, values)
    return True


def _matches(histogram: Any) -> Iterable[Any]:
    """What the readers make of a histogram."""
    for storage in histogram._measurement_consumer._reader_storages.values():
        yield from storage._get_or_init_view_instrument_match(histogram)


def _only(keys: Iterable[str], labels: Labels) -> Iterable[tuple[str, str]]:
    return [(key, value) for key, value in labels.items() if key in keys]


def _is_buckets(kept: Any) -> bool:
    # By name: it is in a module whose place has changed before.
    return type(kept).__name__ == "_ExplicitBucketHistogramAggregation"


def _add(kept: Any, values: Sequence[float]) -> None:
    """Do what `aggregate` does for each value."""
    if not values:
        return
    boundaries = kept._boundaries
    with kept._lock:
        counts = kept._value
        if counts is None:
            # A reader has collected since the first value was recorded.
            counts = kept._value = [0] * (len(boundaries) + 1)
        ordered = sorted(values)
        before = 0
        # A boundary belongs to the bucket below it.
        for bucket in range(bisect_left(boundaries, ordered[0]), len(boundaries)):
            up_to = bisect_right(ordered, boundaries[bucket])
            counts[bucket] += up_to - before
            before = up_to
            if before == len(ordered):
                break
        counts[-1] += len(ordered) - before
        kept._sum += sum(values)
        if kept._record_min_max:
            kept._min = min(kept._min, ordered[0])
            kept._max = max(kept._max, ordered[-1])
