"""Injected faults on the asyncio front end. A delay is `asyncio.sleep`, so a `FakeClock` moves it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from clarion.aio.errors import AioRpcError
from clarion.aio.interceptors import (
    ClientInterceptor,
    ServerInterceptor,
    StreamStreamClientInterceptor,
    StreamUnaryClientInterceptor,
    UnaryStreamClientInterceptor,
    UnaryUnaryClientInterceptor,
)
from clarion.metadata import Metadata
from clarion.method import HandlerCallDetails, RpcMethodHandler
from clarion.status import StatusCode
from clarion.testing.handlers import replaced

if TYPE_CHECKING:
    from clarion.testing.fault_injection import FaultInjector, Verdict

__all__ = ["FaultyService", "client_interceptors"]


class _Faulty:
    def __init__(self, injector: FaultInjector) -> None:
        self._injector = injector

    async def _intercept(self, go_on: Any, details: Any, request: Any) -> Any:
        verdict = self._injector.judge(details.method, details.metadata)
        if verdict is not None:
            try:
                details = await self._happen(verdict, details)
            finally:
                self._injector.over(verdict)
        return await go_on(details, request)

    async def _happen(self, verdict: Verdict, details: Any) -> Any:
        timeout = details.timeout
        if verdict.delay:
            if timeout is not None and timeout <= verdict.delay:
                await asyncio.sleep(timeout)
                raise _error(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
            await asyncio.sleep(verdict.delay)
        if verdict.abort is not None:
            raise _error(verdict.abort, verdict.details)
        return details if timeout is None else details._replace(timeout=timeout - verdict.delay)


def _error(code: StatusCode, details: str) -> AioRpcError:
    return AioRpcError(code, Metadata(), Metadata(), details)


class _UnaryUnary(_Faulty, UnaryUnaryClientInterceptor[Any, Any]):
    intercept_unary_unary: Any = _Faulty._intercept


class _UnaryStream(_Faulty, UnaryStreamClientInterceptor[Any, Any]):
    intercept_unary_stream: Any = _Faulty._intercept


class _StreamUnary(_Faulty, StreamUnaryClientInterceptor[Any, Any]):
    intercept_stream_unary: Any = _Faulty._intercept


class _StreamStream(_Faulty, StreamStreamClientInterceptor[Any, Any]):
    intercept_stream_stream: Any = _Faulty._intercept


def client_interceptors(injector: FaultInjector) -> list[ClientInterceptor]:
    """A channel's faults. The time that a call is held up is part of its timeout."""
    return [kind(injector) for kind in (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)]


class FaultyService(ServerInterceptor):
    """A server's faults."""

    def __init__(self, injector: FaultInjector) -> None:
        self._injector = injector

    async def intercept_service(
        self,
        continuation: Callable[[HandlerCallDetails], Awaitable[RpcMethodHandler | Any]],
        handler_call_details: HandlerCallDetails,
    ) -> RpcMethodHandler | None:
        """See `ServerInterceptor`."""
        handler: RpcMethodHandler | None = await continuation(handler_call_details)
        details = handler_call_details
        if handler is None:
            return None
        verdict = self._injector.judge(details.method, details.invocation_metadata)
        if verdict is None:
            return handler
        code, text = verdict.abort, verdict.details
        try:
            if verdict.delay:
                # In the call's task: it ends with the call.
                await asyncio.sleep(verdict.delay)
        finally:
            self._injector.over(verdict)
        if code is None:
            return handler

        async def one(request: Any, context: Any) -> Any:
            await context.abort(code, text)

        async def many(request: Any, context: Any) -> Any:
            await context.abort(code, text)
            yield

        return replaced(handler, lambda behavior, streams: many if streams else one)
