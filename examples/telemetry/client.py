"""Greets three people, and reads the server's metrics: `python client.py PORT METRICS_URL`."""

from __future__ import annotations

import re
import sys
from urllib.request import urlopen

from opentelemetry.sdk.trace import TracerProvider

import clarion
from clarion.telemetry import OpenTelemetryPlugin


def run(port: str, metrics: str) -> None:
    traces = TracerProvider()
    tracer = traces.get_tracer(__name__)
    plugin = OpenTelemetryPlugin(tracer_provider=traces)
    same = []
    # For this channel alone; `register_global` is for all.
    with clarion.insecure_channel(f"127.0.0.1:{port}", options=plugin.channel_options()) as channel:
        greet = channel.unary_unary("/example.Greeter/Greet", _registered_method=True)
        for name in (b"Alice", b"Bob", b"Nobody"):
            with tracer.start_as_current_span("greeting") as span:
                try:
                    response, call = greet.with_call(name, timeout=10)
                except clarion.RpcError as error:
                    print(f"{error.code().name}: {error.details()}")
                    continue
                print(response.decode())
                seen = dict(call.trailing_metadata())["trace"]
                same.append(int(seen, 16) == span.get_span_context().trace_id)
    if all(same):
        print("each call is one trace, here and there")
    text = urlopen(metrics, timeout=10).read().decode()
    for line in sorted(text.splitlines()):
        if line.startswith("grpc_server_call_duration_seconds_count"):
            print(re.sub(r'otel_scope_\w+="[^"]*",?', "", line).replace(",}", "}"))


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2])
