"""Calls that interceptors make without the network: an answer of their own, an error, an iterator in place of one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

from clarion.aio.errors import EOF, AioRpcError
from clarion.aio.interfaces import (
    Call,
    StreamStreamCall,
    StreamUnaryCall,
    UnaryStreamCall,
    UnaryUnaryCall,
)
from clarion.status import StatusCode

__all__ = [
    "CANCELLED_HERE",
    "OVER",
    "AnsweredCall",
    "CancelledCall",
    "FailedCall",
    "IteratedStreamStreamCall",
    "IteratedUnaryStreamCall",
    "LocalCall",
]

CANCELLED_HERE = "Locally cancelled by application!"
OVER = "write() on a call that is over"


class LocalCall(Call):
    """A call that is in this process alone; over from the start, unless a subclass says otherwise.

    It has no metadata: None, as in grpcio, where there was no server to send any.
    """

    def cancel(self) -> bool:
        """Nothing is left to cancel."""
        return False

    def cancelled(self) -> bool:
        """Whether the status is CANCELLED."""
        return False

    def done(self) -> bool:
        """Whether the call is over."""
        return True

    def time_remaining(self) -> float | None:
        """None: there is no deadline."""
        return None

    def add_done_callback(self, callback: Callable[[Any], Any]) -> None:
        """Call `callback(call)`, at once if the call is over."""
        callback(self)

    async def initial_metadata(self) -> Any:
        """None: nobody sent any."""
        return None

    async def trailing_metadata(self) -> Any:
        """None: nobody sent any."""
        return None

    async def code(self) -> StatusCode:
        """The status."""
        return StatusCode.OK

    async def details(self) -> str:
        """The status message."""
        return ""

    async def debug_error_string(self) -> str | None:
        """What happened, in more detail than `details`."""
        return None

    async def wait_for_connection(self) -> None:
        """There is no connection to wait for."""


class AnsweredCall(LocalCall, UnaryUnaryCall[Any, Any], StreamUnaryCall[Any, Any]):
    """A call that an interceptor answered with a response.

    Args:
        response: what awaiting the call gives.
    """

    def __init__(self, response: Any) -> None:
        self._response = response

    def __await__(self) -> Generator[Any, None, Any]:
        return self._give().__await__()

    async def _give(self) -> Any:
        return self._response

    async def write(self, request: Any) -> None:
        """The call is over."""
        raise asyncio.InvalidStateError(OVER)

    async def done_writing(self) -> None:
        """The call is over."""


class FailedCall(LocalCall):
    """A call of any kind that ended by what an interceptor raised.

    Args:
        error: the exception. Of one that is no status, the status is that exception.
    """

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def _status(self) -> AioRpcError:
        if isinstance(self.error, AioRpcError):
            return self.error
        raise self.error

    def cancelled(self) -> bool:
        error = self.error
        return isinstance(error, asyncio.CancelledError) or (
            isinstance(error, AioRpcError) and error.code() is StatusCode.CANCELLED
        )

    async def initial_metadata(self) -> Any:
        return self._status().initial_metadata()

    async def trailing_metadata(self) -> Any:
        return self._status().trailing_metadata()

    async def code(self) -> StatusCode:
        return self._status().code()

    async def details(self) -> str:
        return self._status().details() or ""

    async def debug_error_string(self) -> str | None:
        return self._status().debug_error_string()

    async def wait_for_connection(self) -> None:
        raise self.error

    def __await__(self) -> Generator[Any, None, Any]:
        raise self.error

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        raise self.error


class CancelledCall(FailedCall):
    """A call that was cancelled before an interceptor gave it to anybody."""

    def __init__(self) -> None:
        super().__init__(asyncio.CancelledError(CANCELLED_HERE))

    async def initial_metadata(self) -> Any:
        return None

    async def trailing_metadata(self) -> Any:
        return None

    async def code(self) -> StatusCode:
        return StatusCode.CANCELLED

    async def details(self) -> str:
        return CANCELLED_HERE

    async def debug_error_string(self) -> str | None:
        return ""


class _IteratorAnswer(LocalCall):
    """What an iterator without a call is: going on until the iterator is exhausted, or cancelled."""

    def __init__(self) -> None:
        self._code: StatusCode | None = None
        self._callbacks: list[Callable[[Any], Any]] = []

    def end(self, code: StatusCode) -> None:
        """The iterator is exhausted, or will not be asked any more."""
        if self._code is None:
            self._code = code
            callbacks, self._callbacks = self._callbacks, []
            for callback in callbacks:
                callback(self)

    def cancel(self) -> bool:
        if self._code is not None:
            return False
        self.end(StatusCode.CANCELLED)
        return True

    def cancelled(self) -> bool:
        return self._code is StatusCode.CANCELLED

    def done(self) -> bool:
        return self._code is not None

    def add_done_callback(self, callback: Callable[[Any], Any]) -> None:
        if self._code is not None:
            callback(self)
        else:
            self._callbacks.append(callback)

    async def code(self) -> StatusCode:
        return self._code or StatusCode.OK

    async def details(self) -> str:
        return CANCELLED_HERE if self.cancelled() else ""


class _IteratedCall(Call):
    """A call whose responses an interceptor replaced by those of an iterator.

    Args:
        call: whose status and metadata it shows; None if the interceptor made no call.
        responses: an async iterable.
    """

    def __init__(self, call: Call | None, responses: Any) -> None:
        self._answer = None if call is not None else _IteratorAnswer()
        self._call: Any = call if call is not None else self._answer
        self._iterator = aiter(responses)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        answer = self._answer
        if answer is None:
            return await anext(self._iterator)
        if answer.cancelled():
            raise asyncio.CancelledError(CANCELLED_HERE)
        try:
            return await anext(self._iterator)
        except StopAsyncIteration:
            answer.end(StatusCode.OK)
            raise
        except Exception:
            answer.end(StatusCode.UNKNOWN)
            raise

    async def read(self) -> Any:
        """The next response, or `EOF`."""
        return await anext(self, EOF)

    def cancel(self) -> bool:
        """Cancel the call."""
        cancelled: bool = self._call.cancel()
        return cancelled

    def cancelled(self) -> bool:
        """Whether the call was cancelled."""
        cancelled: bool = self._call.cancelled()
        return cancelled

    def done(self) -> bool:
        """Whether the call is over."""
        done: bool = self._call.done()
        return done

    def time_remaining(self) -> float | None:
        """Seconds until the call's deadline, at least 0; None if there is none."""
        remaining: float | None = self._call.time_remaining()
        return remaining

    def add_done_callback(self, callback: Callable[[Any], Any]) -> None:
        """Call `callback(self)` when the call is over."""
        self._call.add_done_callback(lambda _: callback(self))

    async def initial_metadata(self) -> Any:
        """The call's."""
        return await self._call.initial_metadata()

    async def trailing_metadata(self) -> Any:
        """The call's."""
        return await self._call.trailing_metadata()

    async def code(self) -> StatusCode:
        """The call's."""
        code: StatusCode = await self._call.code()
        return code

    async def details(self) -> str:
        """The call's."""
        details: str = await self._call.details()
        return details

    async def debug_error_string(self) -> str | None:
        """The call's."""
        text: str | None = await self._call.debug_error_string()
        return text

    async def wait_for_connection(self) -> None:
        """Wait until the call is on a connection."""
        await self._call.wait_for_connection()


class IteratedUnaryStreamCall(_IteratedCall, UnaryStreamCall[Any, Any]):
    """One request, and responses from an interceptor's iterator."""


class IteratedStreamStreamCall(_IteratedCall, StreamStreamCall[Any, Any]):
    """A stream of requests, and responses from an interceptor's iterator."""

    async def write(self, request: Any) -> None:
        """Send a request, if the call has no request iterator."""
        if self._answer is not None:
            raise asyncio.InvalidStateError(OVER)
        await self._call.write(request)

    async def done_writing(self) -> None:
        """No more requests follow."""
        if self._answer is None:
            await self._call.done_writing()
