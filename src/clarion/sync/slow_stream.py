"""A stream of responses that come by the clock: nobody need wait for them on a thread of the pool.

With a generator that sleeps, each such call would take a thread for as long as it lasts; a few clients that want to be
told of something would leave none for the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clarion.sync.interfaces import ServicerContext
    from clarion.sync.server_call import SyncServerCall

__all__ = ["SlowStream"]


class SlowStream:
    """What a handler returns for a response now, and another each time that `interval` is over, until the call ends.

    Args:
        context: the call's.
        interval: seconds.
        respond: makes a response, as bytes; it must not block. The method has no serializer.
    """

    def __init__(
        self, context: ServicerContext, interval: float, respond: Callable[[], bytes]
    ) -> None:
        self._context = context
        self._interval = interval
        self._respond = respond
        self._call: SyncServerCall | None = None

    def go_on(self, call: SyncServerCall) -> None:
        """Send responses on `call` from now on."""
        self._call = call
        call.link.io.post(self._send)

    def _send(self) -> None:
        call = self._call
        assert call is not None
        link = call.link
        with link.lock:
            if call.over:
                return
            # A client that does not read gets what is the case when it does.
            if call.parked is None:
                if not call.headers_sent:
                    call.send_initial_metadata(())
                call.send_response(self._respond())
                link.flush_soon()
        link.io.call_later(self._interval, self._send)

    def __iter__(self) -> Iterator[bytes]:
        """The same on this thread, for who wants to see the responses on their way, as interceptors may."""
        over = threading.Event()
        if self._context.add_callback(over.set):
            yield self._respond()
            while not over.wait(self._interval):
                yield self._respond()
