"""What a sync client's calls return that do not block: a future, or an iterator of responses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from clarion.metadata import Metadatum
from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode
from clarion.sync.call import SyncCall
from clarion.sync.errors import (
    LOCALLY_CANCELLED,
    CallError,
    FutureCancelledError,
    FutureTimeoutError,
)
from clarion.sync.interfaces import Call, CallFuture, CallIterator

__all__ = ["CallApi", "ResponseFuture", "ResponseStream"]


class CallApi(Call):
    """`grpc.Call` over a `SyncCall`."""

    def __init__(self, call: SyncCall) -> None:
        self._call = call

    def __del__(self) -> None:
        call = self._call
        if call.outcome is None and not call._callbacks:
            # Nobody can fetch the answer any more; do not leave the server working for it. Not here: a
            # collection may strike while this very thread has the lock.
            call._runtime.post(
                lambda: call.end(Outcome(StatusCode.CANCELLED, "the call was dropped"))
            )

    def is_active(self) -> bool:
        """Whether the call still goes on."""
        # A call that was cancelled may still be on its way to the thread that ends it.
        return self._call.outcome is None and not self._call.unwanted

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, at least 0; None if there is none."""
        deadline = self._call.start.deadline
        return None if deadline is None else max(deadline - time.monotonic(), 0.0)

    def cancel(self) -> bool:
        """Cancel the call.

        Returns:
            Whether it was still going on.
        """
        call = self._call
        if call.outcome is not None or call.unwanted:
            return False
        # Not cleared here: a signal handler may cancel while its own thread takes a message.
        call.unwanted = True
        call.end(Outcome(StatusCode.CANCELLED, LOCALLY_CANCELLED))
        return True

    def add_callback(self, callback: Callable[[], Any]) -> bool:
        """Call `callback()` when the call is over.

        Returns:
            False if it is over already; the callback is not called then.
        """
        call = self._call
        if call.outcome is not None:
            return False
        if call._callbacks is None:
            call._callbacks = []
        call._callbacks.append(callback)
        # It may have ended meanwhile; running the callbacks takes each one once.
        if not self.is_active():
            call._runtime.call_back(call._run_callbacks)
        return True

    def initial_metadata(self) -> tuple[Metadatum, ...]:
        """The metadata before the response; empty if there was none. Waits until that is known."""
        call = self._call
        call._wants_head = True
        call._wait_or_expire(call._is_headed)
        return call.head_metadata or ()

    def trailing_metadata(self) -> tuple[Metadatum, ...]:
        """The metadata after the response. Waits for the end of the call."""
        return self._call.wait_done().trailing_metadata

    def code(self) -> StatusCode:
        """The status. Waits for the end of the call."""
        return self._call.wait_done().code

    def details(self) -> str:
        """The status message. Waits for the end of the call."""
        return self._call.wait_done().details

    def debug_error_string(self) -> str:
        """What happened, in more detail than `details`. Waits for the end of the call."""
        return self._call.wait_done().describe()

    def __repr__(self) -> str:
        call = self._call
        outcome = call.outcome
        state = "being cancelled" if call.unwanted else "in progress"
        if outcome is not None:
            state = f"{outcome.code.name}, {outcome.details!r}"
        path = dict(call.start.fields).get(b":path", b"").decode("latin-1")
        return f"<{type(self).__name__} of {path}: {state}>"


class ResponseFuture(CallApi, CallFuture[Any]):
    """A call with one response, as a `grpc.Future` and `grpc.Call`."""

    # The response or the error, once somebody has asked for it: everybody gets the same object.
    _response: tuple[Any] | None = None
    _failure: CallError | None = None

    def cancelled(self) -> bool:
        """Whether the call was cancelled by the application."""
        outcome = self._call.outcome
        if outcome is None:
            return self._call.unwanted
        return outcome.details == LOCALLY_CANCELLED

    def running(self) -> bool:
        """Whether the call still goes on."""
        return self.is_active()

    def done(self) -> bool:
        """Whether the call is over."""
        return not self.is_active()

    def _finish(self, timeout: float | None) -> Outcome:
        call = self._call
        if call.outcome is None:
            deadline = None if timeout is None else time.monotonic() + timeout
            if not call.wait_until(call._is_done, deadline):
                raise FutureTimeoutError(f"no result within {timeout} s")
        outcome = call.outcome
        assert outcome is not None
        if self.cancelled():
            raise FutureCancelledError(outcome.details)
        return outcome

    def result(self, timeout: float | None = None) -> Any:
        """The response. Waits for it.

        Args:
            timeout: seconds to wait; the call goes on if it is not there by then.

        Raises:
            FutureTimeoutError: the time is up.
            FutureCancelledError: the call was cancelled.
            RpcError: the call ended with another status than OK.
        """
        failure = self.exception(timeout)
        if failure is not None:
            try:
                raise failure.with_traceback(None)
            finally:
                # The error keeps this frame, and the future the error.
                del failure, self
        assert self._response is not None
        return self._response[0]

    def exception(self, timeout: float | None = None) -> Exception | None:
        """What `result` would raise as an `RpcError`, or None. Waits; see `result`."""
        self._finish(timeout)
        if self._response is None and self._failure is None:
            try:
                self._response = (self._take(),)
            except CallError as error:
                self._failure = error.with_traceback(None)
        return self._failure

    def _take(self) -> Any:
        return self._call.take_response()

    def traceback(self, timeout: float | None = None) -> TracebackType | None:
        """The traceback of `exception`, or None. Waits; see `result`."""
        error = self.exception(timeout)
        if error is None:
            return None
        try:
            raise error
        except Exception as raised:
            return raised.__traceback__

    def add_done_callback(self, fn: Callable[[Any], Any]) -> None:
        """Call `fn(self)` when the call is over; at once if it is."""
        if not self.add_callback(lambda: fn(self)):
            fn(self)


class ResponseStream(ResponseFuture, CallIterator[Any]):
    """A call with a stream of responses: iterate over it."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        call = self._call
        while True:
            attempt = call.attempt
            if attempt is not None and attempt.inbox and (not call.unwanted or self._missed()):
                link: Any = attempt.link
                with link.lock:
                    if not attempt.inbox:
                        continue
                    message = attempt.take_message()
                    if attempt.connection.outbox:
                        link.flush()
                return call.unpack(message)
            outcome = call.outcome
            if outcome is not None:
                # A message may have come between the two looks.
                if attempt is not None and attempt.inbox and (not call.unwanted or self._missed()):
                    continue
                if outcome.code is StatusCode.OK:
                    raise StopIteration
                raise call.error(outcome)
            call._wait_or_expire(self._has_news)

    def next(self) -> Any:
        """The next response; see `__next__`."""
        return self.__next__()

    def _has_news(self) -> bool:
        call = self._call
        attempt = call.attempt
        if call.outcome is not None:
            return True
        return attempt is not None and bool(attempt.inbox) and (not call.unwanted or self._missed())

    def _missed(self) -> bool:
        """Whether the call ended by itself before its cancellation took effect: then nothing of it may be missing."""
        outcome = self._call.outcome
        return outcome is not None and outcome.details != LOCALLY_CANCELLED

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the end of the call; returns the call itself, for it has no single response."""
        ResponseFuture.result(self, timeout)
        return self

    def _take(self) -> Any:
        call = self._call
        outcome = call.outcome
        if outcome is not None and outcome.code is not StatusCode.OK:
            raise call.error(outcome)
        return None
