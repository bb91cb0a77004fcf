"""Calls that go through client interceptors.

The interceptors of a call run in one task; its result is the call that the outermost of them returned, and what the
application holds speaks for that call. Until there is one, the application may already wait, read, write and cancel.
Without interceptors none of this is in the way: the channel then makes other callables.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any

from clarion.aio.answered_calls import (
    OVER,
    AnsweredCall,
    CancelledCall,
    FailedCall,
    IteratedStreamStreamCall,
    IteratedUnaryStreamCall,
)
from clarion.aio.errors import EOF, AioRpcError, UsageError
from clarion.aio.interceptors import ClientCallDetails
from clarion.aio.interfaces import (
    Call,
    StreamStreamCall,
    StreamUnaryCall,
    UnaryStreamCall,
    UnaryUnaryCall,
)
from clarion.aio.waiters import Waiters
from clarion.metadata import Metadata
from clarion.status import StatusCode

__all__ = [
    "InterceptedCall",
    "InterceptedStreamStreamCall",
    "InterceptedStreamUnaryCall",
    "InterceptedUnaryStreamCall",
    "InterceptedUnaryUnaryCall",
    "WrittenRequests",
]

Start = Callable[[ClientCallDetails, Any], Call]


class InterceptedCall(Call):
    """What the four kinds share.

    Attributes:
        loop: the event loop.
        task: runs the interceptors.

    Args:
        loop: the event loop.
        interceptors: those of this kind; the first is the outermost.
        start: makes a call without interceptors.
        details: what the application asks for.
        request: the request, or the requests.
    """

    # What an interceptor of this kind implements, and what it may return.
    _ENTRY = ""
    _KIND: Any = Call

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        interceptors: tuple[Any, ...],
        start: Start,
        details: ClientCallDetails,
        request: Any,
    ) -> None:
        self.loop = loop
        self._interceptors = interceptors
        self._start = start
        self._deadline = None if details.timeout is None else loop.time() + details.timeout
        self._path = details.method
        self._latest: Call | None = None
        self._failure: FailedCall | None = None
        self._callbacks: list[tuple[Callable[[Any], Any], Context]] = []
        self.task: asyncio.Task[Any] = loop.create_task(self._run(details, request))
        self.task.add_done_callback(self._settled)

    # Running the interceptors

    async def _run(self, details: ClientCallDetails, request: Any) -> Any:
        try:
            return await self._proceed(0, details, request)
        except AioRpcError as error:
            # No failure of the task: nobody has to ask for the status of a call.
            self._abandon()
            return FailedCall(error)
        except asyncio.CancelledError:
            self._abandon()
            raise
        except Exception as error:
            self._abandon()
            self._failure = FailedCall(error)
            raise

    def _abandon(self) -> None:
        """Nobody will get the call that was begun, so nobody could cancel it."""
        if self._latest is not None:
            self._latest.cancel()

    async def _proceed(self, index: int, details: ClientCallDetails, request: Any) -> Call:
        if index == len(self._interceptors):
            call = self._latest = self._start(details, request)
            return call
        entry = getattr(self._interceptors[index], self._ENTRY)
        answer = await entry(self._continuation(index + 1), details, request)
        call = self._latest = answer if isinstance(answer, self._KIND) else self._wrap(answer)
        return call

    def _continuation(self, index: int) -> Callable[..., Awaitable[Call]]:
        def continuation(client_call_details: Any, request: Any) -> Coroutine[Any, Any, Call]:
            return self._proceed(index, client_call_details, request)

        return continuation

    def _wrap(self, answer: Any) -> Call:
        """The call that stands for what an interceptor returned instead of a call."""
        return AnsweredCall(answer)

    def _known(self) -> Any:
        """The call to speak for, or None while the interceptors run."""
        task = self.task
        if not task.done():
            return None
        if task.cancelled():
            return CancelledCall()
        return self._failure or task.result()

    async def _spoken_for(self) -> Any:
        """The call to speak for. Whoever is cancelled while waiting for it cancels nothing else."""
        if not self.task.done():
            await asyncio.wait((self.task,))
        return self._known()

    async def _returned(self) -> Any:
        """What the interceptors returned. Whoever is cancelled while waiting for it cancels the call."""
        return await self.task

    def _settled(self, _: object) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback, context in callbacks:
            self.loop.call_soon(self.add_done_callback, callback, context=context)

    # grpc.aio.RpcContext

    def cancel(self) -> bool:
        """Cancel the call, and the interceptors if they still run.

        Returns:
            Whether it was still going on.
        """
        known = self._known()
        cancelled: bool = self.task.cancel() if known is None else known.cancel()
        return cancelled

    def cancelled(self) -> bool:
        """Whether the call ended by `cancel` or its like."""
        known = self._known()
        return known is not None and bool(known.cancelled())

    def done(self) -> bool:
        """Whether the call is over, and the interceptors have returned it."""
        known = self._known()
        return known is not None and bool(known.done())

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; None if there is none."""
        known = self._known()
        if known is not None:
            remaining: float | None = known.time_remaining()
            return remaining
        deadline = self._deadline
        return None if deadline is None else max(deadline - self.loop.time(), 0.0)

    def add_done_callback(self, callback: Callable[[Any], Any]) -> None:
        """Call `callback(call)` when the call is over, at once if it is."""
        known = self._known()
        if known is None:
            self._callbacks.append((callback, copy_context()))
        elif known.done():
            callback(self)
        else:
            known.add_done_callback(lambda _: callback(self))

    # grpc.aio.Call

    async def initial_metadata(self) -> Metadata:
        """The metadata before the response; None if the call never reached a server."""
        metadata: Metadata = await (await self._spoken_for()).initial_metadata()
        return metadata

    async def trailing_metadata(self) -> Metadata:
        """The metadata after the response; None if the call never reached a server."""
        metadata: Metadata = await (await self._spoken_for()).trailing_metadata()
        return metadata

    async def code(self) -> StatusCode:
        """The status. Waits for the end of the call."""
        code: StatusCode = await (await self._spoken_for()).code()
        return code

    async def details(self) -> str:
        """The status message. Waits for the end of the call."""
        details: str = await (await self._spoken_for()).details()
        return details

    async def debug_error_string(self) -> str | None:
        """What happened, in more detail than `details`. Waits for the end of the call."""
        text: str | None = await (await self._spoken_for()).debug_error_string()
        return text

    async def wait_for_connection(self) -> None:
        """Wait until the interceptors have returned and the call is on a connection.

        Raises:
            AioRpcError: it ended before.
        """
        await (await self._spoken_for()).wait_for_connection()

    def __repr__(self) -> str:
        path = self._path.decode() if isinstance(self._path, bytes) else self._path
        known = self._known()
        state = "intercepted" if known is None else f"{known!r}"
        return f"<{type(self).__name__} of {path}: {state}>"


