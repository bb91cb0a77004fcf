"""Telling clients how busy a server is (ORCA, gRFC A51), so that they send calls where there is room.

Clients with the policy `weighted_round_robin` go by it. There are two ways, and both may be used:

- With each call, in its trailing metadata: what the handler recorded (`call_metrics`), and with an interceptor
  (`interceptor`, `aio_interceptor`) what the server records as such.
- Out of band: clients ask `xds.service.orca.v3.OpenRcaService`, which `add_service` adds to a server.

All of it works with both front ends, and from any thread.

    metrics = orca.Metrics()
    orca.add_service(server, metrics)
    ...
    metrics.record(cpu_utilization=0.7, requests_per_second=1200, errors_per_second=3)
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from clarion.load_balancing.load_report import (
    LOAD_REPORT_KEY,
    STREAM_METHOD,
    LoadReport,
    decode_report_request,
    encode_load_report,
)
from clarion.method import (
    HandlerCallDetails,
    RpcMethodHandler,
    stream_stream_rpc_method_handler,
    stream_unary_rpc_method_handler,
    unary_stream_rpc_method_handler,
    unary_unary_rpc_method_handler,
)
from clarion.protocol.metadata import encode_metadata

if TYPE_CHECKING:
    from clarion.aio import interfaces as aio_interfaces
    from clarion.aio.interceptors import ServerInterceptor as AioServerInterceptor
    from clarion.sync.interceptor_interface import ServerInterceptor
    from clarion.sync.interfaces import Server, ServicerContext

__all__ = [
    "LoadReport",
    "Metrics",
    "add_service",
    "aio_interceptor",
    "call_metrics",
    "interceptor",
]

_FACTORIES: dict[tuple[bool, bool], tuple[str, Callable[..., RpcMethodHandler]]] = {
    (False, False): ("unary_unary", unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", stream_stream_rpc_method_handler),
}


class Metrics:
    """What is known of the load of a server, or of one call. What is recorded stays until it is recorded anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._report = LoadReport()
        self._further: Metrics | None = None

    def record(
        self,
        *,
        cpu_utilization: float | None = None,
        mem_utilization: float | None = None,
        application_utilization: float | None = None,
        requests_per_second: float | None = None,
        errors_per_second: float | None = None,
        utilization: Mapping[str, float] | None = None,
        request_cost: Mapping[str, float] | None = None,
        named_metrics: Mapping[str, float] | None = None,
    ) -> None:
        """Record something; what is None stays as it was.

        Args:
            cpu_utilization: of the processors: 1.0 is all there is, or all that is allowed; it may be more.
            mem_utilization: of the memory, from 0 to 1.
            application_utilization: as the application counts it; counts in place of that of the processors.
            requests_per_second: that the server serves.
            errors_per_second: how many of them fail.
            utilization: of other resources, from 0 to 1, by name; joins those that are there.
            request_cost: what the call cost, by name; joins those that are there.
            named_metrics: anything else, by name; joins those that are there.

        Raises:
            ValueError: a number is negative, not finite, or more than 1 where that is the most.
        """
        single = {
            "cpu_utilization": _checked("cpu_utilization", cpu_utilization),
            "mem_utilization": _checked("mem_utilization", mem_utilization, 1.0),
            "application_utilization": _checked("application_utilization", application_utilization),
            "rps_fractional": _checked("requests_per_second", requests_per_second),
            "eps": _checked("errors_per_second", errors_per_second),
        }
        several: dict[str, Mapping[str, float | None]] = {
            "utilization": {
                name: _checked(f"utilization[{name!r}]", value, 1.0)
                for name, value in (utilization or {}).items()
            },
            "request_cost": dict(request_cost or {}),
            "named_metrics": dict(named_metrics or {}),
        }
        with self._lock:
            changes: dict[str, Any] = {
                name: value for name, value in single.items() if value is not None
            }
            for name, more in several.items():
                if more:
                    changes[name] = {**getattr(self._report, name), **more}
            self._report = replace(self._report, **changes)

    def clear(self) -> None:
        """Forget all that was recorded."""
        with self._lock:
            self._report = LoadReport()

    def report(self) -> LoadReport:
        """What was recorded; of a call's metrics behind an interceptor, with the server's where the call has none."""
        report, further = self._report, self._further
        if further is None:
            return report
        base = further.report()
        merged: dict[str, Any] = {}
        for field in fields(LoadReport):
            mine, other = getattr(report, field.name), getattr(base, field.name)
            merged[field.name] = {**other, **mine} if isinstance(mine, Mapping) else mine or other
        return LoadReport(**merged)

    def stand_before(self, further: Metrics) -> None:
        """Report what `further` knows, too."""
        self._further = further

    def fields(self) -> tuple[tuple[bytes, bytes], ...]:
        """The header fields that carry the report in trailing metadata; none if nothing was recorded."""
        data = encode_load_report(self.report())
        return encode_metadata([(LOAD_REPORT_KEY, data)]) if data else ()


