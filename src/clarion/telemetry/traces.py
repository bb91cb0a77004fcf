"""Spans of calls, of their attempts, and of calls to a server (gRFC A72)."""

from __future__ import annotations

from typing import Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status
from opentelemetry.trace import StatusCode as SpanStatus

from clarion.call_tracing import (
    AttemptStart,
    AttemptTracer,
    CallTracer,
    ClientMethodTracing,
    ClientTracing,
    Fields,
    ServerCallStart,
    ServerCallTracer,
    ServerTracing,
    Stream,
)
from clarion.protocol.messages import UnpackFailed
from clarion.protocol.metadata import encode_metadata
from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode
from clarion.telemetry.propagation import (
    BINARY_KEY,
    MetadataGetter,
    MetadataSetter,
    binary_context,
)

__all__ = ["ClientTraces", "ServerTraces"]

_SETTER = MetadataSetter()
_GETTER = MetadataGetter()
_OK = Status(SpanStatus.OK)


def _name(kind: str, path: str) -> str:
    """`Sent.package.Service.Method`, and so on."""
    return f"{kind}.{path.removeprefix('/').replace('/', '.')}"


def _end(span: Span, code: StatusCode, details: str) -> None:
    if code is StatusCode.OK:
        span.set_status(_OK)
    else:
        description = f"{code.name}, {details}" if details else code.name
        span.set_status(Status(SpanStatus.ERROR, description))
    span.end()


class _Messages:
    """Counts the messages of a span, and tells it of each."""

    __slots__ = ("_received", "_sent", "_span")

    def __init__(self, span: Span) -> None:
        self._span = span if span.is_recording() else None
        self._sent = self._received = 0

    def sent(self, payload: bytes, wire: bytes) -> None:
        span = self._span
        if span is not None:
            attributes = {"sequence-number": self._sent, "message-size": len(payload)}
            if wire is not payload:
                attributes["message-size-compressed"] = len(wire)
            span.add_event("Outbound message", attributes)
            self._sent += 1

    def received(self, wire: bytes, stream: Stream) -> None:
        span = self._span
        if span is None:
            return
        attributes = {"sequence-number": self._received, "message-size": len(wire)}
        self._received += 1
        # What is not compressed is plain bytes.
        if type(wire) is not bytes:
            del attributes["message-size"]
            attributes["message-size-compressed"] = len(wire)
            try:
                attributes["message-size"] = len(stream.unpack(wire))
            except UnpackFailed:
                # The call is about to fail for it, and says so.
                pass
        span.add_event("Inbound message", attributes)


# Clients


class ClientTraces(ClientTracing):
    """What makes the spans of clients.

    Args:
        tracer: an OpenTelemetry `Tracer`.
        propagator: an OpenTelemetry `TextMapPropagator`, or None: servers hear nothing of the spans.
    """

    def __init__(self, tracer: Any, propagator: Any) -> None:
        self.tracer = tracer
        self.propagator = propagator

    def method(self, target: str, method: str, registered: bool) -> ClientMethodTracing:
        """See `ClientTracing`."""
        sent, attempt = _name("Sent", method), _name("Attempt", method)

        def begin(deadline: float | None, metadata: Fields) -> CallTracer:
            return _Call(self, self.tracer.start_span(sent), attempt)

        return begin

    def fields(self, context: Context) -> Fields:
        """The header fields that tell a server of the span of `context`."""
        if self.propagator is None:
            return ()
        carrier: list[tuple[str, Any]] = []
        self.propagator.inject(carrier, context, _SETTER)
        return encode_metadata(carrier) if carrier else ()


class _Call(CallTracer):
    __slots__ = ("_attempt_name", "_context", "_span", "_traces")

    def __init__(self, traces: ClientTraces, span: Span, attempt_name: str) -> None:
        self._traces = traces
        self._span = span
        self._attempt_name = attempt_name
        # With baggage and whatever else of the caller's.
        self._context = trace.set_span_in_context(span)

    def name_resolved(self) -> None:
        self._span.add_event("Delayed name resolution complete")

    def attempt(self, start: AttemptStart) -> AttemptTracer:
        traces = self._traces
        span = traces.tracer.start_span(
            self._attempt_name,
            self._context,
            SpanKind.CLIENT,
            {
                "previous-rpc-attempts": start.previous_attempts,
                "transparent-retry": start.transparent,
            },
        )
        if start.delayed_pick:
            span.add_event("Delayed LB pick complete")
        return _Attempt(span, traces.fields(trace.set_span_in_context(span, self._context)))

    def ended(self, outcome: Outcome) -> None:
        _end(self._span, outcome.code, outcome.details)


class _Attempt(AttemptTracer):
    __slots__ = ("_messages", "_span", "fields")

    def __init__(self, span: Span, fields: Fields) -> None:
        self.fields = fields
        self._span = span
        self._messages = _Messages(span)

    def message_sent(self, payload: bytes, wire: bytes) -> None:
        self._messages.sent(payload, wire)

    def message_received(self, wire: bytes, stream: Stream) -> None:
        self._messages.received(wire, stream)

    def ended(self, outcome: Outcome, *, by_server: bool, trailers_only: bool, here: bool) -> None:
        _end(self._span, outcome.code, outcome.details)


# Servers


class ServerTraces(ServerTracing):
    """What makes the spans of servers.

    Args:
        tracer: an OpenTelemetry `Tracer`.
        propagator: reads the clients' spans out of metadata, or None: all spans begin traces.
    """

    def __init__(self, tracer: Any, propagator: Any) -> None:
        self._tracer = tracer
        self._propagator = propagator
        self._reads_binary = propagator is not None and BINARY_KEY in propagator.fields

    def call(self, start: ServerCallStart) -> ServerCallTracer:
        """See `ServerTracing`."""
        # Not the current one: this is on whatever thread reads the connection.
        context = Context()
        if self._propagator is not None:
            metadata = start.metadata
            if self._reads_binary:
                # Applications do not see it.
                metadata += binary_context(start.fields)
            context = self._propagator.extract(metadata, context, _GETTER)
        span = self._tracer.start_span(_name("Recv", start.method), context, SpanKind.SERVER)
        return _ServedCall(span, context)


class _ServedCall(ServerCallTracer):
    __slots__ = ("_context", "_messages", "_span")

    def __init__(self, span: Span, context: Context) -> None:
        self._span = span
        self._context = context
        self._messages = _Messages(span)

    def handler_starts(self) -> None:
        # It is the handler's own context, which ends with it; so there is nothing to detach.
        contexts.attach(trace.set_span_in_context(self._span, self._context))

    def message_received(self, wire: bytes, stream: Stream) -> None:
        self._messages.received(wire, stream)

    def message_sent(self, payload: bytes, wire: bytes) -> None:
        self._messages.sent(payload, wire)

    def ended(
        self, code: StatusCode, details: str, fields: Fields, *, sent: bool, trailers_only: bool
    ) -> None:
        _end(self._span, code, details)
