"""opentelemetry-instrumentation-grpc: it patches `grpc` and `grpc.aio`; spans of both sides hang together."""

from __future__ import annotations

import asyncio
import time

import grpc
import grpc.aio
from common import LIMIT, handlers, serving, serving_aio
from opentelemetry import trace
from opentelemetry.instrumentation.grpc import (
    GrpcAioInstrumentorClient,
    GrpcAioInstrumentorServer,
    GrpcInstrumentorClient,
    GrpcInstrumentorServer,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
instrumentors = [
    GrpcInstrumentorClient(),
    GrpcInstrumentorServer(),
    GrpcAioInstrumentorClient(),
    GrpcAioInstrumentorServer(),
]
for instrumentor in instrumentors:
    instrumentor.instrument()


def check(method, count=1):
    """One client span and one server span of each call, in one trace, the server's below the client's."""
    # The library ends the spans of streams in callbacks, which may come after what the application sees.
    give_up = time.monotonic() + LIMIT
    while len(exporter.get_finished_spans()) < 2 * count and time.monotonic() < give_up:
        time.sleep(0.01)
    spans = exporter.get_finished_spans()
    exporter.clear()
    assert {span.name for span in spans} == {method}, [span.name for span in spans]
    client = [span for span in spans if span.kind is SpanKind.CLIENT]
    server = [span for span in spans if span.kind is SpanKind.SERVER]
    assert len(client) == len(server) == count, [(span.kind, span.start_time) for span in spans]
    for one in client:
        (other,) = [s for s in server if s.parent and s.parent.span_id == one.context.span_id]
        assert other.context.trace_id == one.context.trace_id
    return client[0], server[0]


def echo(request, context):
    if request == b"bad":
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "bad")
    return request


def each(requests, context):
    yield from requests


services = handlers(
    "test.Traced",
    Echo=("unary_unary", echo, None, None),
    Each=("stream_stream", each, None, None),
)
with serving(services) as target:
    with grpc.insecure_channel(target) as channel:
        assert channel.unary_unary("/test.Traced/Echo")(b"x", timeout=LIMIT) == b"x"
        got = channel.unary_unary("/test.Traced/Echo").future(b"x", timeout=LIMIT)
        assert got.result() == b"x"
    with grpc.insecure_channel(target) as channel:
        try:
            channel.unary_unary("/test.Traced/Echo")(b"bad", timeout=LIMIT)
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
        else:
            raise AssertionError("no error")
check("/test.Traced/Echo", count=3)
with serving(services) as target, grpc.insecure_channel(target) as channel:
    got = channel.stream_stream("/test.Traced/Each")(iter([b"1", b"2"]), timeout=LIMIT)
    assert list(got) == [b"1", b"2"]
check("/test.Traced/Each")


async def echo_aio(request, context):
    if request == b"bad":
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "bad")
    return request


async def each_aio(requests, context):
    async for request in requests:
        yield request


async def main():
    services = handlers(
        "test.Traced",
        Echo=("unary_unary", echo_aio, None, None),
        Each=("stream_stream", each_aio, None, None),
    )
    async with serving_aio(services) as target, grpc.aio.insecure_channel(target) as channel:
        assert await channel.unary_unary("/test.Traced/Echo")(b"x", timeout=LIMIT) == b"x"
        try:
            await channel.unary_unary("/test.Traced/Echo")(b"bad", timeout=LIMIT)
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
        else:
            raise AssertionError("no error")
    check("/test.Traced/Echo", count=2)
    async with serving_aio(services) as target, grpc.aio.insecure_channel(target) as channel:
        got = channel.stream_stream("/test.Traced/Each")(iter([b"1", b"2"]), timeout=LIMIT)
        assert [message async for message in got] == [b"1", b"2"]
    check("/test.Traced/Each")


asyncio.run(main())
for instrumentor in instrumentors:
    instrumentor.uninstrument()
