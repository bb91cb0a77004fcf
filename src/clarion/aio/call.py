"""The calls of an asyncio client (`grpc.aio.Call` and its four kinds).

A call costs no task. Whoever awaits something of a call gets a future of its own, so that cancelling one
waiter cancels no other's wait; a request iterator, which somebody has to run, is the one thing with a task.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Generator
from contextvars import Context, copy_context
from typing import Any, ClassVar

from clarion.aio import interfaces
from clarion.aio.errors import EOF, AioRpcError, UsageError
from clarion.aio.waiters import Waiters
from clarion.client_core import PARENT_CUT_OFF, Attempt, ChannelCore, ClientCall, Start
from clarion.metadata import Metadata
from clarion.protocol.messages import UnpackFailed, as_bytes
from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode

__all__ = [
    "LOCALLY_CANCELLED",
    "AioCall",
    "StreamStreamCall",
    "StreamUnaryCall",
    "UnaryStreamCall",
    "UnaryUnaryCall",
]

_LOG = logging.getLogger(__name__)
_LOCALLY_CANCELLED = "Locally cancelled by application!"
LOCALLY_CANCELLED = Outcome(StatusCode.CANCELLED, _LOCALLY_CANCELLED)

Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]


class AioCall(ClientCall):
    """What all four kinds share."""

    _waiters: list[asyncio.Future[None]] | None = None
    _initial_waiters: list[asyncio.Future[None]] | None = None
    _readers: Waiters | None = None
    _writers: Waiters | None = None
    # Keeps the channel open while somebody may still use the call.
    channel: object = None
    _callbacks: list[tuple[Callable[[Any], Any], Context]] | None = None
    _style: str | None = None
    _iterated = False
    _task: asyncio.Task[None] | None = None
    _timer: asyncio.TimerHandle | None = None

    _set_later: ClassVar[tuple[str, ...]] = (
        "channel",
        "_timer",
        "_callbacks",
        "_waiters",
        "_initial_waiters",
    )

    RESPONSE_STREAMING = False

    def __init__(
        self,
        core: ChannelCore,
        loop: asyncio.AbstractEventLoop,
        start: Start,
        serialize: Serializer,
        deserialize: Deserializer,
    ) -> None:
        ClientCall.__init__(self, core, start, response_streaming=self.RESPONSE_STREAMING)
        self._loop = loop
        self._serialize = serialize
        self._deserialize = deserialize
        if start.deadline is not None:
            # The loop keeps a cancelled timer, and its context, until the time it was set for.
            self._timer = loop.call_at(start.deadline, self.deadline_passed, context=Context())

    # What the call says

    def head_received(self) -> None:
        waiters, self._initial_waiters = self._initial_waiters, None
        _wake_all(waiters)

    def response_received(self) -> None:
        if self._readers is not None:
            self._readers.wake()

    def writable(self) -> None:
        if self._writers is not None:
            self._writers.wake()

    def opened(self) -> None:
        if self._writers is not None:
            self._writers.wake()

    def try_opened(self, attempt: Attempt) -> None:
        if self._writers is not None:
            self._writers.wake()

    def finished(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        waiters, self._waiters = self._waiters, None
        _wake_all(waiters)
        if self._initial_waiters is not None:
            self.head_received()
        self.response_received()
        self.writable()
        callbacks, self._callbacks = self._callbacks, None
        for callback, context in callbacks or ():
            self._loop.call_soon(callback, self, context=context)

    def deadline_set(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        assert self.start.deadline is not None
        self._timer = self._loop.call_at(
            self.start.deadline, self.deadline_passed, context=Context()
        )

    def parent_cut_off(self) -> None:
        if asyncio._get_running_loop() is self._loop:
            self.end(PARENT_CUT_OFF)
            return
        try:
            self._loop.call_soon_threadsafe(self.end, PARENT_CUT_OFF)
        except RuntimeError:
            # The loop is closed, and the call is over with it.
            return

    # grpc.aio.RpcContext

    def cancelled(self) -> bool:
        """Whether the call ended by `cancel` or its like."""
        return self.outcome is not None and self.outcome.code is StatusCode.CANCELLED

    def done(self) -> bool:
        """Whether the call is over."""
        return self.outcome is not None

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; None if there is none."""
        deadline = self.start.deadline
        return None if deadline is None else max(deadline - self._loop.time(), 0.0)

    def cancel(self) -> bool:
        """Cancel the call.

        Returns:
            Whether it was still going on.
        """
        if self.outcome is not None:
            return False
        self.end(LOCALLY_CANCELLED)
        return True

    def add_done_callback(self, callback: Callable[[Any], Any]) -> None:
        """Call `callback(call)` when the call is over, in the current context (`contextvars`)."""
        if self.outcome is not None:
            self._loop.call_soon(callback, self)
            return
        if self._callbacks is None:
            self._callbacks = []
        self._callbacks.append((callback, copy_context()))

    # grpc.aio.Call

    async def initial_metadata(self) -> Metadata:
        """The metadata before the response; empty if there was none. Waits until that is known."""
        if self.head_metadata is None and self.outcome is None:
            waiter = self._loop.create_future()
            if self._initial_waiters is None:
                self._initial_waiters = []
            self._initial_waiters.append(waiter)
            await waiter
        return Metadata.from_tuple(self.head_metadata)

    async def trailing_metadata(self) -> Metadata:
        """The metadata after the response. Waits for the end of the call."""
        return Metadata.from_tuple((await self._wait_done()).trailing_metadata)

    async def code(self) -> StatusCode:
        """The status. Waits for the end of the call."""
        return (await self._wait_done()).code

    async def details(self) -> str:
        """The status message. Waits for the end of the call."""
        return (await self._wait_done()).details

    async def debug_error_string(self) -> str:
        """What happened, in more detail than `details`. Waits for the end of the call."""
        return (await self._wait_done()).describe()

    async def wait_for_connection(self) -> None:
        """Wait until the call is on a connection.

        Raises:
            AioRpcError: it ended before.
        """
        while self.attempt is None and self.outcome is None:
            if self.hedging is not None and self.hedging.on_a_stream:
                return
            await self._writing().wait()
        if self.outcome is not None and self.outcome.code is not StatusCode.OK:
            raise self._error(self.outcome)

    def _writing(self) -> Waiters:
        """Those who wait for the call to be on a connection, or for flow control."""
        if self._writers is None:
            self._writers = Waiters(self._loop)
        return self._writers

    async def _wait_done(self) -> Outcome:
        if self.outcome is None:
            await self._new_waiter()
        assert self.outcome is not None
        return self.outcome

    def _new_waiter(self) -> asyncio.Future[None]:
        waiter = self._loop.create_future()
        if self._waiters is None:
            self._waiters = [waiter]
        else:
            self._waiters.append(waiter)
        return waiter

    def _error(self, outcome: Outcome) -> BaseException:
        """What the call ended with, to raise."""
        if outcome.details == _LOCALLY_CANCELLED:
            return asyncio.CancelledError(_LOCALLY_CANCELLED)
        error = AioRpcError(
            outcome.code,
            self.head_metadata,
            outcome.trailing_metadata,
            outcome.details,
            outcome.describe(),
        )
        error.attempts = outcome.attempts
        error._history = outcome.history
        return error

    def _unpack(self, message: bytes) -> Any:
        """A response message out of what came; if it is damaged, the call ends with that."""
        attempt = self.attempt
        assert attempt is not None
        try:
            if type(message) is not bytes:
                message = attempt.unpack(message)
            return self._deserialize(message)
        except UnpackFailed as error:
            failed = Outcome(error.code, str(error))
        except Exception as error:
            _LOG.warning("the response deserializer raised: %r", error)
            failed = Outcome(StatusCode.INTERNAL, f"Exception deserializing response! {error}")
        self.end(failed)
        self.outcome = failed
        raise self._error(failed)

    def _pack(self, request: Any) -> tuple[bytes, bytes] | None:
        """A request as it goes on the wire; None if it cannot go, which ends the call."""
        try:
            payload = self._serialize(request)
            if type(payload) is not bytes:
                payload = as_bytes(payload)
            size = len(payload)
        except Exception as error:
            _LOG.exception("the request serializer raised")
            self.end(Outcome(StatusCode.INTERNAL, f"Exception serializing request! {error}"))
            return None
        limit = self.core.options.max_send
        if 0 <= limit < size:
            self.end(
                Outcome(
                    StatusCode.RESOURCE_EXHAUSTED,
                    f"CLIENT: Sent message larger than max ({size} vs. {limit})",
                )
            )
            return None
        return self.pack(payload)

    def _begin(self, request: Any) -> None:
        """Start a call with one request."""
        if self.outcome is not None:
            return
        message = self._pack(request)
        if message is None:
            return
        if self._timer is not None and self.time_remaining() == 0:
            self.deadline_passed()
        else:
            self.begin(message)

    def __repr__(self) -> str:
        outcome = self.outcome
        state = "in progress" if outcome is None else f"{outcome.code.name}, {outcome.details!r}"
        path = dict(self.start.fields).get(b":path", b"").decode("latin-1")
        return f"<{type(self).__name__} of {path}: {state}>"


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


