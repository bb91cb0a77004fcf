"""Metrics that load-balancing policies tell of themselves (gRFCs A78, A79, A91)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from clarion.call_tracing import PolicyMetrics
from clarion.load_balancing import PolicyMetric
from clarion.telemetry.labels import Labelling

__all__ = ["PolicyRecorder"]

Labels = Mapping[str, str]
Record = Callable[[float, Labels], None]


class PolicyRecorder:
    """Instruments for what policies tell, each made when it is first told. It is seldom, so nothing is kept in batches.

    Args:
        meter: an OpenTelemetry `Meter`.
        wanted: the names of experimental metrics that are to be recorded; others are recorded anyway.
        labelling: the labels.
    """

    def __init__(self, meter: Any, wanted: Iterable[str], labelling: Labelling) -> None:
        self._meter = meter
        self._wanted = frozenset(wanted)
        self._labelling = labelling
        self._instruments: dict[str, Record] = {}
        self._making = threading.Lock()

    def of(self, target: str) -> PolicyMetrics:
        """Records what policies of channels to `target` tell."""
        common = {"grpc.target": self._labelling.target(target)}

        def record(metric: PolicyMetric, value: float, labels: Labels) -> None:
            if metric.experimental and metric.name not in self._wanted:
                return
            instrument = self._instruments.get(metric.name) or self._make(metric)
            names = (*metric.labels, *self._labelling.wanted(metric.optional_labels))
            instrument(value, {**common, **{name: labels.get(name, "") for name in names}})

        return record

    def _make(self, metric: PolicyMetric) -> Record:
        with self._making:
            made = self._instruments.get(metric.name)
            if made is None:
                made = self._instruments[metric.name] = self._instrument(metric)
            return made

    def _instrument(self, metric: PolicyMetric) -> Record:
        name, unit, description = metric.name, metric.unit, metric.description
        if metric.histogram:
            boundaries = metric.boundaries or None
            histogram = self._meter.create_histogram(
                name, unit, description, explicit_bucket_boundaries_advisory=boundaries
            )
            return histogram.record  # type: ignore[no-any-return]
        return self._meter.create_counter(name, unit, description).add  # type: ignore[no-any-return]
