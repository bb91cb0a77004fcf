"""An HTTP/2 connection that shows what passes through it. It behaves as `Connection` does, whatever the watch makes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from clarion.http2 import Abort, Config, Connection, ConnectionObserver
from clarion.http2.connection import StreamFactory
from clarion.wire_trace.connection_watch import ConnectionWatch
from clarion.wire_trace.hub import HUB

__all__ = ["TracedConnection", "peer_of"]

_LOG = logging.getLogger(__name__)


class TracedConnection(Connection):
    """A connection and its watch, which goes when no trace is on any more, or when it fails."""

    __slots__ = ("_watch",)

    def __init__(
        self,
        observer: ConnectionObserver,
        now: Callable[[], float],
        config: Config | None = None,
        stream_factory: StreamFactory | None = None,
    ) -> None:
        super().__init__(observer, now, config, stream_factory)
        self._watch: ConnectionWatch | None = ConnectionWatch(
            HUB, stream_factory is None, lambda: peer_of(observer)
        )

    def receive_data(self, data: bytes) -> None:
        self._show("received", data)
        super().receive_data(data)

    def take_output(self) -> list[bytes | memoryview]:
        output = super().take_output()
        if output:
            self._show("sent", output)
        return output

    def _end(self, reason: Abort) -> None:
        self._show("over", reason.describe() if reason.code else reason.message)
        super()._end(reason)

    def _show(self, what: str, *arguments: Any) -> None:
        watch = self._watch
        if watch is None:
            return
        if not HUB.watches_wires:
            self._watch = None
            return
        try:
            getattr(watch, what)(*arguments)
        except Exception:
            # Its state is anything now, so what it would say further on as well.
            self._watch = None
            _LOG.warning("connection c%d is not traced any more", watch.number, exc_info=True)


def peer_of(observer: Any) -> str:
    """The other end of a link, of either front end and side."""
    peer = getattr(observer, "peer", "")
    try:
        return str(peer() if callable(peer) else peer)
    except Exception:
        return "unknown"
