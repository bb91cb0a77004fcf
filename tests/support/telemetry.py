"""Providers of OpenTelemetry's SDK that keep what they get."""

from __future__ import annotations

import threading
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

__all__ = ["Metrics", "Spans"]


class Metrics:
    """Metrics.

    Args:
        views: of the meter provider.
        more: of its reader.
    """

    def __init__(self, views: Any = (), **more: Any) -> None:
        self._reader = InMemoryMetricReader(**more)
        self.provider = MeterProvider(
            [self._reader], Resource.get_empty(), shutdown_on_exit=False, views=views
        )

    def collect(self) -> dict[str, Any]:
        """The metrics there are, by name."""
        data = self._reader.get_metrics_data()
        if data is None:
            return {}
        return {
            metric.name: metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self) -> dict[str, list[Any]]:
        """The points of each metric, by name, in the order of their labels."""
        return {
            name: sorted(
                metric.data.data_points, key=lambda point: sorted(point.attributes.items())
            )
            for name, metric in self.collect().items()
        }


class Spans(SpanProcessor):
    """Spans that ended, in that order."""

    def __init__(self) -> None:
        self.provider = TracerProvider(resource=Resource.get_empty(), shutdown_on_exit=False)
        self.provider.add_span_processor(self)
        self.tracer = self.provider.get_tracer(__name__)
        self._ended: list[ReadableSpan] = []
        self._changed = threading.Condition()

    def on_end(self, span: ReadableSpan) -> None:
        with self._changed:
            self._ended.append(span)
            self._changed.notify_all()

    def wait_for(self, *names: str) -> list[Any]:
        """The first span of each name, once they have ended."""

        def found() -> list[Any] | None:
            spans = []
            for name in names:
                span = next((each for each in self._ended if each.name == name), None)
                if span is None:
                    return None
                spans.append(span)
            return spans

        with self._changed:
            spans = self._changed.wait_for(found, 30)
        assert spans, f"not all of {names}: {[span.name for span in self._ended]}"
        return spans

    def all(self, name: str) -> list[Any]:
        """All spans of that name that ended."""
        return [span for span in self._ended if span.name == name]
