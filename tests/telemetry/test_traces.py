"""Spans of calls (gRFC A72), with real servers."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import pytest

import clarion
import clarion.aio

pytest.importorskip("opentelemetry.sdk.trace", reason="opentelemetry-sdk is not installed")

from opentelemetry import trace
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace import StatusCode as SpanStatus
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from clarion.call_tracing import SERVER_TRACING
from clarion.telemetry import GrpcTraceBinPropagator, OpenTelemetryPlugin
from clarion.telemetry.propagation import MetadataGetter, MetadataSetter
from support.telemetry import Spans
from support.traced_echo import PATTERNS, SERVICE, call_aio, call_sync, method, run_aio

PROPAGATORS = [
    None,
    GrpcTraceBinPropagator(),
    CompositePropagator([TraceContextTextMapPropagator(), GrpcTraceBinPropagator()]),
]


def names(pattern: str) -> list[str]:
    return [f"{kind}.{SERVICE}.{pattern}" for kind in ("Sent", "Attempt", "Recv")]


def check_family(spans: Spans, pattern: str, inner: str | None = None) -> list[Any]:
    """Outer, call, attempt, server and what the handler did, each the parent of the next."""
    family = spans.wait_for("outer", *names(pattern), *([inner] if inner else []))
    assert len({span.context.trace_id for span in family}) == 1
    for parent, child in itertools.pairwise(family):
        assert child.parent.span_id == parent.context.span_id
    return family


@pytest.mark.parametrize("propagator", PROPAGATORS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_sync(rigs: Any, pattern: str, propagator: Any) -> None:
    spans = Spans()
    with OpenTelemetryPlugin(tracer_provider=spans.provider, text_map_propagator=propagator):
        rig = rigs(fail=lambda context: spans.tracer.start_span("inner").end())
        with spans.tracer.start_as_current_span("outer"):
            call_sync(rig.channel, pattern)
    inner = "inner" if pattern == "unary_unary" else None
    _, sent, attempt, received, *_ = check_family(spans, pattern, inner)
    assert [span.kind for span in (sent, attempt, received)] == [
        SpanKind.INTERNAL,
        SpanKind.CLIENT,
        SpanKind.SERVER,
    ]
    for span in (sent, attempt, received):
        assert span.status.status_code is SpanStatus.OK
    assert dict(attempt.attributes) == {"previous-rpc-attempts": 0, "transparent-retry": False}
    outbound = [event for event in attempt.events if event.name == "Outbound message"]
    assert [event.attributes["sequence-number"] for event in outbound] == list(range(len(outbound)))
    assert sum(event.attributes["message-size"] for event in outbound) == 2
    inbound = [event for event in received.events if event.name == "Inbound message"]
    assert [dict(event.attributes) for event in inbound] == [
        dict(event.attributes) for event in outbound
    ]


def test_aio() -> None:
    spans = Spans()
    current: list[str] = []

    class Nested(clarion.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            with spans.tracer.start_as_current_span("inner"):
                current.append(trace.get_current_span().name)  # type: ignore[attr-defined]
                return await continuation(details)

    async def use(channel: Any) -> None:
        with spans.tracer.start_as_current_span("outer"):
            await call_aio(channel, "unary_unary")

    with OpenTelemetryPlugin(tracer_provider=spans.provider):
        run_aio(use, interceptors=[Nested()])
    assert current == ["inner"]
    check_family(spans, "unary_unary", "inner")


def test_calls_of_handlers_belong_to_them(rigs: Any) -> None:
    spans = Spans()
    with OpenTelemetryPlugin(tracer_provider=spans.provider):
        last = rigs()
        first = rigs(fail=lambda context: call_sync(last.channel, "stream_unary"))
        with spans.tracer.start_as_current_span("outer"):
            call_sync(first.channel, "unary_unary")
    spans.wait_for("outer", *names("unary_unary"), *names("stream_unary"))
    served = spans.all(names("unary_unary")[2])[0]
    assert spans.all(names("stream_unary")[0])[0].parent.span_id == served.context.span_id


def test_a_failure(rigs: Any) -> None:
    spans = Spans()

    def fail(context: Any) -> None:
        context.abort(clarion.StatusCode.NOT_FOUND, "no such thing")

    with OpenTelemetryPlugin(tracer_provider=spans.provider):
        rig = rigs(fail=fail)
        with pytest.raises(clarion.RpcError):
            call_sync(rig.channel, "unary_unary")
    for span in spans.wait_for(*names("unary_unary")):
        assert span.status.status_code is SpanStatus.ERROR
        assert span.status.description == "NOT_FOUND, no such thing"


def test_a_failure_without_words(rigs: Any) -> None:
    spans = Spans()
    with OpenTelemetryPlugin(tracer_provider=spans.provider):
        rig = rigs(fail=lambda context: context.abort(clarion.StatusCode.NOT_FOUND, ""))
        with pytest.raises(clarion.RpcError):
            call_sync(rig.channel, "unary_unary")
    (span,) = spans.wait_for(names("unary_unary")[2])
    assert span.status.description == "NOT_FOUND"


def test_retries_and_delays(rigs: Any) -> None:
    left = [1]

    def fail(context: Any) -> None:
        if left[0]:
            left[0] -= 1
            context.abort(clarion.StatusCode.UNAVAILABLE, "not yet")

    retry = {
        "maxAttempts": 3,
        "initialBackoff": "0.01s",
        "maxBackoff": "0.01s",
        "backoffMultiplier": 1,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    config = json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": retry}]})
    spans = Spans()
    with OpenTelemetryPlugin(tracer_provider=spans.provider):
        rig = rigs([("grpc.service_config", config)], fail)
        call_sync(rig.channel, "unary_unary")
    (sent, *_) = spans.wait_for(*names("unary_unary"))
    assert [event.name for event in sent.events] == ["Delayed name resolution complete"]
    first, second = spans.all(names("unary_unary")[1])
    assert first.events[0].name == "Delayed LB pick complete"
    assert first.status.status_code is SpanStatus.ERROR
    assert dict(second.attributes) == {"previous-rpc-attempts": 1, "transparent-retry": False}
    assert "Delayed LB pick complete" not in [event.name for event in second.events]


def test_compressed_messages(rigs: Any) -> None:
    spans = Spans()
    with OpenTelemetryPlugin(tracer_provider=spans.provider):
        rig = rigs()
        call = rig.channel.unary_unary(method("unary_unary"))
        call(b"x" * 1000, compression=clarion.Compression.Gzip)
    _, attempt, received = spans.wait_for(*names("unary_unary"))
    sent = next(event for event in attempt.events if event.name == "Outbound message")
    got = next(event for event in received.events if event.name == "Inbound message")
    assert sent.attributes["message-size"] == got.attributes["message-size"] == 1000
    assert sent.attributes["message-size-compressed"] < 100
    assert dict(sent.attributes) == dict(got.attributes)


def test_a_server_alone(rigs: Any) -> None:
    """What is no context of a span is ignored."""
    spans = Spans()
    plugin = OpenTelemetryPlugin(
        tracer_provider=spans.provider, text_map_propagator=GrpcTraceBinPropagator()
    )
    ((name, _),) = plugin.server_options()
    assert name == SERVER_TRACING
    with plugin:
        rig = rigs()
    with clarion.insecure_channel(f"127.0.0.1:{rig.port}") as plain:
        plain.unary_unary(method("unary_unary"))(
            b"", metadata=[("grpc-trace-bin", b"\1what"), ("other-bin", b"")]
        )
    (span,) = spans.wait_for(names("unary_unary")[2])
    assert span.parent is None


# grpc-trace-bin

SPAN = SpanContext(0x0102030405060708090A0B0C0D0E0F10, 0x1112131415161718, True, TraceFlags(1))
CONTEXT = trace.set_span_in_context(NonRecordingSpan(SPAN))
BINARY = bytes.fromhex("00000102030405060708090a0b0c0d0e0f100111121314151617180201")


def test_the_format() -> None:
    carrier: list[Any] = []
    GrpcTraceBinPropagator().inject(carrier, CONTEXT, MetadataSetter())
    assert carrier == [("grpc-trace-bin", BINARY)]
    as_text: dict[str, str] = {}
    GrpcTraceBinPropagator().inject(as_text, CONTEXT)
    assert base64.b64decode(as_text["grpc-trace-bin"]) == BINARY
    nothing: list[Any] = []
    GrpcTraceBinPropagator().inject(nothing, trace.set_span_in_context(trace.INVALID_SPAN))
    assert nothing == []
    assert GrpcTraceBinPropagator().fields == {"grpc-trace-bin"}


def extracted(value: Any, getter: Any = None) -> SpanContext:
    named = {"getter": getter} if getter is not None else {}
    carrier: Any = [("grpc-trace-bin", value)] if getter else {"grpc-trace-bin": value}
    context = GrpcTraceBinPropagator().extract(carrier, **named)
    return trace.get_current_span(context).get_span_context()


def test_reading_it() -> None:
    for seen in (
        extracted(BINARY, MetadataGetter()),
        extracted(base64.b64encode(BINARY).decode().rstrip("=")),
        extracted([base64.b64encode(BINARY).decode()]),
    ):
        assert (seen.trace_id, seen.span_id, seen.trace_flags) == (
            SPAN.trace_id,
            SPAN.span_id,
            SPAN.trace_flags,
        )
        assert seen.is_remote
    # Without options nothing is sampled, and what a later version adds is not read.
    assert extracted(BINARY[:-2], MetadataGetter()).trace_flags == 0
    assert extracted(BINARY + b"\7later", MetadataGetter()).trace_flags == 1


@pytest.mark.parametrize(
    "value", [b"", b"\0", b"\1" + BINARY[1:], BINARY[:20], bytes(29), BINARY[:18]]
)
def test_what_it_is_not(value: bytes) -> None:
    assert not extracted(value, MetadataGetter()).is_valid


def test_text_that_it_is_not() -> None:
    assert not extracted("€").is_valid
    assert not extracted([]).is_valid


def test_binary_metadata_of_other_propagators() -> None:
    """Text for a binary key is base64."""
    carrier: list[Any] = []
    MetadataSetter().set(carrier, "some-bin", base64.b64encode(b"1234").decode().rstrip("="))
    MetadataSetter().set(carrier, "Some", "text")
    assert carrier == [("some-bin", b"1234"), ("some", "text")]
    getter = MetadataGetter()
    assert getter.get(tuple(carrier), "some-bin") == [base64.b64encode(b"1234").decode()]
    assert getter.get(tuple(carrier), "Some") == ["text"]
    assert getter.get(tuple(carrier), "none") is None
    assert getter.keys(tuple(carrier)) == ["some-bin", "some"]
