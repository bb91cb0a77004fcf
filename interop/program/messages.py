"""The messages of `protos/`, generated on first use, and the methods as values."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import Any

from google.protobuf.message_factory import GetMessageClass

from interop.harness.toolchains import generate_python

__all__ = ["ORCA_KEY", "Method", "methods", "orca", "orca_service", "payload", "testing"]

sys.path.append(str(generate_python()))

testing: Any = importlib.import_module("interop_test_pb2")
orca: Any = importlib.import_module("orca_load_report_pb2")
orca_service: Any = importlib.import_module("orca_service_pb2")

ORCA_KEY = "endpoint-load-metrics-bin"
"""Trailing metadata with the load report of one call (gRFC A51)."""


@dataclass(frozen=True)
class Method:
    """A method of a service: its path, and grpcio's name of its pattern."""

    name: str
    path: str
    pattern: str
    request: Any
    response: Any


def _methods() -> dict[str, dict[str, Method]]:
    found: dict[str, dict[str, Method]] = {}
    for module in (testing, orca_service):
        for service in module.DESCRIPTOR.services_by_name.values():
            found[service.full_name] = {
                each.name: Method(
                    each.name,
                    f"/{service.full_name}/{each.name}",
                    "_".join(
                        "stream" if streaming else "unary"
                        for streaming in (each.client_streaming, each.server_streaming)
                    ),
                    GetMessageClass(each.input_type),
                    GetMessageClass(each.output_type),
                )
                for each in service.methods
            }
    return found


methods = _methods()
"""By the full name of the service, then by the name of the method."""


def payload(size: int) -> Any:
    """A payload of `size` zeros."""
    return testing.Payload(body=bytes(size))
