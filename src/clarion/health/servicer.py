"""grpc.health.v1.Health on a sync server. A client that watches takes no thread of the server's pool."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from clarion.health.board import Health, ServingStatus, TooMany
from clarion.health.messages import list_response, messages, shortened
from clarion.status import StatusCode
from clarion.sync.slow_stream import SlowStream

__all__ = ["HealthServicer"]


class HealthServicer:
    """Answers for a `Health`, with the names and arguments of grpcio-health-checking.

    Args:
        experimental_non_blocking: for the sake of programs that give it; watching never takes a thread.
        experimental_thread_pool: likewise.
        health: what to answer from; a new one when None.

    Attributes:
        health: what it answers from.
    """

    def __init__(
        self,
        experimental_non_blocking: bool = True,
        experimental_thread_pool: Executor | None = None,
        *,
        health: Health | None = None,
    ) -> None:
        self.health = Health() if health is None else health

    def set(self, service: str, status: int) -> None:
        """Set the health of a service; see `Health.set`."""
        self.health.set(service, status)

    def enter_graceful_shutdown(self) -> None:
        """Make everything NOT_SERVING, for good; see `Health.enter_graceful_shutdown`."""
        self.health.enter_graceful_shutdown()

    def Check(self, request: Any, context: Any) -> Any:
        """The health of a service now."""
        status = self.health.get(request.service)
        if status is None:
            context.set_code(StatusCode.NOT_FOUND)
            context.set_details(
                f"the server does not know the health of {shortened(request.service)}"
            )
            return messages().HealthCheckResponse()
        return messages().HealthCheckResponse(status=status)

    def List(self, request: Any, context: Any) -> Any:
        """The health of all services."""
        try:
            return list_response(self.health)
        except TooMany as error:
            context.abort(StatusCode.RESOURCE_EXHAUSTED, str(error))

    def Watch(
        self,
        request: Any,
        context: Any,
        send_response_callback: Callable[[Any], object] | None = None,
    ) -> Any:
        """The health of a service now and after each change.

        Args:
            request: names the service.
            context: the call's.
            send_response_callback: called with each response in place of returning them.
        """
        news = _News()
        if send_response_callback is None:
            stream = SlowStream(context, None, news.response)
            changed: Callable[[], object] = stream.wake
        else:
            send = send_response_callback
            # What is sent last is the latest, whoever sets it meanwhile. The callback may set it itself.
            turn = threading.RLock()

            def changed() -> None:
                with turn:
                    response = news.response()
                    if response is not None:
                        send(response)

        try:
            news.watch = self.health.watch(request.service, changed)
        except TooMany as error:
            context.abort(StatusCode.RESOURCE_EXHAUSTED, str(error))
        if not context.add_callback(news.watch.stop):
            # The call is over already.
            news.watch.stop()
        if send_response_callback is None:
            return stream
        changed()
        return None


class _News:
    """What a client that watches has not been told yet."""

    watch: Any = None
    _told: ServingStatus | None = None

    def response(self) -> Any:
        """The next response; None if the client knows how things are."""
        status = self.watch.status
        if status is self._told:
            return None
        self._told = status
        return messages().HealthCheckResponse(status=status)
