"""grpc.health.v1.Health for asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from clarion.health.board import OVERALL_HEALTH, Health, ServingStatus, TooMany
from clarion.health.messages import SERVICE_NAME, list_response, messages, shortened, status_of
from clarion.rpc_error import RpcError
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.aio import Channel

__all__ = ["HealthServicer", "check"]


class HealthServicer:
    """Answers for a `Health`, with the names and arguments of grpcio-health-checking.

    Args:
        health: what to answer from; a new one when None. It may be set from any thread.

    Attributes:
        health: what it answers from.
    """

    def __init__(self, *, health: Health | None = None) -> None:
        self.health = Health() if health is None else health

    async def set(self, service: str, status: int) -> None:
        """Set the health of a service; see `Health.set`."""
        self.health.set(service, status)

    async def enter_graceful_shutdown(self) -> None:
        """Make everything NOT_SERVING, for good; see `Health.enter_graceful_shutdown`."""
        self.health.enter_graceful_shutdown()

    async def Check(self, request: Any, context: Any) -> Any:
        """The health of a service now."""
        status = self.health.get(request.service)
        if status is None:
            await context.abort(
                StatusCode.NOT_FOUND,
                f"the server does not know the health of {shortened(request.service)}",
            )
        return messages().HealthCheckResponse(status=status)

    async def List(self, request: Any, context: Any) -> Any:
        """The health of all services."""
        try:
            return list_response(self.health)
        except TooMany as error:
            await context.abort(StatusCode.RESOURCE_EXHAUSTED, str(error))

    async def Watch(self, request: Any, context: Any) -> None:
        """The health of a service now and after each change."""
        loop = asyncio.get_running_loop()
        news = asyncio.Event()

        def changed() -> None:
            try:
                loop.call_soon_threadsafe(news.set)
            except RuntimeError:
                # The loop is closed, and the call with it.
                pass

        try:
            watch = self.health.watch(request.service, changed)
        except TooMany as error:
            await context.abort(StatusCode.RESOURCE_EXHAUSTED, str(error))
        told = None
        try:
            while True:
                news.clear()
                status = watch.status
                if status is not told:
                    told = status
                    await context.write(messages().HealthCheckResponse(status=status))
                await news.wait()
        finally:
            watch.stop()


async def check(
    channel: Channel,
    service: str = OVERALL_HEALTH,
    *,
    timeout: float | None = 5.0,
    metadata: Any = None,
) -> ServingStatus:
    """Ask a server for the health of a service; see `clarion.health.check`."""
    known = messages()
    call = channel.unary_unary(
        f"/{SERVICE_NAME}/Check",
        known.HealthCheckRequest.SerializeToString,
        known.HealthCheckResponse.FromString,
    )
    request = known.HealthCheckRequest(service=service)
    try:
        response = await call(request, timeout=timeout, metadata=metadata)
    except RpcError as error:
        if error.code() is StatusCode.NOT_FOUND:  # type: ignore[attr-defined, unused-ignore]
            return ServingStatus.SERVICE_UNKNOWN
        raise
    return status_of(response.status)
