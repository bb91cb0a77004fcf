"""The OTLP exporters send traces, metrics and logs to a collector that is a servicer here."""

from __future__ import annotations

import threading

import grpc
from common import LIMIT, serving
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


class Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self):
        self.names = []
        self.headers = []
        self.refused = threading.Event()

    def Export(self, request, context):
        if not self.refused.is_set():
            # The exporter tries again after this.
            self.refused.set()
            context.abort(grpc.StatusCode.UNAVAILABLE, "warming up")
        self.headers.append(dict(context.invocation_metadata()))
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.names += [span.name for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()


class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self):
        self.names = []

    def Export(self, request, context):
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                self.names += [metric.name for metric in scope.metrics]
        return metrics_service_pb2.ExportMetricsServiceResponse()


traces, metrics = Traces(), Metrics()


def add(server):
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(traces, server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(metrics, server)


with serving(add) as target:
    provider = TracerProvider()
    exporter = OTLPSpanExporter(
        endpoint=target,
        insecure=True,
        headers=(("tenant", "red"),),
        compression=grpc.Compression.Gzip,
        timeout=LIMIT,
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
        pass
    assert provider.force_flush(LIMIT * 1000)
    provider.shutdown()

    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(endpoint=f"http://{target}", insecure=True, timeout=LIMIT)
    )
    meters = MeterProvider([reader])
    meters.get_meter("test").create_counter("cups").add(3)
    assert meters.force_flush(LIMIT * 1000)
    meters.shutdown()

assert traces.refused.is_set()
assert sorted(traces.names) == ["inner", "outer"]
assert traces.headers[0]["tenant"] == "red"
assert set(metrics.names) == {"cups"}, metrics.names