def _wake_all(waiters: list[asyncio.Future[None]] | None) -> None:
    for waiter in waiters or ():
        _wake(waiter)


class _UnaryResponse(AioCall):
    """A call with one response, which awaiting the call gives."""

    def __await__(self) -> Generator[Any, None, Any]:
        if self.outcome is None:
            try:
                yield from self._new_waiter()
            except asyncio.CancelledError:
                if self.outcome is None:
                    self.cancel()
                raise
        outcome = self.outcome
        assert outcome is not None
        if outcome.code is not StatusCode.OK:
            raise self._error(outcome)
        message = self.response
        assert message is not None
        return self._unpack(message)


class _StreamResponse(AioCall):
    """A call with a stream of responses: iterate over it, or `read`."""

    RESPONSE_STREAMING = True

    def __aiter__(self) -> AsyncIterator[Any]:
        self._use("iterator")
        return self

    async def __anext__(self) -> Any:
        response = await self._next()
        if response is EOF:
            raise StopAsyncIteration
        return response

    async def read(self) -> Any:
        """Receive the next response.

        Returns:
            The message, or `EOF` after the last one of a call that ended with OK.

        Raises:
            AioRpcError: the call ended with another status.
            UsageError: the call is iterated over already.
        """
        self._use("read")
        return await self._next()

    def _use(self, style: str) -> None:
        if self._style not in (None, style):
            raise UsageError("a call is read either by `async for` or by read(), not by both")
        self._style = style

    async def _next(self) -> Any:
        while True:
            attempt = self.attempt
            if attempt is not None and attempt.inbox:
                message = attempt.take_message()
                if attempt.connection.outbox:
                    attempt.link.flush_soon()
                return self._unpack(message)
            outcome = self.outcome
            if outcome is not None:
                # Whoever asks once more, in whatever way, is told how the call ended.
                self._style = None
                if outcome.code is not StatusCode.OK:
                    raise self._error(outcome)
                return EOF
            if self._readers is None:
                self._readers = Waiters(self._loop)
            try:
                await self._readers.wait()
            except asyncio.CancelledError:
                if self.outcome is None:
                    self.cancel()
                raise

    def cancel(self) -> bool:
        attempt = self.attempt
        if attempt is not None and self.outcome is None:
            attempt.inbox.clear()
        return AioCall.cancel(self)


