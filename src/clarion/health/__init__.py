"""Saying whether a server can take calls: the service grpc.health.v1.Health, which probes and load balancers ask.

    health = clarion.health.add_service(server)
    health.set("hello.Greeter", health.SERVING)
    ...
    health.enter_graceful_shutdown()

It works with both front ends. `HealthServicer`, and `aio.HealthServicer`, have the API of grpcio-health-checking.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from clarion.first_use import on_first_use
from clarion.health.board import OVERALL_HEALTH, Health, ServingStatus
from clarion.health.messages import SERVICE_NAME, messages, method_handlers, status_of
from clarion.rpc_error import RpcError
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.aio import interfaces as aio_interfaces
    from clarion.health import aio as aio
    from clarion.health.servicer import HealthServicer
    from clarion.sync.channel_interface import Channel
    from clarion.sync.interfaces import Server
else:
    __getattr__ = on_first_use(
        __name__, {"clarion.health.servicer": "HealthServicer"}, submodules=("aio",)
    )

__all__ = [
    "Health",
    "HealthServicer",
    "OVERALL_HEALTH",
    "SERVICE_NAME",
    "ServingStatus",
    "add_service",
    "check",
]


def add_service(server: Server | aio_interfaces.Server, health: Health | None = None) -> Health:
    """Let clients of `server` ask for its health.

    Clients that watch take no thread of a sync server's pool.

    Args:
        server: a server of either front end, before or after it was started.
        health: what to answer from, so that several servers may share it; a new one when None.

    Returns:
        What it answers from: set the health of services there.
    """
    health = Health() if health is None else health
    loaded = sys.modules.get("clarion.aio")
    servicer: Any
    if loaded is not None and isinstance(server, loaded.Server):
        from clarion.health.aio import HealthServicer as AioHealthServicer

        servicer = AioHealthServicer(health=health)
    else:
        from clarion.health.servicer import HealthServicer

        servicer = HealthServicer(health=health)
    server.add_registered_method_handlers(SERVICE_NAME, method_handlers(servicer))
    return health


def check(
    channel: Channel,
    service: str = OVERALL_HEALTH,
    *,
    timeout: float | None = 5.0,
    metadata: Any = None,
) -> ServingStatus:
    """Ask a server for the health of a service.

    Args:
        channel: to the server. (`clarion.health.aio.check` is the same for asyncio.)
        service: its full name; "" is the server as a whole.
        timeout: seconds.
        metadata: `(key, value)` pairs to send.

    Returns:
        Its status; SERVICE_UNKNOWN if the server does not know it.

    Raises:
        RpcError: the server cannot be reached, has no health service (UNIMPLEMENTED), or does not answer in time.
    """
    known = messages()
    call = channel.unary_unary(
        f"/{SERVICE_NAME}/Check",
        known.HealthCheckRequest.SerializeToString,
        known.HealthCheckResponse.FromString,
    )
    try:
        response = call(
            known.HealthCheckRequest(service=service), timeout=timeout, metadata=metadata
        )
    except RpcError as error:
        if error.code() is StatusCode.NOT_FOUND:  # type: ignore[attr-defined, unused-ignore]
            return ServingStatus.SERVICE_UNKNOWN
        raise
    return status_of(response.status)
