"""`CallInterceptor` for asyncio servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from clarion.aio.interceptors import ServerInterceptor
from clarion.interceptors.aio_handlers import close, respond
from clarion.interceptors.served import ServedCall, behavior_of, handler_like
from clarion.method import HandlerCallDetails, RpcMethodHandler

__all__ = ["CallInterceptor"]

Proceed = Callable[[AsyncIterator[Any]], AsyncIterator[Any]]

_NONE = object()


class CallInterceptor(ServerInterceptor):
    """Sees calls to an asyncio server from their requests to their end. Override `intercept`, `ended`, or both."""

    def intercept(
        self, call: ServedCall, requests: AsyncIterator[Any], proceed: Proceed
    ) -> AsyncIterator[Any]:
        """Serve a call: an async generator of its responses, the same for all four patterns and all kinds of handlers.

        It runs in the task of the call. What it raises ends the call, as what a handler raises does;
        `await call.context.abort(...)` ends it with a status. It is cancelled or closed when the call is cut off.

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

    def ended(self, call: ServedCall) -> Any:
        """A call is over, however it ended; may be `async`. It runs after the status was sent; what it raises is logged.

        Args:
            call: the call, with `code`, `details`, `exception` and `duration`.
        """

    async def intercept_service(
        self, continuation: Callable[..., Any], handler_call_details: HandlerCallDetails
    ) -> RpcMethodHandler | None:
        """See `ServerInterceptor`; this is what makes it one."""
        served, first = ServedCall.of(handler_call_details)
        kind = type(self)
        if kind.ended is not CallInterceptor.ended:
            served.watch(self.ended)
        handler: RpcMethodHandler | None = await continuation(handler_call_details)
        if handler is None:
            return None
        if first:
            handler = served.counted(handler)
        if kind.intercept is not CallInterceptor.intercept:
            handler = self._around(served, handler)
        return handler

    def _around(self, served: ServedCall, handler: RpcMethodHandler) -> RpcMethodHandler:
        behavior = behavior_of(handler)
        pattern = bool(handler.request_streaming), bool(handler.response_streaming)

        async def stream(argument: Any, context: Any) -> AsyncIterator[Any]:
            if served.context is None:
                served.context = context
            begun: list[Any] = []

            def proceed(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
                responses = respond(behavior, pattern, requests, context, served)
                begun.append(responses)
                return responses

            requests = argument if pattern[0] else _one(argument)
            responses: Any = self.intercept(served, requests, proceed)
            if not hasattr(responses, "__aiter__"):
                await close(responses)
                raise TypeError(
                    f"{type(self).__name__}.intercept must be an async generator of responses; it"
                    f" returned {type(responses).__name__}"
                )
            try:
                async for response in responses:
                    yield response
            finally:
                # From the outside to the inside, and now: the interpreter would do it some time later.
                for each in (responses, *begun):
                    await close(each)

        async def single(argument: Any, context: Any) -> Any:
            response = _NONE
            responses = stream(argument, context)
            try:
                async for each in responses:
                    if response is not _NONE:
                        raise ValueError(
                            f"{type(self).__name__}.intercept yields more than one response for"
                            f" {served.method}, which gives one"
                        )
                    response = each
            finally:
                await close(responses)
            return None if response is _NONE else response

        return handler_like(
            handler,
            stream if pattern[1] else single,
            handler.request_deserializer,
            handler.response_serializer,
        )


async def _one(request: Any) -> AsyncIterator[Any]:
    yield request
