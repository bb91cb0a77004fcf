"""An HTTP/1.1 connection of a client, without I/O: `h11` for the syntax, and the interface of `http2.Connection` for the rest.

Links, channels and channelz use it as they use the other: a call is a stream, its request is what `open_stream` and
`send_message` are given, its answer a header list of HTTP/2 and data.

Rules it keeps:
- One exchange at a time, and nothing is pipelined. The connection is free again when both bodies have ended, both sides keep
  it, and nothing came that nobody asked for: what does is never taken for the answer to the next request.
- HTTP/1.1 cannot give up a request but by closing the connection. Only if little of an answer is left, it is read and dropped.
- What a stream has not consumed is bounded: above `Config.initial_window` the socket is not read (`held`).
- An answer that ends before its request does ends the connection, and the rest of the request is not sent.
- The end of the connection is the end of an answer only where nothing else says how long that is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, cast

import h11

from clarion.errors import LocalError
from clarion.http2 import Config, ErrorCode, KeepaliveConfig
from clarion.http2.errors import StreamFault
from clarion.http2.semantics import MalformedHeaders
from clarion.http2.stream import Abort, Stream
from clarion.web.http1.client_heads import (
    BadResponse,
    Fields,
    check_lines,
    read_response,
    request_of,
    what_else,
)
from clarion.web.http1.client_limits import Http1ClientLimits
from clarion.web.http1.side import Http1Observer, Http1Side

__all__ = ["Http1ClientConnection", "Http1ClientObserver"]

_NEVER = float("inf")


class Http1ClientObserver(Http1Observer, Protocol):
    """What the owner of a client's connection hears. Called while the connection works."""

    def due_changed(self) -> None:
        """`Http1ClientConnection.due` may be sooner than it was."""