class _StreamRequest(AioCall):
    """A call with a stream of requests: an iterator given at the start, or `write` and `done_writing`."""

    def _begin_stream(self, requests: Any) -> None:
        self._iterated = requests is not None
        if self.outcome is not None:
            return
        if self._timer is not None and self.time_remaining() == 0:
            self.deadline_passed()
            return
        self.begin(None)
        if requests is not None and self.outcome is None:
            self._task = self._loop.create_task(self._consume(requests))

    async def _consume(self, requests: Any) -> None:
        try:
            if hasattr(requests, "__aiter__"):
                async for request in requests:
                    if self.outcome is not None:
                        return
                    await self._write(request)
            else:
                for request in requests:
                    if self.outcome is not None:
                        return
                    await self._write(request)
            self.half_close()
        except asyncio.CancelledError:
            raise
        except AioRpcError:
            # The call is over, and says why itself.
            return
        except Exception as error:
            _LOG.exception("the request iterator raised")
            self.end(Outcome(StatusCode.UNKNOWN, f"Exception iterating requests! {error!r}"))

    async def write(self, request: Any) -> None:
        """Send a request. Returns when flow control has taken it.

        Raises:
            UsageError: the call was given a request iterator.
            asyncio.InvalidStateError: the call is over, or `done_writing` was called.
            AioRpcError: the call ended meanwhile.
        """
        if self._iterated:
            raise UsageError("write() on a call that was given a request iterator")
        if self.outcome is not None:
            raise asyncio.InvalidStateError("write() on a call that is over")
        if self._half_closed:
            raise asyncio.InvalidStateError("write() after done_writing()")
        await self._write(request)

    async def done_writing(self) -> None:
        """No more requests follow.

        Raises:
            UsageError: the call was given a request iterator.
        """
        if self._iterated:
            raise UsageError("done_writing() on a call that was given a request iterator")
        if not self._half_closed:
            self.half_close()

    async def _write(self, request: Any) -> None:
        message = self._pack(request)
        if message is None:
            raise self._error(await self._wait_done())
        while not self.send(message):
            await self._wait_writable()
        if self.outcome is not None:
            raise self._error(self.outcome)
        attempt = self.attempt
        while attempt is not None and attempt.parked is not None and self.outcome is None:
            await self._wait_writable()

    async def _wait_writable(self) -> None:
        try:
            await self._writing().wait()
        except asyncio.CancelledError:
            if self.outcome is None:
                self.cancel()
            raise

    def finished(self) -> None:
        AioCall.finished(self)
        task = self._task
        if task is not None and not task.done():
            task.cancel()


class UnaryUnaryCall(_UnaryResponse, interfaces.UnaryUnaryCall[Any, Any]):
    """One request, one response: `response = await call`."""


class UnaryStreamCall(_StreamResponse, interfaces.UnaryStreamCall[Any, Any]):
    """One request, a stream of responses: `async for response in call`, or `await call.read()`."""


class StreamUnaryCall(_UnaryResponse, _StreamRequest, interfaces.StreamUnaryCall[Any, Any]):
    """A stream of requests, one response."""


class StreamStreamCall(_StreamResponse, _StreamRequest, interfaces.StreamStreamCall[Any, Any]):
    """A stream of requests, a stream of responses."""
