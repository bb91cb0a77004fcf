"""A client's HTTP/1.1 connection that shows what passes through it (`clarion.wire_trace`). It behaves as `Http1ClientConnection`
does."""

from __future__ import annotations

from typing import Any

import h11

from clarion.http2 import Abort
from clarion.http2.stream import Stream
from clarion.web.http1.client_connection import Http1ClientConnection
from clarion.wire_trace.http1_watch import Http1Watch, ShowsHttp1
from clarion.wire_trace.hub import HUB
from clarion.wire_trace.traced_connection import peer_of

__all__ = ["TracedHttp1ClientConnection"]


class TracedHttp1ClientConnection(ShowsHttp1, Http1ClientConnection):
    """A connection and its watch, which goes when no trace is on any more, or when it fails."""

    __slots__ = ("_watch",)

    def __init__(self, observer: Any, *arguments: Any) -> None:
        super().__init__(observer, *arguments)
        self._watch = Http1Watch(HUB, lambda: peer_of(observer), is_client=True)

    @property
    def _sid(self) -> int:
        return self._next_id - 2

    def _send_head(self, request: h11.Request) -> None:
        line = b"%b %b HTTP/1.1" % (request.method, request.target)
        path = request.target.partition(b"?")[0]
        self._show("request", self._sid, line, path, tuple(request.headers))
        super()._send_head(request)

    def _send_piece(self, piece: bytes | memoryview) -> None:
        if piece:
            self._show("body", False, self._sid, piece)
        super()._send_piece(piece)

    def _end_body(self, stream: Stream) -> None:
        self._show("end", False, self._sid)
        super()._end_body(stream)

    def _answer_began(self, response: h11.Response) -> None:
        line = b"HTTP/%b %d" % (response.http_version, response.status_code)
        self._show("response", self._sid, line, tuple(response.headers))
        super()._answer_began(response)

    def _deliver(self, end: bool) -> None:
        if self._piece:
            self._show("body", True, self._sid, self._piece)
        super()._deliver(end)

    def _answer_ended(self) -> None:
        sid = self._sid
        super()._answer_ended()
        self._show("end", True, sid)

    def _end(self, reason: Abort) -> None:
        self._show("over", reason.describe() if reason.code else reason.message)
        super()._end(reason)
