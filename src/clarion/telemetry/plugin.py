"""The plugin: which providers, for which channels and servers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from clarion._version import __version__
from clarion.call_tracing import (
    CLIENT_TRACING,
    SERVER_TRACING,
    ClientTracing,
    Installed,
    ServerTracing,
    client_tracings,
    install,
    server_tracings,
)
from clarion.telemetry.batches import Batches
from clarion.telemetry.client_metrics import ClientMetrics
from clarion.telemetry.definitions import DEFAULT_METRICS, METRICS
from clarion.telemetry.labels import Labelling
from clarion.telemetry.policy_metrics import PolicyRecorder
from clarion.telemetry.server_metrics import ServerMetrics
from clarion.telemetry.traces import ClientTraces, ServerTraces

__all__ = ["OpenTelemetryPlugin"]

_SCOPE = "clarion"


class OpenTelemetryPlugin:
    """Records metrics and traces of channels and servers with OpenTelemetry.

    It is for all channels and servers that are made after `register_global`, or within a `with` block; or for those that are
    given `channel_options()` or `server_options()`. One plugin must not be given both ways to the same channel or server.

    Args:
        meter_provider: an OpenTelemetry `MeterProvider`; None: no metrics. The global one is not taken.
        tracer_provider: an OpenTelemetry `TracerProvider`; None: no traces.
        text_map_propagator: how clients tell servers of their spans, an OpenTelemetry `TextMapPropagator`; None: W3C Trace
            Context, and W3C Baggage, where there are traces.
        metrics: the names of what is to be recorded; by default those that are not experimental. `METRICS` has them all.
        optional_labels: labels that are there only if they are named here; `OPTIONAL_LABELS` has them all.
        target_attribute_filter: says whether a target is named in `grpc.target`; where it returns False, it is "other".
            By default all are.
        generic_method_attribute_filter: says whether a method that no generated code knows is named in `grpc.method`; where
            it returns False, it is "other". By default none is, because there may be any number of them.

    Raises:
        ValueError: there is no such metric or label.
    """

    def __init__(
        self,
        *,
        meter_provider: Any = None,
        tracer_provider: Any = None,
        text_map_propagator: Any = None,
        metrics: Iterable[str] = DEFAULT_METRICS,
        optional_labels: Iterable[str] = (),
        target_attribute_filter: Callable[[str], bool] | None = None,
        generic_method_attribute_filter: Callable[[str], bool] | None = None,
    ) -> None:
        wanted = frozenset(metrics)
        unknown = wanted - METRICS.keys()
        if unknown:
            raise ValueError(
                f"no metrics: {', '.join(sorted(unknown))}; clarion.telemetry.METRICS has all"
            )
        labelling = Labelling(
            optional_labels, target_attribute_filter, generic_method_attribute_filter
        )
        clients: list[ClientTracing] = []
        servers: list[ServerTracing] = []
        if meter_provider is not None:
            meter = meter_provider.get_meter(_SCOPE, __version__)
            batches = Batches(meter, wanted)
            policies = PolicyRecorder(meter, wanted, labelling)
            clients.append(ClientMetrics(batches, labelling, policies))
            servers.append(ServerMetrics(batches, labelling))
            batches.flush_when_collected()
        if tracer_provider is not None:
            tracer = tracer_provider.get_tracer(_SCOPE, __version__)
            propagator = text_map_propagator or _w3c()
            clients.append(ClientTraces(tracer, propagator))
            servers.append(ServerTraces(tracer, propagator))
        self._client = client_tracings(clients)
        self._server = server_tracings(servers)
        self._installed: Installed | None = None

    def register_global(self) -> None:
        """Record what all channels and servers do that are made from now on. A second time changes nothing."""
        if self._installed is None:
            self._installed = install(self._client, self._server)

    def deregister_global(self) -> None:
        """Channels and servers that are made from now on have no more of it; those that there are keep it."""
        if self._installed is not None:
            self._installed.remove()
            self._installed = None

    def __enter__(self) -> OpenTelemetryPlugin:
        self.register_global()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.deregister_global()

    def channel_options(self) -> Sequence[tuple[str, Any]]:
        """Channel arguments by which one channel has it, of either front end."""
        return [(CLIENT_TRACING, self._client)] if self._client is not None else []

    def server_options(self) -> Sequence[tuple[str, Any]]:
        """Arguments by which one server has it, of either front end."""
        return [(SERVER_TRACING, self._server)] if self._server is not None else []


def _w3c() -> Any:
    from opentelemetry.baggage.propagation import W3CBaggagePropagator
    from opentelemetry.propagators.composite import CompositePropagator
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
