"""A call that the program serves: what both sides have done to it so far, and what its handler sees of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from clarion.rpc_error import RpcError
from clarion.status import StatusCode
from clarion.sync.interfaces import ServicerContext
from clarion.testing.scripted.interfaces import Time
from clarion.testing.scripted.runtime_metadata import NONE_SENT, arrived

__all__ = ["AbortError", "ScriptedContext", "ServedCall"]

_LOG = logging.getLogger(__name__)


class AbortError(Exception):
    """What `abort` raises in a handler, to end it."""


class CallOver(RpcError):
    """The call ended while its handler read requests."""


class ServedCall:
    """One call, under one lock.

    Args:
        metadata: the client's.
        time: where its deadline is read.
        timeout: in seconds, or None.
        closed: whether there is no stream of requests.
    """

    def __init__(self, metadata: Any, time: Time, timeout: float | None, *, closed: bool) -> None:
        self.metadata = tuple(metadata or ())
        self.time = time
        self.deadline = None if timeout is None else time.time() + timeout
        self.active = True
        self.code: StatusCode | None = None
        self.details = ""
        self.trailing: tuple[Any, ...] | None = None
        self._changed = threading.Condition()
        self._requests: list[Any] = []
        self._closed = closed
        self._responses: list[Any] = []
        self._initial: tuple[Any, ...] | None = None
        self._ended: tuple[tuple[Any, ...], StatusCode, str] | None = None
        self._cancelled = False
        self._callbacks: list[Callable[[], Any]] = []
        self._timer: Any = None

    def watch_deadline(self) -> None:
        """Have the call end at its deadline. Before its handler runs."""
        if self.deadline is not None:
            self._timer = self.time.call_at(self._expire, self.deadline)

    def _expire(self) -> None:
        self.end(NONE_SENT, StatusCode.DEADLINE_EXCEEDED, "Took too much time!")

    # The handler

    def next_request(self) -> Any:
        with self._changed:
            self._changed.wait_for(lambda: self._requests or self._closed or not self.active)
            if not self.active:
                raise CallOver("the call is over")
            if not self._requests:
                raise StopIteration
            return self._requests.pop(0)

    def send_initial_metadata(self, metadata: Any) -> None:
        with self._changed:
            if self._initial is not None:
                raise ValueError("ServicerContext.send_initial_metadata called too late!")
            self._initial = arrived(metadata)
            self._changed.notify_all()

    def respond(self, response: Any) -> None:
        with self._changed:
            if self.active:
                self._begin_responses()
                self._responses.append(response)
                self._changed.notify_all()

    def _begin_responses(self) -> None:
        if self._initial is None:
            self._initial = NONE_SENT

    def complete(self) -> None:
        """The handler returned: the call ends as it said."""
        trailing = NONE_SENT if self.trailing is None else self.trailing
        self.end(trailing, self.code or StatusCode.OK, self.details)

    def failed(self, error: Exception) -> None:
        """The handler raised."""
        if isinstance(error, (AbortError, CallOver)):
            return
        _LOG.error("Exception calling application: %s", error, exc_info=error)
        text = f"Exception calling application: {error}"
        self.end(NONE_SENT, StatusCode.UNKNOWN, text)

    def add_callback(self, callback: Callable[[], Any]) -> bool:
        with self._changed:
            if self.active:
                self._callbacks.append(callback)
            return self.active

    def end(self, trailing: Any, code: StatusCode, details: str) -> None:
        """End the call, unless it is over."""
        with self._changed:
            if not self.active:
                return
            self._begin_responses()
            self._ended = trailing, code, details
            self._over()

    # The client

    def send_request(self, request: Any) -> None:
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def requests_closed(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def initial_metadata(self) -> Any:
        with self._changed:
            self._changed.wait_for(lambda: self._initial is not None or not self.active)
            if self._initial is None:
                raise ValueError("the call was cancelled before there was initial metadata")
            return self._initial

    def take_response(self) -> Any:
        with self._changed:
            self._changed.wait_for(lambda: self._responses or not self.active)
            if not self._responses:
                raise ValueError("the call ended, and there are no more responses")
            return self._responses.pop(0)

    def cancel(self) -> None:
        with self._changed:
            if self.active:
                self._cancelled = True
                self._over()

    def stream_termination(self) -> tuple[Any, StatusCode, str]:
        with self._changed:
            self._changed.wait_for(lambda: not self.active)
            if self._ended is None:
                raise ValueError("the call was cancelled by this test, and so has no status")
            return self._ended

    def unary_termination(self) -> tuple[Any, Any, StatusCode, str]:
        trailing, code, details = self.stream_termination()
        return (self._responses[0] if self._responses else None), trailing, code, details

    def _over(self) -> None:
        """The call is over (with the lock)."""
        self.active = False
        callbacks, self._callbacks = self._callbacks, []
        if callbacks:
            # Not here: they may ask about the call, and may block.
            threading.Thread(
                target=_call_all, args=(callbacks,), name="clarion-scripted-callbacks", daemon=True
            ).start()
        if self._timer is not None:
            self._timer.cancel()
        self._changed.notify_all()


def _call_all(callbacks: list[Callable[[], Any]]) -> None:
    for callback in callbacks:
        try:
            callback()
        except Exception:
            _LOG.exception("an application's callback raised")


class Requests:
    """A stream of requests, as a handler gets it."""

    def __init__(self, call: ServedCall) -> None:
        self._call = call

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._call.next_request()

    next = __next__


class ScriptedContext(ServicerContext):
    """A call, as its handler sees it."""

    def __init__(self, call: ServedCall) -> None:
        self._call = call

    def is_active(self) -> bool:
        return self._call.active

    def time_remaining(self) -> float | None:
        call = self._call
        if not call.active:
            return 0.0
        return None if call.deadline is None else max(call.deadline - call.time.time(), 0.0)

    def cancel(self) -> None:
        self._call.end(NONE_SENT, StatusCode.CANCELLED, "Cancelled by server-side application!")

    def add_callback(self, callback: Callable[[], Any]) -> bool:
        return self._call.add_callback(callback)

    def invocation_metadata(self) -> tuple[Any, ...]:
        return self._call.metadata

    def peer(self) -> str:
        return "scripted"

    def peer_identities(self) -> None:
        return None

    def peer_identity_key(self) -> None:
        return None

    def auth_context(self) -> Mapping[str, Any]:
        return {}

    def set_compression(self, compression: Any) -> None:
        """Nothing is serialized here, so nothing is compressed."""

    def disable_next_message_compression(self) -> None:
        """Nothing is serialized here, so nothing is compressed."""

    def send_initial_metadata(self, initial_metadata: Any) -> None:
        self._call.send_initial_metadata(initial_metadata)

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        self._call.trailing = arrived(trailing_metadata)

    def trailing_metadata(self) -> Any:
        return self._call.trailing or ()

    def abort(self, code: StatusCode, details: str) -> NoReturn:
        if code is StatusCode.OK:
            code, details = StatusCode.UNKNOWN, "abort was called with StatusCode.OK"
        trailing = NONE_SENT if self._call.trailing is None else self._call.trailing
        self._call.end(trailing, code, details)
        raise AbortError(f"the handler aborted the call: {code}, {details}")

    def abort_with_status(self, status: Any) -> NoReturn:
        if status.trailing_metadata:
            self.set_trailing_metadata(status.trailing_metadata)
        self.abort(status.code, status.details)

    def set_code(self, code: StatusCode) -> None:
        self._call.code = code

    def set_details(self, details: str) -> None:
        self._call.details = details or ""

    def code(self) -> Any:
        return self._call.code

    def details(self) -> str:
        return self._call.details
