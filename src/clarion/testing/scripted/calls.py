"""A call that the program makes: what both sides have done to it so far."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

from clarion.protocol.outcome import Outcome
from clarion.rpc_error import RpcError
from clarion.status import StatusCode
from clarion.sync.errors import (
    LOCALLY_CANCELLED,
    CallError,
    FutureCancelledError,
    FutureTimeoutError,
)
from clarion.sync.interfaces import CallFuture, CallIterator
from clarion.testing.scripted.interfaces import Time
from clarion.testing.scripted.runtime_metadata import NONE_SENT, arrived

__all__ = ["ClientCall", "ResponseFuture", "ResponseStream"]

_LOG = logging.getLogger(__name__)


class ClientCall:
    """One call, under one lock.

    Args:
        metadata: the program's.
        requests: those there are already.
        closed: whether that is all of them.
        time: where the time left is read.
        timeout: the program's, in seconds, or None. The test ends calls, not the time: nothing happens when it is over.
    """

    def __init__(
        self, metadata: Any, requests: list[Any], *, closed: bool, time: Time, timeout: float | None
    ) -> None:
        self.metadata = arrived(metadata)
        self.changed = threading.Condition()
        self._requests = requests
        self._closed = closed
        self._time = time
        self._deadline = None if timeout is None else time.time() + timeout
        self._responses: list[Any] = []
        self._initial: tuple[Any, ...] | None = None
        self._callbacks: list[Callable[[], Any]] = []
        self.outcome: Outcome | None = None

    # The program

    def send(self, requests: Iterable[Any]) -> None:
        """Send a stream of requests, on a thread of its own."""
        threading.Thread(
            target=self._send, args=(iter(requests),), name="clarion-scripted-requests", daemon=True
        ).start()

    def _send(self, requests: Iterator[Any]) -> None:
        try:
            for request in requests:
                with self.changed:
                    if self.outcome is not None:
                        return
                    self._requests.append(request)
                    self.changed.notify_all()
        except Exception:
            _LOG.exception("the request iterator raised")
            self.end(Outcome(StatusCode.UNKNOWN, "Exception iterating requests!"))
            return
        with self.changed:
            self._closed = True
            self.changed.notify_all()

    def initial_metadata(self) -> tuple[Any, ...]:
        with self.changed:
            self.changed.wait_for(lambda: self._initial is not None)
            assert self._initial is not None
            return self._initial

    def wait(self, timeout: float | None = None) -> Outcome:
        """How the call ended, when it has.

        Raises:
            FutureTimeoutError: it did not within `timeout` seconds of real time.
        """
        with self.changed:
            if not self.changed.wait_for(lambda: self.outcome is not None, timeout):
                raise FutureTimeoutError(f"no result within {timeout} s")
            assert self.outcome is not None
            return self.outcome

    def next_response(self) -> tuple[Any, Outcome | None]:
        """The next response, or None and how the call ended. A failure overtakes responses."""
        with self.changed:
            self.changed.wait_for(lambda: self._responses or self.outcome is not None)
            outcome = self.outcome
            if self._responses and (outcome is None or outcome.code is StatusCode.OK):
                return self._responses.pop(0), None
            return None, outcome

    def response(self, timeout: float | None = None) -> Any:
        """The one response, when the call is over.

        Raises:
            CallError: it failed.
        """
        outcome = self.wait(timeout)
        with self.changed:
            if outcome.code is not StatusCode.OK:
                raise self.error(outcome)
            if not self._responses:
                raise self.error(Outcome(StatusCode.INTERNAL, "the call ended without a response"))
            return self._responses[0]

    def error(self, outcome: Outcome) -> CallError:
        return CallError(outcome, self._initial)

    def time_remaining(self) -> float | None:
        return None if self._deadline is None else max(self._deadline - self._time.time(), 0.0)

    def cancel(self) -> bool:
        return self.end(Outcome(StatusCode.CANCELLED, LOCALLY_CANCELLED, NONE_SENT))

    def add_callback(self, callback: Callable[[], Any]) -> bool:
        with self.changed:
            if self.outcome is not None:
                return False
            self._callbacks.append(callback)
            return True

    # The test

    def take_request(self) -> Any:
        with self.changed:
            self.changed.wait_for(lambda: self._requests or self._closed or self.outcome)
            if not self._requests:
                raise ValueError("the program sends no more requests")
            return self._requests.pop(0)

    def requests_closed(self) -> None:
        with self.changed:
            self.changed.wait_for(lambda: self._closed or self.outcome)
            if not self._closed:
                raise ValueError("the call ended before the program had sent its last request")

    def send_initial_metadata(self, metadata: Any) -> None:
        with self.changed:
            self._initial = arrived(metadata)
            self.changed.notify_all()

    def send_response(self, response: Any) -> None:
        with self.changed:
            if self.outcome is None:
                self._responses.append(response)
                self.changed.notify_all()

    def terminate(self, metadata: Any, code: StatusCode, details: str, *response: Any) -> None:
        """End the call; with its one response, if there is one."""
        self.end(Outcome(code, details, arrived(metadata)), *response)

    def cancelled(self) -> None:
        outcome = self.wait()
        if outcome.code is not StatusCode.CANCELLED:
            raise ValueError(f"the call was not cancelled: it ended with {outcome.code}")

    def end(self, outcome: Outcome, *response: Any) -> bool:
        """End the call, unless it is over."""
        with self.changed:
            if self.outcome is not None:
                return False
            if self._initial is None:
                self._initial = NONE_SENT
            self._responses += response
            self.outcome = outcome
            callbacks, self._callbacks = self._callbacks, []
            self.changed.notify_all()
        for callback in callbacks:
            try:
                callback()
            except Exception:
                _LOG.exception("an application's callback raised")
        return True


class _Call:
    """What every call tells."""

    def __init__(self, call: ClientCall) -> None:
        self._call = call

    def initial_metadata(self) -> tuple[Any, ...]:
        return self._call.initial_metadata()

    def trailing_metadata(self) -> tuple[Any, ...]:
        return self._call.wait().trailing_metadata

    def code(self) -> StatusCode:
        return self._call.wait().code

    def details(self) -> str:
        return self._call.wait().details

    def is_active(self) -> bool:
        return self._call.outcome is None

    def time_remaining(self) -> float | None:
        return self._call.time_remaining()

    def cancel(self) -> bool:
        return self._call.cancel()

    def add_callback(self, callback: Callable[[], Any]) -> bool:
        return self._call.add_callback(callback)

    def cancelled(self) -> bool:
        outcome = self._call.outcome
        return outcome is not None and outcome.details == LOCALLY_CANCELLED

    def running(self) -> bool:
        return self._call.outcome is None

    def done(self) -> bool:
        return self._call.outcome is not None

    def exception(self, timeout: float | None = None) -> RpcError | None:
        outcome = self._call.wait(timeout)
        if self.cancelled():
            raise FutureCancelledError
        return None if outcome.code is StatusCode.OK else self._call.error(outcome)

    def traceback(self, timeout: float | None = None) -> Any:
        error = self.exception(timeout)
        return None if error is None else error.__traceback__

    def add_done_callback(self, fn: Callable[[Any], Any]) -> None:
        if not self._call.add_callback(lambda: fn(self)):
            fn(self)


class ResponseFuture(_Call, CallFuture[Any]):
    """A call with one response."""

    def result(self, timeout: float | None = None) -> Any:
        return self._call.response(timeout)


class ResponseStream(_Call, CallIterator[Any]):
    """A call with a stream of responses."""

    def result(self, timeout: float | None = None) -> NoReturn:
        outcome = self._call.wait(timeout)
        raise self._call.error(outcome)

    def __iter__(self) -> ResponseStream:
        return self

    def __next__(self) -> Any:
        response, outcome = self._call.next_response()
        if outcome is None:
            return response
        if outcome.code is StatusCode.OK:
            raise StopIteration
        raise self._call.error(outcome)

    next = __next__
