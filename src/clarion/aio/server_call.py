"""Runs the handler of a call on the event loop: at most one task per call, and none left behind.

Where the interpreter can start a task eagerly (3.12) a handler that never waits is finished before the
received bytes are, without a turn of the loop; its deadline then needs no timer either.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, ClassVar

from clarion.aio.errors import EOF, AbortError, UsageError
from clarion.aio.migration import run_plain
from clarion.aio.server_context import ServicerContext
from clarion.aio.waiters import Waiters
from clarion.http2 import Connection
from clarion.propagation import current_parent
from clarion.protocol.messages import UnpackFailed, as_bytes
from clarion.server_core.call import ServerCall
from clarion.server_core.methods import Method
from clarion.server_core.serving import raised_status, unreadable
from clarion.status import StatusCode

if TYPE_CHECKING:
    from clarion.aio.aio_server import Server, ServerLink

__all__ = ["CALL", "GENERATE", "AioServerCall", "style_of"]

_LOG = logging.getLogger(__name__)


class _RequestIterator:
    """The stream of requests, as a handler iterates over it."""

    __slots__ = ("_call",)

    def __init__(self, call: AioServerCall) -> None:
        self._call = call

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        request = await self._call.next_request()
        if request is EOF:
            raise StopAsyncIteration
        return request


class _Refused(Exception):
    """The call ends with this status, which no handler chose."""

    def __init__(self, code: StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code


class AioServerCall(ServerCall):
    """One call.

    Attributes:
        server: the server the call came to.
        link: the transport.
        task: the task the handler runs in.
        finished: the handler is done and the call's callbacks were called.
        metrics: what the handler records of the call's load, if it does (`clarion.orca`).
    """

    task: asyncio.Task[None] | None = None
    finished = False
    metrics: Any = None
    _context: ServicerContext | None = None
    _readers: Waiters | None = None
    _writers: Waiters | None = None
    _timer: asyncio.TimerHandle | None = None

    _set_later: ClassVar[tuple[str, ...]] = ("_context", "task", "finished")

    def __init__(
        self, server: Server, link: ServerLink, connection: Connection, stream_id: int
    ) -> None:
        ServerCall.__init__(self, server.core, connection, stream_id)
        self.server = server
        self.link = link

    # What the call says

    def run(self) -> None:
        method = self.method
        assert method is not None
        loop = self.link.loop
        coroutine = self._serve(method)
        if sys.version_info >= (3, 12):
            task = asyncio.Task(coroutine, loop=loop, eager_start=True)
            if task.done():
                return
        else:
            task = loop.create_task(coroutine)
        self.task = task
        self.server.track(task)

    def watch_deadline(self) -> None:
        self.link.timed_calls.append(self)

    def start_timer(self) -> None:
        """The call was not over with the bytes that began it, so its deadline needs a timer."""
        if not self.over and not self.finished and self.expiry is None:
            assert self.deadline is not None
            self._timer = self.link.loop.call_at(self.deadline, self.deadline_passed)

    def watch_expiry(self) -> None:
        assert self.expiry is not None
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.link.loop.call_at(self.expiry, self.deadline_passed)

    def limit_until(self, when: float) -> None:
        """See `expire_at`; on the event loop."""
        self.expire_at(when)

    def inbox_changed(self) -> None:
        if self._readers is not None:
            self._readers.wake()

    def writable(self) -> None:
        if self._writers is not None:
            self._writers.wake()

    def ended_late(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def interrupted(self) -> None:
        # Not only the handler's task may wait for the call.
        self.inbox_changed()
        self.writable()
        self.link.flush_soon()
        if self._timer is not None:
            self._timer.cancel()
        if self.task is not None and not self.finished:
            self.task.cancel()

    def handler_failed_lookup(self, error: Exception) -> None:
        _LOG.error("a generic handler raised while looking up a method", exc_info=error)

    def was_cancelled(self) -> bool:
        """Whether something other than the handler ended the call."""
        return self.cut_off

    # Running the handler

    async def _serve(self, method: Method) -> None:
        context = ServicerContext(self)
        self._context = context
        if self.core.options.propagate:
            current_parent.set(self)
        try:
            if method.request_streaming:
                argument: Any = _RequestIterator(self)
            else:
                argument = self._request(method)
            if not method.response_streaming:
                style = method.style
                if style is None:
                    style = method.style = style_of(method.behavior)
                if style is CALL:
                    response = await method.behavior(argument, context)
                else:
                    response = await run_plain(self, method, argument, context)
                self._answer(method, context, response)
            else:
                await self._stream(method, argument, context)
                if not self.over:
                    self._finish_stream(context)
        except asyncio.CancelledError:
            if not self.over:
                self.finish(StatusCode.CANCELLED, "the server cancelled the call")
            raise
        except AbortError:
            self._finish_aborted(context)
        except (_Refused, UnpackFailed) as refused:
            self.finish(refused.code, str(refused))
        except Exception as error:
            self._finish_failed(method, context, error)
        finally:
            self.finished = True
            if self.over:
                self.ended_late()
            self.link.flush_soon()
            if context._callbacks is not None:
                self._run_callbacks(context)
            # The context and the task know the call; knowing each other would leave all to the collector.
            self._context = self.task = None

    async def _stream(self, method: Method, argument: Any, context: ServicerContext) -> None:
        style = method.style
        if style is None:
            style = method.style = style_of(method.behavior)
        if style is GENERATE:
            responses = method.behavior(argument, context)
            try:
                async for response in responses:
                    self._send(method, response)
                    if self.parked is not None:
                        await self._sent()
            except BaseException:
                # Now, and not when the interpreter gets to it.
                await responses.aclose()
                raise
        elif style is CALL:
            result = await method.behavior(argument, context)
            if result is not None and hasattr(result, "__aiter__"):
                async for response in result:
                    await self.write(response)
        else:
            await run_plain(self, method, argument, context)

    def _request(self, method: Method) -> Any:
        message = self.request
        assert message is not None
        self.request = None
        if type(message) is not bytes:
            message = self.unpack(message)
        return self._deserialize(method, message)

    @staticmethod
    def _deserialize(method: Method, message: bytes) -> Any:
        try:
            return method.deserialize(message)
        except Exception as error:
            _LOG.warning("the request deserializer of %s raised: %r", method.path, error)
            raise _Refused(*unreadable(error)) from None

    def _serialize(self, method: Method, response: Any) -> bytes:
        try:
            payload = method.serialize(response)
            if type(payload) is not bytes:
                payload = as_bytes(payload)
            size = len(payload)
        except Exception as error:
            _LOG.exception(
                "the response serializer of %s raised, for %s", method.path, self.link.peer()
            )
            told = self.core.options.tell("Failed to serialize response!", f" {error}")
            raise _Refused(StatusCode.INTERNAL, told) from None
        limit = self.core.options.max_send
        if 0 <= limit < size:
            raise _Refused(
                StatusCode.RESOURCE_EXHAUSTED,
                f"SERVER: Sent message larger than max ({size} vs. {limit})",
            )
        return payload

    def _answer(self, method: Method, context: ServicerContext, response: Any) -> None:
        """End a call that has one response."""
        if self.over:
            return
        if response is None and context._code not in (None, StatusCode.OK):
            self._finish_stream(context)
            return
        payload = self._serialize(method, response)
        if (
            context._code is None
            and context._trailing is None
            and not self.headers_sent
            and self.encoder is None
        ):
            self.finish_ok(payload)
            return
        if not self.headers_sent:
            self.send_initial_metadata(())
        self.send_response(payload, compress=context._compress_next)
        self._finish_stream(context)

    def _finish_stream(self, context: ServicerContext) -> None:
        if not self.headers_sent and context._code in (None, StatusCode.OK):
            self.send_initial_metadata(())
        self.finish(context._code or StatusCode.OK, context._details, context.trailing_fields())

    def _finish_aborted(self, context: ServicerContext) -> None:
        self.finish(
            context._code or StatusCode.UNKNOWN,
            context._details,
            context.trailing_fields(),
        )

    def _finish_failed(self, method: Method, context: ServicerContext, error: Exception) -> None:
        if context._aborted:
            self._finish_aborted(context)
            return
        code, details = context._code, context._details
        chosen = raised_status(error, self, context._trailing)
        if chosen is not None:
            code, details, trailing = chosen
            context.set_trailing_metadata(trailing)
        elif code in (None, StatusCode.OK) and self.out_of_time():
            _LOG.debug("the handler of %s raised when its time was up", method.path)
            code, details = StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"
        else:
            _LOG.error(
                "the handler of %s raised, called by %s",
                method.path,
                self.link.peer(),
                exc_info=error,
            )
            if code in (None, StatusCode.OK):
                code = StatusCode.UNKNOWN
            details = details or self.core.options.tell(
                "Exception calling application", f"Unexpected {type(error)}: {error}", whole=True
            )
        assert code is not None
        self.finish(code, details, context.trailing_fields())

    def _run_callbacks(self, context: ServicerContext) -> None:
        for callback in context._callbacks or ():
            try:
                callback(context)
            except Exception:
                _LOG.exception("a done callback raised")

    # What the handler does

    def over_error(self) -> BaseException:
        """What is raised in those who go on with a call that is over."""
        if self.cut_off:
            return asyncio.CancelledError("the call was cut off")
        if self._context is not None and self._context._aborted:
            return AbortError("the call was aborted")
        return UsageError("the call is over: its handler has returned")

    async def next_request(self) -> Any:
        """The next request, or EOF."""
        method = self.method
        assert method is not None
        while not self.inbox:
            if self.requests_done:
                return EOF
            if self.over:
                raise self.over_error()
            if self._readers is None:
                self._readers = Waiters(self.link.loop)
            await self._readers.wait()
        message = self.take_message()
        if self.connection.outbox:
            self.link.flush_soon()
        if type(message) is not bytes:
            message = self.unpack(message)
        return self._deserialize(method, message)

    async def write(self, response: Any) -> None:
        """Send a response; return when flow control has taken it."""
        assert self.method is not None
        self._send(self.method, response)
        if self.parked is not None:
            await self._sent()

    def _send(self, method: Method, response: Any) -> None:
        if self.over:
            raise self.over_error()
        payload = self._serialize(method, response)
        if not self.headers_sent:
            self.send_initial_metadata(())
        context = self._context
        compress = True
        if context is not None:
            compress = context._compress_next
            context._compress_next = True
        self.send_response(payload, compress=compress)
        self.link.flush_soon()

    async def _sent(self) -> None:
        while self.parked is not None and not self.over:
            if self._writers is None:
                self._writers = Waiters(self.link.loop)
            await self._writers.wait()
        if self.over:
            raise asyncio.CancelledError("the call was cut off")

    def executor(self) -> Executor | None:
        """The pool for handlers that are plain functions."""
        return self.server.migration_thread_pool


CALL = "call"
GENERATE = "generate"
_PLAIN = "plain"


def style_of(behavior: Callable[..., Any]) -> str:
    """How to run a handler: await it, iterate over it, or give it a thread."""
    function: Any = behavior
    while hasattr(function, "func"):
        function = function.func
    if not inspect.isroutine(function) and callable(function):
        function = type(function).__call__
    if inspect.isasyncgenfunction(function):
        return GENERATE
    if inspect.iscoroutinefunction(function):
        return CALL
    return _PLAIN