class Http1ClientConnection(Http1Side):
    """One connection.

    Args:
        observer: who hears about it.
        now: a monotonic clock in seconds.
        config: what is common to all connections of the channel. HTTP/1.1 has no PING, so there is no keepalive.
        limits: what is taken of the server.

    Attributes:
        reused: the exchange under way is not the connection's first.
        handed: the transport was given something of its request; a server can have acted on nothing else.
        heard: something of its answer came.
        expendable: see `Lifecycle`.
    """

    __slots__ = (
        "_began",
        "_certain",
        "_discarded",
        "_eof",
        "_eof_told",
        "_head",
        "_idle_since",
        "_informed",
        "_keep",
        "_left",
        "_limits",
        "_lingering",
        "expendable",
        "handed",
        "heard",
        "reused",
    )

    observer: Http1ClientObserver

    def __init__(
        self,
        observer: Http1ClientObserver,
        now: Callable[[], float],
        config: Config,
        limits: Http1ClientLimits | None = None,
    ) -> None:
        config = dataclasses.replace(config, keepalive=KeepaliveConfig())
        self._limits = limits = limits or Http1ClientLimits()
        super().__init__(observer, now, config, is_client=True, max_head=limits.max_head)
        self.peer_max_concurrent_streams = 1
        self.reused = self.handed = self.heard = self.expendable = False
        # An answer that nobody wants is being read.
        self._lingering = False
        self._discarded = 0
        # The head of the answer is complete.
        self._began = False
        # What came of an answer's head, and how much is to come of its body, where that is told.
        self._head = bytearray()
        self._left: int | None = None
        self._informed = 0
        # The server sends no more; and `h11` knows.
        self._eof = self._eof_told = False
        self._certain = True
        self._keep = limits.idle_timeout
        self._idle_since = now()

    # What the link does

    def start(self) -> None:
        """Say that the connection is usable: servers say nothing first."""
        self.settings_received = True
        self._idle_since = self.now()
        self.observer.ready()

    def take_output(self) -> list[bytes | memoryview]:
        output = super().take_output()
        if output:
            self.handed = True
        return output

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the server, cut anywhere. None are no end; see `peer_closed`.

        Raises:
            Exception: a callback did; the connection has then been failed.
        """
        if self.closed or self._eof:
            return
        if data:
            self.bytes_received += len(data)
            if not self._asked:
                what = what_else(data)
                self._lose(f"the server sent something that no request had asked for: {what}")
                return
            self.heard = True
            if self._h11.their_state is h11.SEND_RESPONSE:
                self._head += data
            # Without any it would be the end, to h11.
            self._h11.receive_data(data)
        self.go_on()

    def peer_closed(self, *, certain: bool = True) -> None:
        """The server sends no more. What came before is still worked off, and may be a whole answer.

        Args:
            certain: it was the server who said so. Otherwise it is no end of an answer whose length nobody told.
        """
        if self.closed or self._eof:
            return
        self._certain = certain
        if not self._asked:
            self._lose("the server closed the connection")
            return
        self._eof = True
        self.go_on()

    def send_failed(self, message: str) -> None:
        """The transport takes nothing any more. What the server said before is still worth reading."""
        stream = self._stream
        if self.closed:
            return
        if stream is None or not self.handed:
            self.connection_lost(message)
            return
        self.outbox.clear()
        self._h11.send_failed()
        parked = stream.parked is not None
        remote_closed = stream.remote_closed
        self._close(stream)
        stream.remote_closed = remote_closed
        if parked:
            stream.writable()

    @property
    def due(self) -> float:
        """When `expire` is to be called: on the clock of `now`; infinite while there is a call."""
        if self._stream is not None:
            return _NEVER
        return self._idle_since + (self._limits.discard_timeout if self._lingering else self._keep)

    @property
    def keep(self) -> float:
        """How long it is kept without a call, in seconds."""
        return self._keep

    def expire(self) -> None:
        """Nobody used the connection for long enough, or what is left of an answer does not come."""
        if self._lingering:
            self.close("the rest of an answer did not come in time (discard_timeout)")
        else:
            self.close(f"no call used the connection for {self._keep:g} s (idle_timeout)")

    def drain(self, why: bytes = b"") -> None:
        """Take no more calls; close when the one under way is over."""
        if self.closed or self.draining:
            return
        self.draining = True
        self._stream_finished()

    def finish_drain(self) -> None:
        """There is no second step."""

    def close(self, message: str = "the connection was closed") -> None:
        """End the connection now; the call on it is cut off."""
        if not self.closed:
            self.expendable = True
            self._end(Abort(ErrorCode.NO_ERROR, message, connection_lost=True))

    def fail(self, code: ErrorCode, message: str) -> None:
        """End the connection for cause."""
        if not self.closed:
            self._end(Abort(code, message, connection_lost=True))

    @property
    def can_open(self) -> bool:
        """Whether `open_stream` would work now."""
        return not self._lingering and super().can_open

    @property
    def _asked(self) -> bool:
        """Whether there is a request that the server may answer."""
        return self._lingering if self._stream is None else self.handed

    # What goes

    def open_stream(
        self,
        stream: Stream,
        block: Any,
        prefix: bytes = b"",
        payload: bytes | None = None,
        *,
        end_stream: bool = False,
    ) -> None:
        """Send a request: its head, and at once the first message if there is one.

        Args:
            stream: hears of the answer.
            block: fields as HTTP/2 has them, pseudo-header fields first.
            prefix, payload: the message, in two parts.
            end_stream: nothing follows: the length of the body is told. Otherwise it is sent in chunks.

        Raises:
            LocalError: `can_open` is false, or HTTP/1.1 has no way to say what is in `block`.
        """
        if not self.can_open:
            raise LocalError("no stream can be opened on this connection now; see can_open")
        length = None
        if end_stream:
            length = 0 if payload is None else len(prefix) + len(payload)
        fields: Fields = block
        request = request_of(fields, length)
        sid = self._next_id
        self._next_id = sid + 2
        stream.stream_id = sid
        stream.send_window = self.peer_initial_window
        self._stream = self.streams[sid] = stream
        self.reused = self.opened > 0
        self.opened += 1
        self.handed = self.heard = self._began = False
        self._left = None
        self._informed = self._uncredited = 0
        self._head.clear()
        self._send_head(request)
        if payload is not None:
            self.send_message(stream, prefix, payload, end_stream=end_stream)
        elif end_stream:
            self._end_body(stream)

    def _send_head(self, request: h11.Request) -> None:
        self.outbox.append(self._h11.send(request) or b"")

    def send_end(self, stream: Stream) -> None:
        """The request is complete, after whatever is parked."""
        if stream is not self._stream or stream.local_closed:
            return
        if stream.parked is not None:
            stream.parked_end = True
        else:
            self._end_body(stream)

    def _end_body(self, stream: Stream) -> None:
        last = self._h11.send(h11.EndOfMessage())
        if last:
            self.outbox.append(last)
        stream.local_closed = True

    # What came

    def _events(self) -> None:
        while not self.closed and not self.held:
            try:
                event = self._h11.next_event()
                kind = type(event)
                if kind is h11.Data:
                    self._deliver(False)
                    self._piece = bytes(cast(h11.Data, event).data)
                elif kind is h11.EndOfMessage:
                    self._answer_ended()
                elif kind is h11.Response:
                    self._answer_began(cast(h11.Response, event))
                elif kind is h11.InformationalResponse:
                    self._informational()
                else:
                    self._deliver(False)
                    if self._eof_told or not self._eof:
                        return
                    self._eof_told = True
                    if self._certain:
                        self._h11.receive_data(b"")
                    else:
                        self._cut_off()
            except (h11.RemoteProtocolError, BadResponse) as error:
                self._broken(error)

    def _broken(self, error: Exception) -> None:
        """There is no telling what else may come."""
        # So that how it was cut makes no difference.
        self._deliver(False)
        head = bytes(self._head)
        if self._eof_told:
            self._cut_off()
        elif head and not head.startswith(b"HTTP/"):
            self.fail(
                ErrorCode.PROTOCOL_ERROR, f"the server's answer is no HTTP: {what_else(head)}"
            )
        else:
            why = str(error)
            if isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == 431:
                what = "its trailers have" if self._began else "its head has"
                why = _too_large(what, self._limits.max_head)
            self.fail(ErrorCode.PROTOCOL_ERROR, f"the server's answer is not valid: {why}")

    def _cut_off(self) -> None:
        when = "within an answer" if self._began else "before it answered"
        self._lose(f"the server closed the connection {when}")

    def _informational(self) -> None:
        self._informed += 1
        most = self._limits.max_informational
        if self._informed > most:
            raise BadResponse(f"more than {most} informational ones precede it (max_informational)")
        self._take_head()

    def _take_head(self) -> None:
        """A head is complete: look at it as it came, and keep what follows it."""
        rest = len(self._h11.trailing_data[0])
        size = len(self._head) - rest
        limit = self._limits.max_head
        if size > limit:
            # `h11` looks only while a head is not complete.
            raise BadResponse(_too_large("its head has", limit))
        check_lines(bytes(self._head[:size]))
        del self._head[:size]

    def _answer_began(self, response: h11.Response) -> None:
        self._take_head()
        self._head.clear()
        head = read_response(response, self._limits.max_fields)
        self._began = self.expendable = True
        self._left = head.length
        if head.keep is not None:
            # Before the server does, to which a request may be on its way then.
            keep = min(max(head.keep - 1, head.keep / 2), self._limits.idle_timeout)
            if keep != self._keep:
                self._keep = keep
                self.observer.due_changed()
        last = head.close and not self.draining
        if last:
            self.draining = True
        stream = self._stream
        # Before there is an answer, a stream that is reset takes the connection along.
        assert stream is not None
        try:
            stream.headers_received(head.headers, False)
        except MalformedHeaders as error:
            raise BadResponse(str(error)) from None
        except StreamFault as error:
            self._refused(stream, error)
        if last and not self.closed:
            self.observer.goaway_received(ErrorCode.NO_ERROR, b"")

    def _deliver(self, end: bool) -> None:
        """Hand on the piece that was kept."""
        piece, self._piece = self._piece, None
        if piece is None and not end:
            return
        piece = piece or b""
        if self._left is not None:
            self._left -= len(piece)
        stream = self._stream
        if stream is None:
            self._discarded += len(piece)
            if self._discarded > self._limits.max_discard:
                self.close("the rest of an answer that nobody wants is too long (max_discard)")
            return
        self._uncredited += len(piece)
        stream.remote_closed = end
        try:
            stream.data_received(piece, end)
        except StreamFault as error:
            self._refused(stream, error)
            return
        if not end and self._uncredited > self.config.initial_window and self._stream is stream:
            self._hold()

    def _refused(self, stream: Stream, fault: StreamFault) -> None:
        """The stream does not take it."""
        self.draining = True
        if self._leave(stream):
            self._abort_all([stream], Abort(fault.code, str(fault)))
        self.fail(fault.code, str(fault))

    def _answer_ended(self) -> None:
        stream = self._stream
        self._deliver(True)
        if self.closed:
            return
        if stream is not None and self._stream is stream:
            self._exchange_over(stream)
        else:
            # Given up by now.
            self._free()
            self._stream_finished()

    def _exchange_over(self, stream: Stream) -> None:
        """The stream heard the end of its answer."""
        if stream.local_closed:
            self._free()
        else:
            # The rest of the request is not wanted.
            self.cut_short += 1
            self.draining = True
            self._leave(stream)
        self._complete(stream)

    def _complete(self, stream: Stream) -> None:
        if self.streams.pop(stream.stream_id, None) is not None:
            self.completed += 1
        self._stream_finished()

    def _free(self) -> None:
        """Both bodies have ended: be ready for the next exchange, if there may be one."""
        h11_, self._stream, self._lingering = self._h11, None, False
        self._uncredited = 0
        self._idle_since = self.now()
        both_done = h11_.our_state is h11.DONE and h11_.their_state is h11.DONE
        if both_done and not self._eof and not h11_.trailing_data[0]:
            h11_.start_next_cycle()
        else:
            self.draining = True

    def consumed(self, stream: Stream, size: int) -> None:
        """`size` bytes of the stream's answer need no longer be held back."""
        if stream is self._stream:
            self._uncredited -= size
            if self._uncredited <= self.config.initial_window // 2:
                self._release()

    # The end of a stream, and of all

    def reset(self, stream: Stream, code: int) -> None:
        """End `stream` now. The server hears of it by the end of the connection.

        But where the request is complete, and what is left of the answer is known to be little, or `code` is NO_ERROR, that is
        read and dropped, and the connection is kept. NO_ERROR says that the server is done and only framing is left.
        """
        answered = stream.remote_closed
        complete = stream.local_closed and self._h11.our_state is not h11.ERROR
        if not self._leave(stream):
            return
        if answered:
            self.cut_short += 1
        if complete and self._is_little(code):
            self._lingering = True
            self._discarded = 0
            self._idle_since = self.now()
            self._release()
            self.observer.due_changed()
        else:
            self.close("a call was given up")

    def _is_little(self, code: int) -> bool:
        """Whether what is left of the answer is worth reading."""
        if not self._began or self.draining:
            return False
        if self._left is not None:
            return self._left <= self._limits.max_discard
        return code == ErrorCode.NO_ERROR

    def _leave(self, stream: Stream) -> bool:
        """Let `stream` hear no more; return whether it was the one under way."""
        if stream is not self._stream:
            return False
        self._stream = self._piece = None
        del self.streams[stream.stream_id]
        self._close(stream)
        self._uncredited = 0
        return True

    def _lose(self, message: str) -> None:
        if not self.closed:
            self._end(Abort(ErrorCode.NO_ERROR, message, remote=True, connection_lost=True))

    def _end(self, reason: Abort) -> None:
        if self._stream is not None and not self.handed:
            reason = reason._replace(unprocessed=True)
        self._stream = self._piece = None
        self._lingering = False
        super()._end(reason)


def _too_large(what: str, limit: int) -> str:
    return f"{what} more than {limit} bytes (max_head)"
