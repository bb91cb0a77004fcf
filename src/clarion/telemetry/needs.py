"""Where OpenTelemetry is missing, says what to install."""

from __future__ import annotations

__all__ = ["check"]


def check() -> None:
    """Raise a clear error unless OpenTelemetry's API can be imported.

    Raises:
        ImportError: it cannot.
    """
    try:
        import opentelemetry.metrics
        import opentelemetry.trace  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "clarion.telemetry needs OpenTelemetry's API: pip install 'clarion-rpc[otel]', "
            "and usually opentelemetry-sdk with an exporter"
        ) from error
