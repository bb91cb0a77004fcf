"""What passes through a connection of HTTP/1.1, in words. It is told heads and bodies by the connection, which has read or
made them, and shows them as `ConnectionWatch` shows those of HTTP/2; each request is a stream.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from clarion.wire_trace.connection_watch import ConnectionWatch
from clarion.wire_trace.escaping import escape
from clarion.wire_trace.frame_text import describe_headers
from clarion.wire_trace.hub import HUB, Hub

__all__ = ["Http1Watch", "ShowsHttp1"]

_LOG = logging.getLogger(__name__)

Fields = Sequence[tuple[bytes, bytes]]

_SHOWN_OF_A_LINE = 300


class Http1Watch(ConnectionWatch):
    """Watches one connection of HTTP/1.1.

    Args:
        hub: whom to tell.
        find_peer: gives the address of the other end, once there is something to tell.
        is_client: whether this process is the client.
    """

    def __init__(self, hub: Hub, find_peer: Callable[[], str], *, is_client: bool = False) -> None:
        super().__init__(hub, is_client, find_peer)
        self._is_client = is_client

    def request(self, sid: int, line: bytes, path: bytes, fields: Fields) -> None:
        """A request begins.

        Args:
            sid: its number.
            line: the request line.
            path: what is called.
            fields: the headers.
        """
        self._meet()
        self._head(not self._is_client, sid, line, ((b":path", path), *fields), fields)

    def response(self, sid: int, line: bytes, fields: Fields) -> None:
        """An answer begins."""
        self._meet()
        self._head(self._is_client, sid, line, fields, fields)

    def _head(self, came: bool, sid: int, line: bytes, noted: Fields, fields: Fields) -> None:
        direction = self._received if came else self._sent
        stream = self._note_headers(direction, sid, tuple(noted))
        first = escape(line, _SHOWN_OF_A_LINE)
        self._tell(
            "frames",
            lambda settings: "\n".join([first, *describe_headers(fields, settings.masking)]),
            direction,
            sid,
            "" if stream is None else stream.method,
        )

    def body(self, came: bool, sid: int, data: bytes | memoryview) -> None:
        """A piece of a body came, or goes."""
        direction = self._received if came else self._sent
        stream = self._streams.get(sid)
        size = len(data)
        method = "" if stream is None else stream.method
        self._tell("frames", f"{size} bytes of a body", direction, sid, method)
        if stream is not None and stream.framed[int(direction.from_client)]:
            self._body(direction, sid, stream, bytes(data), 0)

    def end(self, came: bool, sid: int) -> None:
        """A body is over."""
        self._half_closed(self._received if came else self._sent, sid)


class ShowsHttp1:
    """A connection with a watch, which goes when no trace is on any more, or when it fails."""

    __slots__ = ()

    _watch: Http1Watch | None

    def _show(self: Any, what: str, *arguments: Any) -> None:
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
