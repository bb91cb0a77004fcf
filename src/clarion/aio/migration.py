"""Plain (non-async) handlers on an asyncio server: they run on a thread pool, as in grpc.aio.

The handler sees a context whose methods may be called from its thread, and an ordinary iterator of requests.
Everything that touches the connection happens on the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from clarion.aio.errors import EOF
from clarion.aio.server_context import ServicerContext
from clarion.server_core.methods import Method
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.aio.server_call import AioServerCall

__all__ = ["ThreadServicerContext", "run_plain"]

_END = object()


class ThreadServicerContext:
    """The context of a call for a handler on a thread; the methods are those of the sync server's context."""

    def __init__(self, call: AioServerCall, context: ServicerContext) -> None:
        self._call = call
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def send_initial_metadata(self, initial_metadata: Any) -> None:
        """Send the metadata before the first response."""
        self._wait(self._context.send_initial_metadata(initial_metadata))

    def abort(self, code: StatusCode, details: str = "", trailing_metadata: Any = ()) -> NoReturn:
        """End the call with a status, and leave the handler."""
        self._wait(self._context.abort(code, details, trailing_metadata))
        raise AssertionError("abort returned")

    def abort_with_status(self, status: Any) -> NoReturn:
        """End the call with a `Status`, and leave the handler."""
        self.abort(status.code, status.details, status.trailing_metadata)

    def add_callback(self, callback: Callable[[], Any]) -> bool:
        """Call `callback()` when the call is over; False if it is over already."""
        if self._call.over:
            return False
        self._context.add_done_callback(lambda _: callback())
        return True

    def cancel(self) -> None:
        """Cancel the call."""
        self._call.link.loop.call_soon_threadsafe(
            self._call.fail, StatusCode.CANCELLED, "the server cancelled the call"
        )

    def read(self) -> Any:
        """The next request, or `EOF`."""
        return self._wait(self._call.next_request())

    def write(self, message: Any) -> None:
        """Send a response."""
        self._wait(self._call.write(message))

    def _wait(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._call.link.loop).result()


def _requests(context: ThreadServicerContext) -> Iterator[Any]:
    while True:
        request = context.read()
        if request is EOF:
            return
        yield request


async def run_plain(
    call: AioServerCall, method: Method, argument: Any, context: ServicerContext
) -> Any:
    """Run a plain handler on the server's thread pool; return its response, or send its responses."""
    loop = call.link.loop
    thread_context = ThreadServicerContext(call, context)
    if method.request_streaming:
        argument = _requests(thread_context)
    executor = call.executor()
    result = await loop.run_in_executor(executor, method.behavior, argument, thread_context)
    if not method.response_streaming:
        return result
    if result is None:
        return None
    responses = iter(result)
    while True:
        response = await loop.run_in_executor(executor, next, responses, _END)
        if response is _END:
            return None
        await call.write(response)
