"""Handlers of asyncio servers as async generators of responses, of whatever kind they are.

There are three: those that are async generators, coroutines (which give a stream of responses by `context.write`, and
may take requests by `context.read`), and plain functions, which run on the server's thread pool. Interceptors see the
same of all. For a handler that writes, a task is made, which waits with each response until that has been sent.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from clarion.aio.errors import EOF
from clarion.aio.migration import ThreadServicerContext
from clarion.aio.server_call import CALL, GENERATE, style_of
from clarion.aio.server_context import ServicerContext
from clarion.interceptors.served import ServedCall, only_request
from clarion.status import StatusCode

__all__ = ["close", "respond"]

_END = object()

Write = Callable[[Any], Awaitable[None]]


async def close(responses: Any) -> None:
    """Close an async generator, or a coroutine that nobody awaits."""
    aclose = getattr(responses, "aclose", None)
    if aclose is not None:
        await aclose()
    elif hasattr(responses, "close"):
        responses.close()


async def respond(
    behavior: Callable[..., Any],
    pattern: tuple[bool, bool],
    requests: AsyncIterator[Any],
    context: Any,
    served: ServedCall,
) -> AsyncIterator[Any]:
    """Run a handler.

    Args:
        behavior: the handler's function.
        pattern: whether it takes a stream of requests, and gives a stream of responses.
        requests: what it gets, all of it; also by `context.read`.
        context: what it is called with, as far as it does not read or write by it.
        served: the call.
    """
    request_streaming, response_streaming = pattern
    if request_streaming:
        argument: Any = aiter(requests)
        seen: Any = _Context(context, argument, context.write)
    else:
        argument = only_request(served.method, [request async for request in requests])
        seen = context
    style = style_of(behavior)
    if not response_streaming:
        if style is CALL:
            response = await behavior(argument, seen)
        else:
            response = await _on_thread(behavior, argument, context, served, None)
        if response is not None or context.code() in (None, StatusCode.OK):
            yield response
        return
    if style is GENERATE:
        responses = behavior(argument, seen)
    elif style is CALL:
        responses = _pushed(lambda write: _call(behavior, argument, context, write))
    else:
        responses = _pushed(lambda write: _on_thread(behavior, argument, context, served, write))
    try:
        async for response in responses:
            yield response
    finally:
        await close(responses)


async def _call(behavior: Callable[..., Any], argument: Any, context: Any, write: Write) -> None:
    result = await behavior(argument, _Context(context, argument, write))
    if result is not None and hasattr(result, "__aiter__"):
        async for response in result:
            await write(response)


async def _pushed(run: Callable[[Write], Any]) -> AsyncIterator[Any]:
    """What `run(write)` writes, which goes on when that was taken and the next response is asked for."""
    queue: asyncio.Queue[Any] = asyncio.Queue()

    async def write(response: Any) -> None:
        queue.put_nowait(response)
        await queue.join()

    task = asyncio.ensure_future(run(write))
    task.add_done_callback(lambda _: queue.put_nowait(_END))
    try:
        while (response := await queue.get()) is not _END:
            yield response
            queue.task_done()
        await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            # Who took the last response has no more use for it.
            task.exception()


class _Context:
    """A handler's context that reads and writes elsewhere; in all else the context itself."""

    def __init__(self, context: Any, requests: Any, write: Write) -> None:
        self.__context = context
        self.__requests = requests
        self.write = write

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__context, name)

    def __repr__(self) -> str:
        return repr(self.__context)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self.__context)

    async def read(self) -> Any:
        """See `ServicerContext`."""
        if not hasattr(self.__requests, "__anext__"):
            # Says what is wrong.
            return await self.__context.read()
        return await anext(self.__requests, EOF)


# Plain functions


class _ThreadContext(ThreadServicerContext):
    """The same for a handler on a thread."""

    def __init__(
        self, call: Any, context: ServicerContext, requests: Any, write: Write | None
    ) -> None:
        ThreadServicerContext.__init__(self, call, context)
        self._requests = requests
        self._write = write

    def read(self) -> Any:
        return self._wait(self._next())

    async def _next(self) -> Any:
        return await anext(self._requests, EOF)

    def write(self, message: Any) -> None:
        self._wait(self._context.write(message) if self._write is None else self._write(message))


def _iterate(context: _ThreadContext) -> Iterator[Any]:
    while (request := context.read()) is not EOF:
        yield request


async def _on_thread(
    behavior: Callable[..., Any],
    argument: Any,
    context: Any,
    served: ServedCall,
    write: Write | None,
) -> Any:
    """Run a plain function on the thread pool; return its response, or write its responses."""
    loop = asyncio.get_running_loop()
    run: Callable[..., Any] = contextvars.copy_context().run
    thread_context = _ThreadContext(served.served_by, context, argument, write)
    given = _iterate(thread_context) if hasattr(argument, "__anext__") else argument
    result = await loop.run_in_executor(served.executor, run, behavior, given, thread_context)
    if write is None or result is None:
        return result
    responses = iter(result)
    while True:
        response = await loop.run_in_executor(served.executor, run, next, responses, _END)
        if response is _END:
            return None
        await write(response)
