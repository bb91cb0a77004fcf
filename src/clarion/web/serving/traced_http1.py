"""An HTTP/1.1 connection that shows what passes through it (`clarion.wire_trace`). It behaves as `Http1Connection` does."""

from __future__ import annotations

from typing import Any

import h11

from clarion.http2 import Abort
from clarion.http2.stream import Stream
from clarion.web.http1.connection import Http1Connection
from clarion.web.http1.heads import Fields
from clarion.web.http1.switching import OtherProtocol
from clarion.wire_trace.http1_watch import Http1Watch, ShowsHttp1
from clarion.wire_trace.hub import HUB
from clarion.wire_trace.traced_connection import peer_of

__all__ = ["TracedHttp1Connection"]


class TracedHttp1Connection(ShowsHttp1, Http1Connection):
    """A connection and its watch, which goes when no trace is on any more, or when it fails."""

    __slots__ = ("_watch",)

    def __init__(self, observer: Any, *arguments: Any) -> None:
        super().__init__(observer, *arguments)
        self._watch = Http1Watch(HUB, lambda: peer_of(observer))

    def _request_began(self, request: h11.Request) -> None:
        line = b"%b %b HTTP/%b" % (request.method, request.target, request.http_version)
        # `_last_peer_id` is the request's when it has been accepted.
        self._show(
            "request",
            self._last_peer_id + 2,
            line,
            request.target.partition(b"?")[0],
            tuple(request.headers),
        )
        super()._request_began(request)

    def _deliver(self, end: bool) -> None:
        if self._piece:
            self._show("body", True, self._last_peer_id, self._piece)
        super()._deliver(end)

    def _request_ended(self) -> None:
        super()._request_ended()
        self._show("end", True, self._last_peer_id)

    def _send_head(self, response: h11.Response) -> None:
        line = b"HTTP/1.1 %d" % response.status_code
        self._show("response", self._last_peer_id, line, tuple(response.headers))
        super()._send_head(response)

    def switch(self, stream: Stream, fields: Fields, other: OtherProtocol) -> None:
        self._show("response", self._last_peer_id, b"HTTP/1.1 101", fields)
        super().switch(stream, fields, other)

    def receive_data(self, data: bytes) -> None:
        if data and self._other is not None:
            self._show("body", True, self._last_peer_id, data)
        super().receive_data(data)

    def _send_piece(self, piece: bytes | memoryview) -> None:
        if piece:
            self._show("body", False, self._last_peer_id, piece)
        super()._send_piece(piece)

    def _end_body(self, stream: Stream) -> None:
        self._show("end", False, self._last_peer_id)
        super()._end_body(stream)

    def _end(self, reason: Abort) -> None:
        self._show("over", reason.describe() if reason.code else reason.message)
        super()._end(reason)