def _checked(name: str, value: float | None, most: float = math.inf) -> float | None:
    if value is not None and not (0 <= value <= most and value < math.inf):
        limit = f" and {most:g} at most" if most < math.inf else ""
        raise ValueError(f"{name} must be 0 or more{limit}, not {value!r}")
    return value


def call_metrics(
    context: ServicerContext | aio_interfaces.ServicerContext[Any, Any],
) -> Metrics:
    """What is known of the load of a call that is being served; it is sent with the call's status.

    Args:
        context: the call's.

    Raises:
        TypeError: `context` is none of Clarion's.
    """
    record = getattr(context, "record_metrics", None)
    if record is None:
        raise TypeError(f"{context!r} is no context of a call that Clarion serves")
    metrics: Metrics = record(Metrics)
    return metrics


# With each call


class _Recorded:
    """A handler's behaviour, whose calls report the server's metrics as well."""

    def __init__(self, behavior: Callable[..., Any], metrics: Metrics) -> None:
        # Servers look through this name for what kind of function it is.
        self.func = behavior
        self._metrics = metrics

    def __call__(self, request: Any, context: Any) -> Any:
        call_metrics(context).stand_before(self._metrics)
        return self.func(request, context)


def _recorded(handler: RpcMethodHandler | None, metrics: Metrics) -> RpcMethodHandler | None:
    if handler is None:
        return None
    pattern = bool(handler.request_streaming), bool(handler.response_streaming)
    name, factory = _FACTORIES[pattern]
    return factory(
        _Recorded(getattr(handler, name), metrics),
        handler.request_deserializer,
        handler.response_serializer,
    )


def interceptor(metrics: Metrics) -> ServerInterceptor:
    """An interceptor for `clarion.server` by which each call reports `metrics`.

    What a handler records with `call_metrics` counts in place of the same of the server.
    """
    from clarion.sync.interceptor_interface import ServerInterceptor

    class Interceptor(ServerInterceptor):
        def intercept_service(
            self,
            continuation: Callable[[HandlerCallDetails], RpcMethodHandler | None],
            handler_call_details: HandlerCallDetails,
        ) -> RpcMethodHandler | None:
            return _recorded(continuation(handler_call_details), metrics)

    return Interceptor()


def aio_interceptor(metrics: Metrics) -> AioServerInterceptor:
    """The same for `clarion.aio.server`."""
    from clarion.aio.interceptors import ServerInterceptor

    class Interceptor(ServerInterceptor):
        async def intercept_service(
            self, continuation: Callable[..., Any], handler_call_details: HandlerCallDetails
        ) -> RpcMethodHandler | None:
            return _recorded(await continuation(handler_call_details), metrics)

    return Interceptor()


# Out of band


def add_service(
    server: Server | aio_interfaces.Server, metrics: Metrics, *, shortest_interval: float = 30.0
) -> None:
    """Let clients of `server` ask for `metrics` out of band.

    Such calls take no thread of a sync server's pool.

    Args:
        server: a server of either front end, before or after it was started.
        metrics: what to report.
        shortest_interval: seconds. Clients get a report as often as they ask for, but not more often than that.

    Raises:
        ValueError: `shortest_interval` is not greater than 0.
    """
    if not shortest_interval > 0:
        raise ValueError(f"shortest_interval must be greater than 0, not {shortest_interval!r}")

    def respond() -> bytes:
        return encode_load_report(metrics.report())

    def interval_of(request: bytes) -> float:
        wanted = decode_report_request(request)
        if wanted is None:
            raise ValueError("the request is no OrcaLoadReportRequest")
        return max(wanted, shortest_interval)

    service, _, method = STREAM_METHOD.removeprefix("/").partition("/")
    loaded = sys.modules.get("clarion.aio")
    is_async = loaded is not None and isinstance(server, loaded.Server)
    behavior = _aio_stream(respond) if is_async else _sync_stream(respond)
    handler = unary_stream_rpc_method_handler(behavior, interval_of)
    server.add_registered_method_handlers(service, {method: handler})


def _sync_stream(respond: Callable[[], bytes]) -> Callable[[float, Any], Any]:
    from clarion.sync.slow_stream import SlowStream

    def stream(interval: float, context: Any) -> SlowStream:
        return SlowStream(context, interval, respond)

    return stream


def _aio_stream(respond: Callable[[], bytes]) -> Callable[[float, Any], Any]:
    import asyncio

    async def stream(interval: float, context: Any) -> AsyncIterator[bytes]:
        while True:
            yield respond()
            await asyncio.sleep(interval)

    return stream
