"""Metrics of the calls to a server (gRFC A66)."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from clarion.call_tracing import (
    Fields,
    MethodMeasure,
    ServerCallStart,
    ServerCallTracer,
    ServerMeasure,
    Stream,
)
from clarion.status import StatusCode
from clarion.telemetry.batches import FULL, Batches, Series
from clarion.telemetry.labels import Labelling

__all__ = ["ServerMetrics"]

# Enumerations look their members up anew each time.
_OK = StatusCode.OK


class ServerMetrics(ServerMeasure):
    """What records the metrics of servers.

    Args:
        batches: the instruments.
        labelling: the labels.
    """

    def __init__(self, batches: Batches, labelling: Labelling) -> None:
        self._labelling = labelling
        self.started = batches.counter("grpc.server.call.started")
        self.calls = batches.group(
            "grpc.server.call.duration",
            "grpc.server.call.sent_total_compressed_message_size",
            "grpc.server.call.rcvd_total_compressed_message_size",
        )
        self.known: dict[str, MethodMeasure] = {}
        self._by_label: dict[str, _Method] = {}

    def call(self, start: ServerCallStart) -> ServerCallTracer:
        """See `ServerTracing`."""
        return _Call(self.method(start.method, start.registered))

    def method(self, path: str, registered: bool) -> _Method:
        """See `ServerMeasure`."""
        label = self._labelling.method(path, registered)
        method = self._by_label.get(label)
        if method is None:
            # In one step, for another thread may be at it.
            method = self._by_label.setdefault(label, _Method(self, label))
        if registered:
            # Others are not kept: a client may make up as many as it likes.
            self.known[path] = method
        return method


class _Method(MethodMeasure):
    """The series of one method."""

    def __init__(self, metrics: ServerMetrics, label: str) -> None:
        self._metrics = metrics
        self._labels = {"grpc.method": label}
        count: Callable[[], object] | None = None
        if metrics.started is not None:
            count = metrics.started(self._labels)
        self.started: Callable[[], object] = count or _nothing
        self._series: dict[StatusCode, Series] = {}
        self._ok = self.series(_OK)
        self._ok_pending = self._ok.pending
        self.now = perf_counter

    def ended(self, code: StatusCode, took: float, sent: int, received: int) -> None:
        """See `MethodMeasure`."""
        if code is _OK:
            # What `Series.add` does, without another call: nearly all calls come by here.
            pending = self._ok_pending
            pending.append((took, sent, received))
            if len(pending) >= FULL:
                self._ok.record_full()
        else:
            self.series(code).add((took, sent, received))

    def series(self, code: StatusCode) -> Series:
        """Of calls that ended with `code`."""
        series = self._series.get(code)
        if series is None:
            labels = {**self._labels, "grpc.status": code.name}
            series = self._series.setdefault(code, self._metrics.calls.series(labels))
        return series


def _nothing() -> None:
    return None


class _Call(ServerCallTracer):
    __slots__ = ("_begun", "_method", "_received", "_sent")

    def __init__(self, method: _Method) -> None:
        method.started()
        self._method = method
        self._sent = self._received = 0
        self._begun = perf_counter()

    def message_received(self, wire: bytes, stream: Stream) -> None:
        self._received += len(wire)

    def message_sent(self, payload: bytes, wire: bytes) -> None:
        self._sent += len(wire)

    def ended(
        self, code: StatusCode, details: str, fields: Fields, *, sent: bool, trailers_only: bool
    ) -> None:
        self._method.ended(code, perf_counter() - self._begun, self._sent, self._received)