class _UnaryResponse(InterceptedCall):
    def __await__(self) -> Generator[Any, None, Any]:
        return self._response().__await__()

    async def _response(self) -> Any:
        return await (await self._returned())


class _StreamResponse(InterceptedCall):
    _responses: AsyncIterator[Any] | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        responses = self._responses
        if responses is None:
            returned = await self._returned()
            # Another reader may have been quicker.
            responses = self._responses = self._responses or aiter(returned)
        return await anext(responses)

    async def read(self) -> Any:
        """Receive the next response.

        Returns:
            The message, or `EOF` after the last one of a call that ended with OK.

        Raises:
            AioRpcError: the call ended with another status.
        """
        try:
            return await self.__anext__()
        except StopAsyncIteration:
            return EOF


class WrittenRequests:
    """What an application writes, as an iterator of requests for the interceptors and the call.

    It holds one request. `put` waits while that is not taken.

    Args:
        loop: the event loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._waiting: deque[Any] = deque()
        self._changed = Waiters(loop)
        self.asked = loop.create_future()
        self.ended = False
        self.broken = False

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if not self.asked.done():
            self.asked.set_result(None)
        while not self._waiting:
            if self.ended or self.broken:
                raise StopAsyncIteration
            await self._changed.wait()
        request = self._waiting.popleft()
        self._changed.wake()
        return request

    async def put(self, request: Any) -> None:
        """Give a request to whoever iterates; return without that if nobody will ask any more."""
        while self._waiting and not self.broken:
            await self._changed.wait()
        self._waiting.append(request)
        self._changed.wake()

    def end(self) -> None:
        """No more requests follow."""
        self.ended = True
        self._changed.wake()

    def break_off(self, _: object) -> None:
        """The call is over: nobody needs to wait."""
        self.broken = True
        self._changed.wake()


class _StreamRequest(InterceptedCall):
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        interceptors: tuple[Any, ...],
        start: Start,
        details: ClientCallDetails,
        request: Any,
    ) -> None:
        self._written: WrittenRequests | None = None
        if request is None:
            request = self._written = WrittenRequests(loop)
        super().__init__(loop, interceptors, start, details, request)
        if self._written is not None:
            self.add_done_callback(self._written.break_off)

    def _continuation(self, index: int) -> Callable[..., Awaitable[Call]]:
        def continuation(
            client_call_details: Any, request_iterator: Any
        ) -> Coroutine[Any, Any, Call]:
            return self._proceed(index, client_call_details, request_iterator)

        return continuation

    async def write(self, request: Any) -> None:
        """Send a request. Returns when the request before it was taken.

        Raises:
            UsageError: the call was given a request iterator.
            asyncio.InvalidStateError: the call is over, or `done_writing` was called.
        """
        written = await self._writable()
        if self._over():
            raise asyncio.InvalidStateError(OVER)
        if written.ended:
            raise asyncio.InvalidStateError("write() after done_writing()")
        try:
            await written.put(request)
        except asyncio.CancelledError:
            self.cancel()
            raise
        if self._over():
            raise asyncio.InvalidStateError(OVER)

    async def done_writing(self) -> None:
        """No more requests follow.

        Raises:
            UsageError: the call was given a request iterator.
            asyncio.InvalidStateError: the call was cancelled before the interceptors returned it.
        """
        written = await self._writable()
        if self.task.done() and self.task.cancelled():
            raise asyncio.InvalidStateError(OVER)
        written.end()

    async def _writable(self) -> WrittenRequests:
        """Wait until it is known whether the call takes requests: someone asked for one, or the interceptors are
        done."""
        written = self._written
        if written is None:
            raise UsageError(
                "the call was given a request iterator, so it takes no write() or done_writing()"
            )
        if not self.task.done() and (not written.asked.done() or self.task.cancelling()):
            awaited = (self.task,) if self.task.cancelling() else (self.task, written.asked)
            try:
                await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                self.cancel()
                raise
        return written

    def _over(self) -> bool:
        known = self._known()
        if isinstance(known, FailedCall) and not isinstance(
            known.error, (AioRpcError, asyncio.CancelledError)
        ):
            raise known.error
        return known is not None and bool(known.done())


class InterceptedUnaryUnaryCall(_UnaryResponse, UnaryUnaryCall[Any, Any]):
    """A call with one request and one response that goes through interceptors."""

    _ENTRY = "intercept_unary_unary"
    _KIND = UnaryUnaryCall


class InterceptedUnaryStreamCall(_StreamResponse, UnaryStreamCall[Any, Any]):
    """A call with one request and a stream of responses that goes through interceptors."""

    _ENTRY = "intercept_unary_stream"
    _KIND = UnaryStreamCall

    def _wrap(self, answer: Any) -> Call:
        return IteratedUnaryStreamCall(self._latest, answer)


class InterceptedStreamUnaryCall(_UnaryResponse, _StreamRequest, StreamUnaryCall[Any, Any]):
    """A call with a stream of requests and one response that goes through interceptors."""

    _ENTRY = "intercept_stream_unary"
    _KIND = StreamUnaryCall


class InterceptedStreamStreamCall(_StreamResponse, _StreamRequest, StreamStreamCall[Any, Any]):
    """A call with streams both ways that goes through interceptors."""

    _ENTRY = "intercept_stream_stream"
    _KIND = StreamStreamCall

    def _wrap(self, answer: Any) -> Call:
        return IteratedStreamStreamCall(self._latest, answer)
