"""The calls of a sync client. What applications hold of those that do not block is in `call_objects`.

The thread that needs something of a call reads the connection for it (see `client_link`). A stream of requests
needs a thread of its own, because the application's iterator may block; nothing else does.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import copy_context
from typing import Any, ClassVar

from clarion.client_core import PARENT_CUT_OFF, Attempt, ChannelCore, ClientCall, Start
from clarion.protocol.messages import UnpackFailed, as_bytes
from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode
from clarion.sync.client_link import WaitedCall
from clarion.sync.errors import (
    LOCALLY_CANCELLED,
    CallError,
)
from clarion.sync.io_thread import Timer
from clarion.sync.runtime import SyncRuntime

__all__ = ["SyncCall"]

_LOG = logging.getLogger(__name__)

Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]


class SyncCall(ClientCall, WaitedCall):
    """A call that threads share.

    State changes under the link's lock once there is a link, and on the I/O thread before.

    Attributes:
        progress, sleeper: see `Waiter`.
    """

    # Where a thread waits for the call before it has a link.
    _opened: threading.Event | None = None
    _writer: _Writer | None = None
    _callbacks: list[Callable[[], Any]] | None = None
    _timer: Timer | None = None
    _unattended = False
    _wants_head = False
    # The application cancelled the call, so what came is not wanted either.
    unwanted = False
    # Keeps the channel open while somebody may still use the call.
    channel: object = None

    _set_later: ClassVar[tuple[str, ...]] = ("channel", "progress", "sleeper", "_timer")

    def __init__(
        self,
        core: ChannelCore,
        runtime: SyncRuntime,
        start: Start,
        serialize: Serializer,
        deserialize: Deserializer,
        *,
        response_streaming: bool,
    ) -> None:
        ClientCall.__init__(self, core, start, response_streaming=response_streaming)
        self._runtime = runtime
        self._serialize = serialize
        self._deserialize = deserialize

    # What the call says, under the link's lock or on the I/O thread

    def opened(self) -> None:
        attempt: Any = self.attempt
        if self._unattended and attempt is not None:
            attempt.link.leave_unattended()
        writer = self._writer
        if writer is not None:
            writer.notify()
        if self._opened is not None:
            self._opened.set()

    def try_opened(self, attempt: Attempt) -> None:
        link: Any = attempt.link
        link.leave_unattended()

    def try_over(self, attempt: Attempt) -> None:
        link: Any = attempt.link
        link.attended()

    def head_received(self) -> None:
        if self._wants_head:
            self._notify()

    def response_received(self) -> None:
        self._notify()

    def writable(self) -> None:
        writer = self._writer
        if writer is not None:
            writer.notify()

    def finished(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._notify()
        writer = self._writer
        if writer is not None:
            writer.notify()
        attempt = self.attempt
        if self._unattended and attempt is not None:
            self._unattended = False
            link: Any = attempt.link
            link.attended()
        if self._callbacks is not None:
            self._runtime.call_back(self._run_callbacks)

    def detached(self, attempt: Attempt) -> None:
        self._opened = threading.Event()
        link: Any = attempt.link
        if self._unattended:
            link.attended()
        link.notify(self)

    def _notify(self) -> None:
        attempt = self.attempt
        if attempt is not None:
            link: Any = attempt.link
            link.notify(self)
        else:
            self.progress = True
        if self._opened is not None:
            self._opened.set()

    def _run_callbacks(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks or ():
            try:
                callback()
            except Exception:
                _LOG.exception("a callback of a call raised")

    # ClientCall, from any thread

    def begin(self, message: tuple[bytes, bytes] | None) -> None:
        self.message = message
        self._half_closed = message is not None
        link = self.core.link or self.core.find_link(self)
        if link is not None:
            self.link_available(link)
        else:
            self._opened = threading.Event()
            self._runtime.post(lambda: self.core.wait(self))

    def link_available(self, link: Any) -> None:
        with link.lock:
            self.open_on(link)

    def open_on(self, link: Any) -> None:
        """Open a stream on `link`, or wait there until one is free (with the lock)."""
        ClientCall.link_available(self, link)
        if self.attempt is None and self._opened is None:
            self._opened = threading.Event()

    def send(self, message: tuple[bytes, bytes]) -> bool:
        attempt = self.attempt
        if attempt is None:
            # Not by `ClientCall.send`: there may be an attempt by now, and its link's lock is not held.
            return self.outcome is not None or self._refuse(message) or self._offer(message)
        link: Any = attempt.link
        with link.lock:
            # With its link's lock the attempt stays what it is: the call's, or one that came to nothing.
            if attempt is not self.attempt:
                return self.outcome is not None
            return self.send_now(message)

    def half_close(self) -> bool:
        attempt = self.attempt
        if attempt is None:
            hedging = self.hedging
            if hedging is None or not hedging.half_close():
                return self.outcome is not None
            self._half_closed = True
            return True
        link: Any = attempt.link
        with link.lock:
            if attempt is not self.attempt:
                return self.outcome is not None
            return self.half_close_now()

    def end(self, outcome: Outcome) -> None:
        """End the call from this side, from any thread; it is over when this returns, or soon after."""
        attempt = self.attempt
        if attempt is None:
            if self._runtime.io.is_current:
                ClientCall.end(self, outcome)
            else:
                self._runtime.post(lambda: self.end(outcome))
            return
        link: Any = attempt.link
        # A signal handler may cancel a call while its own thread has the lock.
        if not link.lock.acquire(blocking=self._runtime.io.is_current):
            self._runtime.post(lambda: self.end(outcome))
            return
        try:
            if attempt is not self.attempt:
                # It came to nothing just now, and the call is the I/O thread's until there is another.
                self._runtime.post(lambda: self.end(outcome))
                return
            ClientCall.end(self, outcome)
        finally:
            link.lock.release()

    def parent_cut_off(self) -> None:
        self.end(PARENT_CUT_OFF)

    def forked(self) -> None:
        # Somebody may have been in the middle of any of these.
        if self._opened is not None:
            self._opened = threading.Event()
        self._writer = None
        self.waiters = None
        ClientCall.forked(self)

    def deadline_set(self) -> None:
        # The thread that waits may do so already, without a deadline or with a later one.
        if self._timer is not None:
            self._timer.cancel()
        self.watch_deadline()

    # Starting

    def start_with(self, request: Any) -> None:
        """Start a call that has one request.

        Raises:
            CallError: the request cannot be serialized. That is told at once, as in grpcio.
        """
        payload = self.serialize(request)
        if payload is None:
            outcome = self.outcome
            if outcome is not None and outcome.code is StatusCode.INTERNAL:
                raise self.error(outcome)
            return
        if self._expired():
            return
        self.begin(self.pack(payload))

    def serialize(self, request: Any) -> bytes | None:
        """The bytes of a request; None if it cannot be sent, which ends the call."""
        try:
            payload = self._serialize(request)
            if type(payload) is not bytes:
                payload = as_bytes(payload)
            size = len(payload)
        except Exception as error:
            _LOG.exception("the request serializer raised")
            failed = Outcome(StatusCode.INTERNAL, f"Exception serializing request! {error}")
        else:
            limit = self.core.options.max_send
            if not 0 <= limit < size:
                return payload
            failed = Outcome(
                StatusCode.RESOURCE_EXHAUSTED,
                f"CLIENT: Sent message larger than max ({size} vs. {limit})",
            )
        new = self._opened is None and self.attempt is None
        (self._never_begun if new else self.end)(failed)
        return None

    def exchange(self, request: Any) -> None:
        """Start a call that has one request, and wait for its end."""
        payload = self.serialize(request)
        if payload is None or self._expired():
            return
        self.message = self.pack(payload)
        self._half_closed = True
        link: Any = self.core.link or self.core.find_link(self)
        if link is None:
            self._opened = threading.Event()
            self._runtime.post(lambda: self.core.wait(self))
        else:
            deadline = self.start.deadline
            try:
                link.exchange(self, deadline)
            except BaseException:
                # KeyboardInterrupt: nobody will fetch the answer.
                self.end(Outcome(StatusCode.CANCELLED, LOCALLY_CANCELLED))
                raise
        if self.outcome is None:
            self.wait_done()

    def start_stream(self, requests: Iterator[Any]) -> None:
        """Start a call with a stream of requests."""
        if self._expired():
            return
        writer = self._writer = _Writer(self)
        self.begin(None)
        writer.start(requests)

    def _expired(self) -> bool:
        deadline = self.start.deadline
        if deadline is not None and self.outcome is None and deadline <= time.monotonic():
            self._never_begun(Outcome(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"))
        return self.outcome is not None

    def _never_begun(self, outcome: Outcome) -> None:
        """The call is over before another thread knew it."""
        self.outcome = outcome
        self.core.count_failure()
        if self.parent is not None:
            self.parent.release(self)

    def leave_unattended(self) -> None:
        """Say, before the start, that perhaps no thread will wait for the call; time it, too."""
        self._unattended = True
        self.watch_deadline()

    def watch_deadline(self) -> None:
        """Say, before the start, that the call may pass its deadline while no thread waits for it."""
        if self.start.deadline is not None:
            self._timer = self._runtime.io.call_at(self.start.deadline, self.deadline_passed)

    # Waiting

    def wait_until(self, ready: Callable[[], bool], deadline: float | None) -> bool:
        """Wait for `ready()`; return False if `deadline` (on `time.monotonic()`) passed first."""
        while not ready():
            attempt = self.attempt
            if attempt is not None:
                link: Any = attempt.link
                if not link.wait(self, ready, deadline):
                    return False
                continue
            event = self._opened
            if event is None:
                return ready()
            timeout = None
            if deadline is not None:
                timeout = min(max(deadline - time.monotonic(), 0.0), threading.TIMEOUT_MAX)
            if not event.wait(timeout) and not ready():
                return False
        return True

    def wait_done(self) -> Outcome:
        """Wait for the end of the call, as its deadline has it."""
        if self.outcome is None:
            self._wait_or_expire(self._is_done)
        assert self.outcome is not None
        return self.outcome

    def _wait_or_expire(self, ready: Callable[[], bool]) -> None:
        try:
            if not self.wait_until(ready, self.start.deadline):
                self.deadline_passed()
                self.wait_until(ready, None)
        except BaseException:
            # KeyboardInterrupt: nobody will fetch the answer.
            self.end(Outcome(StatusCode.CANCELLED, LOCALLY_CANCELLED))
            raise

    def _is_done(self) -> bool:
        return self.outcome is not None

    def _is_headed(self) -> bool:
        return self.head_metadata is not None or self.outcome is not None

    # The result

    def take_response(self) -> Any:
        """The response of a call that is over.

        Raises:
            CallError: the call ended with another status than OK.
        """
        outcome = self.outcome
        assert outcome is not None
        if outcome.code is not StatusCode.OK:
            raise self.error(outcome)
        message = self.response
        assert message is not None
        return self.unpack(message)

    def unpack(self, message: bytes) -> Any:
        """A response out of what came; if it is damaged, the call ends with that."""
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
        raise self.error(failed)

    def error(self, outcome: Outcome) -> CallError:
        """What the call ended with, to raise."""
        return CallError(outcome, self.head_metadata)


class _Writer:
    """Sends a stream of requests from a thread of its own, in the context variables of the caller."""

    def __init__(self, call: SyncCall) -> None:
        self._call = call
        self._may_go_on = threading.Event()

    def start(self, requests: Iterator[Any]) -> None:
        threading.Thread(
            target=copy_context().run,
            args=(self._run, requests),
            name="clarion-requests",
            daemon=True,
        ).start()

    def notify(self) -> None:
        self._may_go_on.set()

    def _run(self, requests: Iterator[Any]) -> None:
        call = self._call
        try:
            self._wait(self._opened)
            self._send_all(requests)
        except Exception as error:
            _LOG.exception("the request iterator of a call raised")
            call.end(Outcome(StatusCode.UNKNOWN, f"Exception iterating requests! {error!r}"))
        finally:
            # A generator that was not exhausted is closed by its last reference, which must not wait for the
            # cyclic collector.
            call._writer = None

    def _send_all(self, requests: Iterator[Any]) -> None:
        call = self._call
        for request in requests:
            if call.outcome is not None:
                return
            payload = call.serialize(request)
            if payload is None:
                return
            message = call.pack(payload)
            while not call.send(message):
                self._wait(self._opened)
            if not self._taken():
                self._wait(self._taken)
        while call.outcome is None and not call.half_close():
            self._wait(self._opened)

    def _opened(self) -> bool:
        """Whether requests can be sent."""
        call = self._call
        return call.attempt is not None or (call.hedging is not None and not call.hedging.full)

    def _taken(self) -> bool:
        """Whether flow control has taken what was sent."""
        attempt = self._call.attempt
        return attempt is None or attempt.parked is None

    def _wait(self, ready: Callable[[], bool]) -> None:
        """Wait until `ready()` or the end of the call. Somebody else must read the connection then."""
        call = self._call
        if ready() or call.outcome is not None:
            return
        attempt = call.attempt
        link: Any = attempt.link if attempt is not None else None
        if link is not None:
            with link.lock:
                link.leave_unattended()
        try:
            while not ready() and call.outcome is None:
                self._may_go_on.clear()
                if not ready() and call.outcome is None:
                    self._may_go_on.wait()
        finally:
            if link is not None:
                with link.lock:
                    link.attended()
