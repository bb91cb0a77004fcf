"""The messages of grpc.health.v1, and what both front ends make of them."""

from __future__ import annotations

from typing import Any

from clarion.health.board import Health, ServingStatus
from clarion.health.contract import HEALTH
from clarion.method import (
    RpcMethodHandler,
    unary_stream_rpc_method_handler,
    unary_unary_rpc_method_handler,
)
from clarion.service_protos import ServiceMessages, load

__all__ = ["SERVICE_NAME", "list_response", "messages", "method_handlers", "shortened", "status_of"]

SERVICE_NAME = "grpc.health.v1.Health"


def messages() -> ServiceMessages:
    """The message classes, by name."""
    return load(HEALTH)


def list_response(health: Health) -> Any:
    """The answer to List.

    Raises:
        TooMany: there is too much to list.
    """
    response = messages().HealthListResponse()
    for service, status in health.listed().items():
        response.statuses[service].status = status
    return response


def status_of(number: int) -> ServingStatus:
    """A status that a server sent; UNKNOWN if it is one of later times."""
    try:
        return ServingStatus(number)
    except ValueError:
        return ServingStatus.UNKNOWN


def shortened(service: str) -> str:
    """A name that a client sent, for a message to it."""
    return repr(service if len(service) <= 100 else f"{service[:100]}...")


def method_handlers(servicer: Any) -> dict[str, RpcMethodHandler]:
    """The handlers of a servicer of either front end, by method name."""
    known = messages()
    check, several = known.HealthCheckRequest, known.HealthListRequest
    response = known.HealthCheckResponse.SerializeToString
    return {
        "Check": unary_unary_rpc_method_handler(servicer.Check, check.FromString, response),
        "List": unary_unary_rpc_method_handler(
            servicer.List, several.FromString, known.HealthListResponse.SerializeToString
        ),
        "Watch": unary_stream_rpc_method_handler(servicer.Watch, check.FromString, response),
    }
