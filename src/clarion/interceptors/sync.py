"""`CallInterceptor` for sync servers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from clarion.interceptors.served import ServedCall, behavior_of, handler_like, only_request
from clarion.method import HandlerCallDetails, RpcMethodHandler
from clarion.status import StatusCode
from clarion.sync.interceptor_interface import ServerInterceptor

__all__ = ["CallInterceptor"]

Proceed = Callable[[Iterable[Any]], Iterator[Any]]

_NONE = object()


class CallInterceptor(ServerInterceptor):
    """Sees calls to a sync server from their requests to their end. Override `intercept`, `ended`, or both."""

    def intercept(
        self, call: ServedCall, requests: Iterator[Any], proceed: Proceed
    ) -> Iterator[Any]:
        """Serve a call: a generator of its responses, the same for all four patterns.

        It runs on the thread of the handler, in the same `contextvars` context. What it raises ends the call, as what a
        handler raises does; `call.context.abort` ends it with a status. It is closed when the call is cut off.

        Args:
            call: the call.
            requests: the requests, as messages; one where the method takes one.
            proceed: `proceed(requests)` goes on to the next interceptor and the handler, and gives the responses (one
                where the method gives one; none if it ends without). It may be called once or not at all. Nothing
                happens before the first response is asked for.

        Yields:
            The responses.
        """
        return proceed(requests)

    def ended(self, call: ServedCall) -> None:
        """A call is over, however it ended. It runs after the status was sent; what it raises is logged.

        Args:
            call: the call, with `code`, `details`, `exception` and `duration`.
        """

    def intercept_service(
        self,
        continuation: Callable[[HandlerCallDetails], RpcMethodHandler | Any],
        handler_call_details: HandlerCallDetails,
    ) -> RpcMethodHandler | None:
        """See `ServerInterceptor`; this is what makes it one."""
        served, first = ServedCall.of(handler_call_details)
        kind = type(self)
        if kind.ended is not CallInterceptor.ended:
            served.watch(self.ended)
        handler: RpcMethodHandler | None = continuation(handler_call_details)
        if handler is None:
            return None
        if first:
            handler = served.counted(handler)
        if kind.intercept is not CallInterceptor.intercept:
            handler = self._around(served, handler)
        return handler

    def _around(self, served: ServedCall, handler: RpcMethodHandler) -> RpcMethodHandler:
        request_streaming = handler.request_streaming
        response_streaming = handler.response_streaming
        behavior = behavior_of(handler)

        def stream(argument: Any, context: Any) -> Iterator[Any]:
            if served.context is None:
                served.context = context

            def proceed(requests: Iterable[Any]) -> Iterator[Any]:
                if request_streaming:
                    given: Any = iter(requests)
                else:
                    given = only_request(served.method, list(requests))
                if response_streaming:
                    yield from behavior(given, context)
                    return
                response = behavior(given, context)
                if response is not None or context.code() in (None, StatusCode.OK):
                    yield response

            requests = argument if request_streaming else iter((argument,))
            responses: Any = self.intercept(served, requests, proceed)
            if responses is None:
                raise TypeError(
                    f"{type(self).__name__}.intercept returned None; it must yield the responses, as"
                    " `yield from proceed(requests)` does"
                )
            return iter(responses)

        def single(argument: Any, context: Any) -> Any:
            responses = stream(argument, context)
            try:
                response = next(responses, _NONE)
                if response is not _NONE and next(responses, _NONE) is not _NONE:
                    raise ValueError(
                        f"{type(self).__name__}.intercept yields more than one response for"
                        f" {served.method}, which gives one"
                    )
            finally:
                close = getattr(responses, "close", None)
                if close is not None:
                    close()
            return None if response is _NONE else response

        return handler_like(
            handler,
            stream if response_streaming else single,
            handler.request_deserializer,
            handler.response_serializer,
        )
