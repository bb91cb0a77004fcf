"""Protobuf messages that Clarion itself reads and writes: load reports (gRFC A51) and health checks (gRFC A17).

Rules:

- protobuf is imported when the first of them is needed, not before.
- Their descriptors are in a pool of their own: a program may bring its own generated code for the same protos.
- Enumerations are read as int32, which they are on the wire.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

__all__ = ["health_messages", "load_messages", "message_classes"]

_Fields = Mapping[str, tuple[int, str]]

_LOAD: Mapping[str, _Fields] = {
    # xds.data.orca.v3
    "OrcaLoadReport": {
        "cpu_utilization": (1, "double"),
        "mem_utilization": (2, "double"),
        "request_cost": (4, "map"),
        "utilization": (5, "map"),
        "rps_fractional": (6, "double"),
        "eps": (7, "double"),
        "named_metrics": (8, "map"),
        "application_utilization": (9, "double"),
    },
    # xds.service.orca.v3, with google.protobuf.Duration
    "Duration": {"seconds": (1, "int64"), "nanos": (2, "int32")},
    "OrcaLoadReportRequest": {"report_interval": (1, "Duration")},
}

_HEALTH: Mapping[str, _Fields] = {
    "HealthCheckRequest": {"service": (1, "string")},
    "HealthCheckResponse": {"status": (1, "int32")},
}


@functools.cache
def load_messages() -> dict[str, Any]:
    """The messages of load reports, by name."""
    return message_classes(_LOAD)


@functools.cache
def health_messages() -> dict[str, Any]:
    """The messages of health checks (grpc.health.v1), by name."""
    return message_classes(_HEALTH)


def message_classes(messages: Mapping[str, _Fields]) -> dict[str, Any]:
    """Make message classes.

    Args:
        messages: by name, the fields: by name, number and type. The type is one of proto3's, "map" (strings to
            doubles), or another of the messages.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file: Any = descriptor_pb2.FileDescriptorProto(name="clarion.proto", syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            if kind == "map":
                # What protoc makes of `map<string, double>`.
                entry = message.nested_type.add(name=field.title().replace("_", "") + "Entry")
                entry.options.map_entry = True
                _add_field(entry, "key", 1, "string")
                _add_field(entry, "value", 2, "double")
                added = _add_field(message, field, number, f"{name}.{entry.name}")
                added.label = added.LABEL_REPEATED
            else:
                _add_field(message, field, number, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in messages
    }


def _add_field(message: Any, name: str, number: int, kind: str) -> Any:
    field = message.field.add(name=name, number=number)
    field.label = field.LABEL_OPTIONAL
    scalar = getattr(field, f"TYPE_{kind.upper()}", None)
    if scalar is None:
        field.type = field.TYPE_MESSAGE
        field.type_name = f".{kind}"
    else:
        field.type = scalar
    return field
