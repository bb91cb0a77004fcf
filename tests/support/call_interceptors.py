"""Interceptors of Clarion's own kind for either front end."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any

from clarion.interceptors import CallInterceptor, ServedCall
from clarion.interceptors.aio import CallInterceptor as AioCallInterceptor
from support.front_end import FrontEnd
from support.libraries import LIMIT

__all__ = ["Endings", "changing", "plain_changing"]

Change = Callable[[str], str]


class Endings:
    """Notes the calls that have ended.

    Attributes:
        interceptor: to be given to a server.
    """

    def __init__(self, front: FrontEnd) -> None:
        self._ended: queue.SimpleQueue[ServedCall] = queue.SimpleQueue()
        put = self._ended.put

        class Sync(CallInterceptor):
            def ended(self, call: ServedCall) -> None:
                put(call)

        class Aio(AioCallInterceptor):
            async def ended(self, call: ServedCall) -> None:
                put(call)

        self.interceptor: Any = Sync() if front.name == "sync" else Aio()

    def next(self) -> ServedCall:
        """Waits for the next call to end."""
        return self._ended.get(timeout=LIMIT)

    def none_more(self) -> bool:
        """Whether all that ended were looked at."""
        return self._ended.empty()


def changing(front: FrontEnd, mark: bytes, log: list[str] | None = None) -> Any:
    """An interceptor that puts `mark` behind each request and response, and notes where it begins and ends."""
    name = mark.decode()
    notes = [] if log is None else log

    class Sync(CallInterceptor):
        def intercept(self, call: ServedCall, requests: Any, proceed: Any) -> Any:
            notes.append(f"{name} begins")
            try:
                for response in proceed(request + mark for request in requests):
                    yield response + mark
            except ValueError as error:
                notes.append(f"{name} saw {error}")
                raise
            finally:
                notes.append(f"{name} ends")

    class Aio(AioCallInterceptor):
        async def intercept(self, call: ServedCall, requests: Any, proceed: Any) -> Any:
            notes.append(f"{name} begins")
            try:
                async for response in proceed(request + mark async for request in requests):
                    yield response + mark
            except ValueError as error:
                notes.append(f"{name} saw {error}")
                raise
            finally:
                notes.append(f"{name} ends")

    return Sync() if front.name == "sync" else Aio()


def plain_changing(front: FrontEnd, mark: bytes) -> Any:
    """An interceptor of grpcio's kind that puts `mark` behind each message of a method with one request and response."""
    root = front.library.root

    def wrapped(handler: Any) -> Any:
        inner = handler.unary_unary
        if front.name == "sync":

            def behavior(request: bytes, context: Any) -> bytes:
                response: bytes = inner(request + mark, context)
                return response + mark
        else:

            async def behavior(request: bytes, context: Any) -> bytes:  # type: ignore[misc]
                response: bytes = await inner(request + mark, context)
                return response + mark

        return root.unary_unary_rpc_method_handler(
            behavior, handler.request_deserializer, handler.response_serializer
        )

    class Sync(root.ServerInterceptor):  # type: ignore[misc,name-defined]
        def intercept_service(self, continuation: Any, details: Any) -> Any:
            return wrapped(continuation(details))

    class Aio(front.library.aio.ServerInterceptor):  # type: ignore[misc,name-defined]
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            return wrapped(await continuation(details))

    return Sync() if front.name == "sync" else Aio()
