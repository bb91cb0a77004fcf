"""The metrics there are: names, units and bucket boundaries (gRFCs A66, A78, A91, A96, A108)."""

from __future__ import annotations

from typing import NamedTuple

from clarion.load_balancing.metrics import POLICY_METRICS

__all__ = ["DEFAULT_METRICS", "EXPERIMENTAL_METRICS", "METRICS", "OPTIONAL_LABELS", "Metric"]

_LATENCY = (
    *(0, 0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005),
    *(0.006, 0.008, 0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13),
    *(0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1, 2, 5, 10, 20, 50, 100),
)
_SIZE = (0, 1 << 10, 2 << 10, 4 << 10, *(1 << shift for shift in range(14, 33, 2)))
_FEW = (1, 2, 3, 4, 5)
_MORE = (1, 2, 3, 4, 5, 10)


class Metric(NamedTuple):
    """One instrument.

    Attributes:
        name: in OpenTelemetry.
        unit: as the gRFC has it.
        description: one sentence.
        boundaries: a histogram's advised bucket boundaries; a counter has none.
        experimental: off unless it is asked for.
    """

    name: str
    unit: str
    description: str
    boundaries: tuple[float, ...] = ()
    experimental: bool = False


def _latency(name: str, description: str, experimental: bool = False) -> Metric:
    return Metric(name, "s", description, _LATENCY, experimental)


def _size(name: str, description: str) -> Metric:
    return Metric(name, "By", description, _SIZE)


def _each(name: str, unit: str, what: str, boundaries: tuple[float, ...]) -> Metric:
    description = f"{what} during a client's call; calls without any are not counted"
    return Metric(name, f"{{{unit}}}", description, boundaries, True)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("grpc.client.attempt.started", "{attempt}", "Attempts of calls that were begun"),
        _latency("grpc.client.attempt.duration", "How long attempts of calls took"),
        _size(
            "grpc.client.attempt.sent_total_compressed_message_size",
            "Bytes of all requests of an attempt, compressed, without framing and metadata",
        ),
        _size(
            "grpc.client.attempt.rcvd_total_compressed_message_size",
            "Bytes of all responses of an attempt, compressed, without framing and metadata",
        ),
        _latency("grpc.client.call.duration", "How long calls took, as the application sees it"),
        Metric("grpc.server.call.started", "{call}", "Calls that came to the server"),
        _size(
            "grpc.server.call.sent_total_compressed_message_size",
            "Bytes of all responses of a call, compressed, without framing and metadata",
        ),
        _size(
            "grpc.server.call.rcvd_total_compressed_message_size",
            "Bytes of all requests of a call, compressed, without framing and metadata",
        ),
        _latency("grpc.server.call.duration", "How long calls took, as the transport sees it"),
        _each("grpc.client.call.retries", "retry", "Retries", _FEW),
        _each(
            "grpc.client.call.transparent_retries",
            "transparent_retry",
            "Transparent retries",
            _MORE,
        ),
        _each("grpc.client.call.hedges", "hedge", "Hedges", _FEW),
        _latency(
            "grpc.client.call.retry_delay",
            "How long a client's call was without an attempt in progress, after the first",
            experimental=True,
        ),
        *(
            Metric(each.name, each.unit, each.description, each.boundaries, each.experimental)
            for each in POLICY_METRICS
        ),
    )
}
"""All metrics by name."""

DEFAULT_METRICS = frozenset(metric.name for metric in METRICS.values() if not metric.experimental)
"""The names of what is recorded unless something else is asked for: those of gRFC A66."""

EXPERIMENTAL_METRICS = frozenset(METRICS) - DEFAULT_METRICS
"""The names of what is recorded only where it is asked for, by the gRFCs' rules."""

OPTIONAL_LABELS = frozenset(
    ("grpc.client.call.custom", "grpc.lb.backend_service", "grpc.lb.locality")
)
"""The labels that are there only where they are asked for."""
