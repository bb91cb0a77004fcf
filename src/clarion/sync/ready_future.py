"""A future that waits for a channel to be READY."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from clarion.connectivity import ChannelConnectivity
from clarion.sync import channel_interface as interface
from clarion.sync.errors import FutureCancelledError, FutureTimeoutError
from clarion.sync.interfaces import Future

__all__ = ["ReadyFuture", "channel_ready_future"]

_LOG = logging.getLogger(__name__)


class ReadyFuture(Future[None]):
    """Done when a channel is READY (`channel_ready_future`)."""

    def __init__(self, channel: interface.Channel) -> None:
        self._channel = channel
        self._condition = threading.Condition()
        self._ready = False
        self._cancelled = False
        self._callbacks: list[Callable[[Any], Any]] = []
        channel.subscribe(self._update, try_to_connect=True)

    def _update(self, state: ChannelConnectivity) -> None:
        if state is not ChannelConnectivity.READY:
            return
        with self._condition:
            if self._ready or self._cancelled:
                return
            self._ready = True
            self._condition.notify_all()
        self._channel.unsubscribe(self._update)
        self._run_callbacks()

    def __repr__(self) -> str:
        state = "ready" if self._ready else "cancelled" if self._cancelled else "waiting"
        return f"<{type(self).__name__} of {self._channel!r}: {state}>"

    def _run_callbacks(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            try:
                callback(self)
            except Exception:
                _LOG.exception("a callback of a future that waits for a channel raised")

    def cancel(self) -> bool:
        """Stop waiting."""
        with self._condition:
            if self._ready:
                return False
            self._cancelled = True
            self._condition.notify_all()
        self._channel.unsubscribe(self._update)
        self._run_callbacks()
        return True

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._cancelled

    def running(self) -> bool:
        """Whether it still waits."""
        return not self.done()

    def done(self) -> bool:
        """Whether the channel became READY, or it was cancelled."""
        return self._ready or self._cancelled

    def result(self, timeout: float | None = None) -> None:
        """Wait until the channel is READY.

        Args:
            timeout: seconds to wait.

        Raises:
            FutureTimeoutError: it was not READY in time.
            FutureCancelledError: it was cancelled.
        """
        with self._condition:
            if not self._condition.wait_for(self.done, timeout):
                raise FutureTimeoutError(f"the channel was not ready within {timeout} s")
        if self._cancelled:
            raise FutureCancelledError("the wait was cancelled")

    def exception(self, timeout: float | None = None) -> Exception | None:
        """None, after `result`."""
        self.result(timeout)
        return None

    def traceback(self, timeout: float | None = None) -> Any:
        """None, after `result`."""
        self.result(timeout)
        return None

    def add_done_callback(self, fn: Callable[[Any], Any]) -> None:
        """Call `fn(self)` when it is done; at once if it is."""
        with self._condition:
            if not self.done():
                self._callbacks.append(fn)
                return
        fn(self)


def channel_ready_future(channel: interface.Channel) -> Future[None]:
    """A future that is done when `channel` is READY; the channel leaves IDLE for it."""
    return ReadyFuture(channel)
