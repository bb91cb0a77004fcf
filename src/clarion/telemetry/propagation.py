"""How the context of traces travels in metadata (gRFC A72, "Propagator Wire Format").

OpenTelemetry's propagators set and get text. Metadata whose names end in `-bin` is binary, so text for such a name is
base64, as the gRFC has it; Clarion's own propagator hands bytes over as they are.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)

from clarion.metadata import Metadatum
from clarion.protocol.outcome import Metadata

__all__ = [
    "BINARY_KEY",
    "GrpcTraceBinPropagator",
    "MetadataGetter",
    "MetadataSetter",
    "binary_context",
]

BINARY_KEY = "grpc-trace-bin"

# OpenCensus' binary format: a version, then fields, each behind its number.
_VERSION = 0
_TRACE_ID, _SPAN_ID, _OPTIONS = 0, 1, 2
_SIZES = {_TRACE_ID: 16, _SPAN_ID: 8, _OPTIONS: 1}


class MetadataSetter(Setter):  # type: ignore[misc]
    """Adds to a list of `(key, value)` pairs."""

    def set(self, carrier: list[tuple[str, Any]], key: str, value: str) -> None:
        """Add text; base64 for a binary key."""
        if key.endswith("-bin"):
            self.set_binary(carrier, key, base64.b64decode(value + "=" * (-len(value) % 4)))
        else:
            carrier.append((key.lower(), value))

    def set_binary(self, carrier: list[tuple[str, Any]], key: str, value: bytes) -> None:
        """Add bytes."""
        carrier.append((key, value))


class MetadataGetter(Getter):  # type: ignore[misc]
    """Reads the metadata of a call."""

    def get(self, carrier: Metadata, key: str) -> list[str] | None:
        """The values of `key`; base64 of binary ones."""
        key = key.lower()
        values = [
            base64.b64encode(value).decode() if isinstance(value, bytes) else value
            for name, value in carrier
            if name == key
        ]
        return values or None

    def keys(self, carrier: Metadata) -> list[str]:
        """All keys."""
        return [name for name, _ in carrier]

    def get_binary(self, carrier: Metadata, key: str) -> bytes | None:
        """The last value of `key`."""
        found = None
        for name, value in carrier:
            if name == key and isinstance(value, bytes):
                found = value
        return found


class GrpcTraceBinPropagator(TextMapPropagator):  # type: ignore[misc]
    """Sends the context of a span as `grpc-trace-bin`, as OpenCensus did.

    For systems where some clients or servers still use OpenCensus; others do best with W3C Trace Context. It may be one of
    several in OpenTelemetry's `CompositePropagator`.
    """

    def inject(
        self, carrier: Any, context: Context | None = None, setter: Any = default_setter
    ) -> None:
        """Add the context of the current span to `carrier`."""
        span = trace.get_current_span(context).get_span_context()
        if not span.is_valid:
            return
        value = b"".join(
            (
                bytes((_VERSION, _TRACE_ID)),
                span.trace_id.to_bytes(16, "big"),
                bytes((_SPAN_ID,)),
                span.span_id.to_bytes(8, "big"),
                bytes((_OPTIONS, int(span.trace_flags) & 1)),
            )
        )
        if isinstance(setter, MetadataSetter):
            setter.set_binary(carrier, BINARY_KEY, value)
        else:
            setter.set(carrier, BINARY_KEY, base64.b64encode(value).decode())

    def extract(
        self, carrier: Any, context: Context | None = None, getter: Any = default_getter
    ) -> Context:
        """`context` with the span that `carrier` tells of; unchanged if it tells of none."""
        if context is None:
            context = Context()
        if isinstance(getter, MetadataGetter):
            value = getter.get_binary(carrier, BINARY_KEY)
        else:
            value = _from_text(getter.get(carrier, BINARY_KEY))
        span = None if value is None else _parse(value)
        if span is None:
            return context
        return trace.set_span_in_context(trace.NonRecordingSpan(span), context)

    @property
    def fields(self) -> set[str]:
        """The keys that it sets."""
        return {BINARY_KEY}


def binary_context(fields: Iterable[tuple[bytes, bytes]]) -> Metadata:
    """The `grpc-trace-bin` of a call's header fields, as metadata."""
    found = []
    for name, value in fields:
        if name == BINARY_KEY.encode():
            binary = _from_text(value.decode("latin-1"))
            if binary is not None:
                found.append(Metadatum(BINARY_KEY, binary))
    return tuple(found)


def _from_text(values: Any) -> bytes | None:
    if not values:
        return None
    text = values if isinstance(values, str) else values[-1]
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None


def _parse(value: bytes) -> trace.SpanContext | None:
    """What `inject` wrote; None if it is no context of a span."""
    fields = _read_fields(value)
    trace_id = int.from_bytes(fields.get(_TRACE_ID, b""), "big")
    span_id = int.from_bytes(fields.get(_SPAN_ID, b""), "big")
    if not trace_id or not span_id:
        return None
    options = fields.get(_OPTIONS, b"\0")[0]
    return trace.SpanContext(trace_id, span_id, True, trace.TraceFlags(options & 1))


def _read_fields(value: bytes) -> Mapping[int, bytes]:
    fields: dict[int, bytes] = {}
    if value[:1] != bytes((_VERSION,)):
        return fields
    at = 1
    while at < len(value):
        size = _SIZES.get(value[at])
        field = value[at + 1 : at + 1 + (size or 0)]
        if size is None or len(field) < size:
            # What is unknown, and all behind it, is of a later version of the format.
            break
        fields[value[at]] = field
        at += 1 + size
    return fields
