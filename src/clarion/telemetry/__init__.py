"""Metrics and traces of calls with OpenTelemetry (gRFCs A66, A72 and those that build on them).

    from clarion.telemetry import OpenTelemetryPlugin

    OpenTelemetryPlugin(meter_provider=..., tracer_provider=...).register_global()

It needs `pip install 'clarion-rpc[otel]'`, and providers, which are usually those of opentelemetry-sdk.
"""

from __future__ import annotations

from clarion.telemetry import needs

needs.check()

# Behind the check, which says what is missing.
from clarion.telemetry.definitions import (  # noqa: E402
    DEFAULT_METRICS,
    EXPERIMENTAL_METRICS,
    METRICS,
    OPTIONAL_LABELS,
)
from clarion.telemetry.labels import call_label  # noqa: E402
from clarion.telemetry.plugin import OpenTelemetryPlugin  # noqa: E402
from clarion.telemetry.propagation import GrpcTraceBinPropagator  # noqa: E402

__all__ = [
    "DEFAULT_METRICS",
    "EXPERIMENTAL_METRICS",
    "METRICS",
    "OPTIONAL_LABELS",
    "GrpcTraceBinPropagator",
    "OpenTelemetryPlugin",
    "call_label",
]
