"""A stream of responses that come by the clock, or when there is news: nobody waits for them on a thread of the pool.

With a generator that sleeps, each such call would take a thread for as long as it lasts; a few clients that want to be
told of something would leave none for the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clarion.sync.interfaces import ServicerContext
    from clarion.sync.server_call import SyncServerCall

__all__ = ["SlowStream"]

# Seconds until what could not be sent is tried again, where no interval says so.
_UNTIL_IT_READS = 1.0


class SlowStream:
    """What a handler returns for a response now, and another each time that it is due, until the call ends.

    Args:
        context: the call's.
        interval: seconds until the next one is due; None: it is due when `wake` is called.
        respond: makes a response, or None if there is none this time; it must not block.
    """

    def __init__(
        self, context: ServicerContext, interval: float | None, respond: Callable[[], Any]
    ) -> None:
        self._context = context
        self._interval = interval
        self._respond = respond
        self._call: SyncServerCall | None = None
        self._waits = False
        # For who iterates.
        self._over = False
        self._due = threading.Event()

    def go_on(self, call: SyncServerCall) -> None:
        """Send responses on `call` from now on."""
        self._call = call
        call.keep_context()
        call.link.io.post(self._send)

    def wake(self) -> None:
        """There may be something new. Any thread may say so."""
        self._due.set()
        call = self._call
        if call is not None:
            call.link.io.post(self._send)

    def _send_late(self) -> None:
        self._waits = False
        self._send()

    def _send(self) -> None:
        call = self._call
        assert call is not None
        link = call.link
        interval = self._interval
        with link.lock:
            if call.over:
                return
            # A client that does not read gets what is the case when it does.
            if call.parked is None:
                response = self._respond()
                if response is not None:
                    assert call.method is not None
                    if not call.headers_sent:
                        call.send_initial_metadata(())
                    call.send_response(call.method.serialize(response))
                    link.flush_soon()
            elif interval is None and not self._waits:
                interval = _UNTIL_IT_READS
        if interval is not None:
            self._waits = True
            link.io.call_later(interval, self._send_late)

    def _end(self) -> None:
        self._over = True
        self._due.set()

    def __iter__(self) -> Iterator[Any]:
        """The same on this thread, for who wants to see the responses on their way, as interceptors may."""
        if not self._context.add_callback(self._end):
            return
        while not self._over:
            self._due.clear()
            response = self._respond()
            if response is not None:
                yield response
            self._due.wait(self._interval)
