"""Injected faults on the sync front end.

A delay is a timer of Clarion's I/O thread, so a `FakeClock` moves it. On a server it ends with the call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clarion.method import HandlerCallDetails, RpcMethodHandler
from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode
from clarion.sync.errors import CallError
from clarion.sync.interceptor_interface import (
    ServerInterceptor,
    StreamStreamClientInterceptor,
    StreamUnaryClientInterceptor,
    UnaryStreamClientInterceptor,
    UnaryUnaryClientInterceptor,
)
from clarion.sync.runtime import runtime
from clarion.testing.handlers import replaced

if TYPE_CHECKING:
    from clarion.testing.fault_injection import FaultInjector, Verdict

__all__ = ["FaultyCalls", "FaultyService"]


def _pause(seconds: float, context: Any = None) -> None:
    done = threading.Event()
    timer = runtime().call_later(seconds, done.set)
    if context is None or context.add_callback(done.set):
        done.wait()
    timer.cancel()


class FaultyCalls(
    UnaryUnaryClientInterceptor[Any, Any],
    UnaryStreamClientInterceptor[Any, Any],
    StreamUnaryClientInterceptor[Any, Any],
    StreamStreamClientInterceptor[Any, Any],
):
    """A channel's faults. The time that a call is held up is part of its timeout."""

    def __init__(self, injector: FaultInjector) -> None:
        self._injector = injector

    def _intercept(self, go_on: Callable[[Any, Any], Any], details: Any, request: Any) -> Any:
        verdict = self._injector.judge(details.method, details.metadata)
        if verdict is not None:
            try:
                details = self._happen(verdict, details)
            finally:
                self._injector.over(verdict)
        return go_on(details, request)

    def _happen(self, verdict: Verdict, details: Any) -> Any:
        timeout = details.timeout
        if verdict.delay:
            if timeout is not None and timeout <= verdict.delay:
                _pause(timeout)
                raise CallError(Outcome(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"), None)
            _pause(verdict.delay)
        if verdict.abort is not None:
            raise CallError(Outcome(verdict.abort, verdict.details), None)
        return details if timeout is None else details._replace(timeout=timeout - verdict.delay)

    intercept_unary_unary: Any = _intercept
    intercept_unary_stream: Any = _intercept
    intercept_stream_unary: Any = _intercept
    intercept_stream_stream: Any = _intercept


class FaultyService(ServerInterceptor):
    """A server's faults. They happen where the handler would run."""

    def __init__(self, injector: FaultInjector) -> None:
        self._injector = injector

    def intercept_service(
        self,
        continuation: Callable[[HandlerCallDetails], RpcMethodHandler | None],
        handler_call_details: HandlerCallDetails,
    ) -> RpcMethodHandler | None:
        """See `ServerInterceptor`."""
        handler = continuation(handler_call_details)
        if handler is None:
            return None
        details = handler_call_details
        verdict = self._injector.judge(details.method, details.invocation_metadata)
        if verdict is None:
            return handler
        injector = self._injector

        def happen(context: Any) -> None:
            try:
                if verdict.delay:
                    _pause(verdict.delay, context)
                if verdict.abort is not None:
                    context.abort(verdict.abort, verdict.details)
            finally:
                injector.over(verdict)

        def wrap(behavior: Callable[[Any, Any], Any], streams: bool) -> Callable[[Any, Any], Any]:
            def one(request: Any, context: Any) -> Any:
                happen(context)
                return behavior(request, context)

            def many(request: Any, context: Any) -> Any:
                happen(context)
                yield from behavior(request, context)

            return many if streams else one

        return replaced(handler, wrap)
