"""A greeting server with metrics and traces: `python server.py PORT`."""

from __future__ import annotations

import signal
import sys
from concurrent import futures

from opentelemetry import trace
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import start_http_server

import clarion
from clarion.telemetry import OpenTelemetryPlugin


def greet(request: bytes, context: clarion.ServicerContext) -> bytes:
    if request == b"Nobody":
        context.abort(clarion.StatusCode.NOT_FOUND, "there is nobody of that name")
    # The handler's span, as any code in it would find it. It belongs to the caller's trace.
    trace_id = trace.get_current_span().get_span_context().trace_id
    context.set_trailing_metadata([("trace", f"{trace_id:032x}")])
    return b"Hello, " + request + b"!"


def serve(port: str) -> None:
    metrics = MeterProvider([PrometheusMetricReader(disable_target_info=True)])
    traces = TracerProvider()
    # A service would also give `traces` a span processor that exports them.
    OpenTelemetryPlugin(meter_provider=metrics, tracer_provider=traces).register_global()

    server = clarion.server(futures.ThreadPoolExecutor(max_workers=10))
    # Bytes in and bytes out, so that the example needs no generated code.
    handlers = {"Greet": clarion.unary_unary_rpc_method_handler(greet)}
    server.add_registered_method_handlers("example.Greeter", handlers)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    endpoint, _ = start_http_server(0, "127.0.0.1")
    print(f"Server started, listening on {bound}", flush=True)
    print(f"Metrics: http://127.0.0.1:{endpoint.server_port}/metrics", flush=True)
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(grace=5).wait()
        endpoint.shutdown()
        print("Server stopped", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    serve(sys.argv[1])
