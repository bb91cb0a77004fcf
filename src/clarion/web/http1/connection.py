"""An HTTP/1.1 connection of a server, without I/O: `h11` for the syntax, and the interface of `http2.Connection` for the rest.

Links, admission, channelz and upkeep use it as they use the other, and streams cannot tell the two apart: a request is a
stream whose header list is that of HTTP/2 (`heads`), and an answer is `send_headers` and `send_message`.

Rules it keeps:
- One stream at a time, in the order in which requests came. What is pipelined behind it waits in `h11`, and more is not read.
- What a stream has not consumed is bounded: above `Config.initial_window` the socket is not read (`held`).
- A request that is refused, or whose framing is in doubt, ends the connection: what follows may not be what it seems.
- A head is kept until another one comes: clients say the same again and again, and then it need not be read again.
- A request that was answered before its end is read to its end, up to `Http1Limits.max_discard`. An answer that is known
  to leave more says `connection: close`: a client would send its next request into a connection that goes away.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

import h11

from clarion.hpack import HeaderList
from clarion.http2 import Config, Connection, ErrorCode
from clarion.http2.errors import StreamFault
from clarion.http2.semantics import MalformedHeaders
from clarion.http2.stream import Abort, Stream
from clarion.web.http1.heads import Fields, Refused, answer_head, check_size, request_fields
from clarion.web.http1.limits import Http1Limits
from clarion.web.http1.side import Http1Observer, Http1Side
from clarion.web.http1.switching import OtherProtocol, Switched

__all__ = ["Http1Connection", "Http1Observer"]

_NO_BODY = (204, 304)
# Larger heads are not kept, for there may be many connections.
_KEPT = 2048
_STATUS = {ErrorCode.INTERNAL_ERROR: 500, ErrorCode.INADEQUATE_SECURITY: 403}

StreamFactory = Callable[[Connection, int], Stream]


class Http1Connection(Http1Side):
    """One connection.

    Args:
        observer: who hears about it.
        now: a monotonic clock in seconds.
        config: what is common to all connections of the server.
        stream_factory: makes the `Stream` for a request.
        options: limits.
        scheme: `http` or `https`.

    Attributes:
        version: of HTTP, that the last request says: `1.1` or `1.0`.
        congestions: how often the transport was congested.
        request: the last request, as it came.
    """

    __slots__ = (
        "_answer",
        "_discarded",
        "_expects",
        "_known",
        "_left",
        "_mark",
        "_options",
        "_other",
        "_paused",
        "_scheme",
        "_stream_factory",
        "congestions",
        "request",
        "version",
    )

    def __init__(
        self,
        observer: Http1Observer,
        now: Callable[[], float],
        config: Config,
        stream_factory: StreamFactory,
        options: Http1Limits,
        scheme: bytes,
    ) -> None:
        super().__init__(observer, now, config, is_client=False, max_head=options.max_head)
        self.version = "1.1"
        self.congestions = 0
        self._stream_factory = stream_factory
        self._options = options
        self._scheme = scheme
        self._expects = False
        # Of the request's body is still to come; None: its head does not say.
        self._left: int | None = 0
        self._discarded = 0
        # `bytes_received` when the last exchange was over.
        self._mark = 0
        # `h11` waits for the answer before it reads the next request.
        self._paused = False
        self.request: h11.Request | None = None
        # The last head that came: what it said, its header list, and `_left`.
        self._known: tuple[Any, HeaderList, int | None] | None = None
        # The last one that went: what was to be said, and what that is to `h11`.
        self._answer: tuple[Any, h11.Response] | None = None
        # What the connection has switched to.
        self._other: OtherProtocol | None = None

    # What the link does

    def start(self) -> None:
        """The client speaks first."""

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the client, cut anywhere.

        Raises:
            Exception: a callback did; the connection has then been failed.
        """
        if self.closed:
            return
        self.bytes_received += len(data)
        if data:
            # Without it would be the end, to h11.
            self._h11.receive_data(data)
        if self._paused and data:
            # Its end would be noticed by reading on, but not without keeping what comes before it.
            self._hold()
        else:
            self.go_on()

    def pause(self) -> None:
        self.congestions += 1
        super().pause()

    def drain(self, why: bytes = b"") -> None:
        """Take no more requests; close when the one under way is answered."""
        if self.closed or self.draining:
            return
        self.draining = self._drained = self._watch_finish = True
        if self._stream is None:
            self._stream_finished()
        elif self._other is not None:
            self._other.going_away()

    def finish_drain(self) -> None:
        """There is no second step."""

    def close(self, message: str = "the connection was closed") -> None:
        """End the connection now; an answer under way is cut off."""
        if not self.closed:
            if self._stream is not None and self._h11.our_state is h11.SEND_RESPONSE:
                self._say(503, message)
            self._end(Abort(ErrorCode.NO_ERROR, message, connection_lost=True))

    def fail(self, code: ErrorCode, message: str) -> None:
        """End the connection for cause, and say so if no answer has begun."""
        if not self.closed:
            self._say(_STATUS.get(code, 503), message)
            self._end(Abort(code, message, connection_lost=True))

    def refuse(self, status: int, why: str) -> None:
        """Answer with an error if no answer has begun, and end the connection."""
        self._say(status, why)
        self._end(Abort(ErrorCode.NO_ERROR, why, connection_lost=True))

    def rest(self) -> None:
        """No request came for some time: keep nothing of the last one, for there may be many such connections."""
        self.request = self._known = self._answer = None

    @property
    def phase(self) -> tuple[str, int]:
        """What is waited for: `idle`, `head`, `body`, `answer` or `write`, and a number that is another for another such phase."""
        if self._congested:
            return "write", self.congestions
        if self._stream is None and not self._discarded:
            begun = self.bytes_received > self._mark
            return "head" if begun or not self.opened else "idle", self.opened
        if self._h11.their_state is h11.SEND_BODY and not self.held:
            return "body", self.opened
        return "answer", self.opened

    @property
    def patient(self) -> bool:
        """Whether the request is a stream, which may rest."""
        return bool(getattr(self._stream, "patient", False))

    # What came

    def _events(self) -> None:
        self._paused = False
        while not self.closed and not self.held:
            try:
                event = self._h11.next_event()
            except h11.RemoteProtocolError as error:
                if self._stream is not None and self._stream.remote_closed:
                    # Behind a request that was to be the last one.
                    self._paused = True
                    return
                # What it quotes came from the client, and may be long.
                self.refuse(error.error_status_hint, str(error).partition(": bytearray")[0])
                return
            kind = type(event)
            if kind is h11.Data:
                self._deliver(False)
                self._piece = bytes(event.data)
                if self._left is not None:
                    self._left -= len(event.data)
            elif kind is h11.EndOfMessage:
                self._request_ended()
                if not self._h11.trailing_data[0]:
                    # Most clients wait for the answer.
                    return
            elif kind is h11.Request:
                self._request_began(event)
            else:
                self._deliver(False)
                if event is h11.PAUSED:
                    self._paused = True
                    if self._h11.trailing_data[0]:
                        self._hold()
                return

    def _request_began(self, request: h11.Request) -> None:
        self.request = request
        self._bodiless = request.method == b"HEAD"
        # RFC 9110 §2.5: of a later minor version, it is the one that is known here.
        self.version = "1.0" if request.http_version == b"1.0" else "1.1"
        try:
            headers = self._read_head(request)
        except Refused as error:
            self.refuse(error.status, str(error))
            return
        self._expects = self._h11.they_are_waiting_for_100_continue
        if not self.settings_received:
            self.settings_received = True
            self.observer.ready()
        self.opened += 1
        sid = self._last_peer_id = self._last_peer_id + 2
        stream = self._stream_factory(cast(Connection, self), sid)
        self._stream = self.streams[sid] = stream
        try:
            stream.headers_received(headers, False)
        except (MalformedHeaders, StreamFault) as error:
            self.refuse(400, str(error))
            return
        if self._expects and self._stream is stream and not self._has_begun:
            self._expects = False
            informational = h11.InformationalResponse(
                status_code=100, headers=(), reason=b"Continue"
            )
            self.outbox.append(self._h11.send(informational) or b"")

    def _read_head(self, request: h11.Request) -> HeaderList:
        """The request's head as a header list: the one before it, if that was the same, and what was read of it with it.

        Raises:
            Refused: it is not served.
        """
        said = request.method, request.target, request.http_version, request.headers.raw_items()
        known = self._known
        if known is None or known[0] != said:
            # `h11` limits what it has to wait for, and not what comes at once.
            check_size(request, self._options.max_head)
            headers = request_fields(request, self._scheme)
            values = dict(request.headers)
            length = int(values.get(b"content-length", 0))
            known = said, headers, None if b"transfer-encoding" in values else length
            self._known = known if headers.size <= _KEPT else None
        self._left = known[2]
        return known[1]

    @property
    def _has_begun(self) -> bool:
        return self._h11.our_state is not h11.SEND_RESPONSE

    def _deliver(self, end: bool) -> None:
        """Hand on the piece that was kept."""
        piece, self._piece = self._piece, None
        if piece is None and not end:
            return
        piece = piece or b""
        stream = self._stream
        if stream is None:
            self._discarded += len(piece)
            if self._discarded > self._options.max_discard:
                self._end(
                    Abort(
                        ErrorCode.NO_ERROR,
                        "the rest of a request is too long",
                        connection_lost=True,
                    )
                )
            return
        self._uncredited += len(piece)
        if end:
            stream.remote_closed = True
        try:
            stream.data_received(piece, end)
        except StreamFault as error:
            self.refuse(400, str(error))
            return
        if not end and self._uncredited > self.config.initial_window:
            self._hold()

    def _request_ended(self) -> None:
        if self._stream is None:
            self._piece = None
            self._next_exchange()
        else:
            self._deliver(True)
            self._uncredited = 0
        # The answer may have ended before the last piece, which ended the exchange then.

    def consumed(self, stream: Stream, size: int) -> None:
        """`size` bytes of the stream's request need no longer be held back."""
        self._uncredited -= size
        if not self._paused and self._uncredited <= self.config.initial_window // 2:
            self._release()

    # What goes

    def send_headers(self, stream: Stream, block: Any, *, end_stream: bool = False) -> None:
        if stream is not self._stream or stream.local_closed:
            return
        fields: Fields = block
        close = self.draining or self._expects or self._leaves_much
        said = fields, close, end_stream
        # Answers to one client are much alike.
        answer = self._answer
        if answer is None or answer[0] != said:
            answer = said, _response(fields, close, end_stream)
            size = sum(len(name) + len(value) for name, value in fields)
            self._answer = answer if size <= _KEPT else None
        self._send_head(answer[1])
        if end_stream:
            self._end_body(stream)

    def too_much(self, size: int) -> None:
        """The request holds a message of more than `size` bytes, which nobody reads."""
        if self._left is None:
            self._left = size + 1

    @property
    def _leaves_much(self) -> bool:
        """Whether it is known that more of the request follows than is read behind an answer."""
        ended = self._h11.their_state is not h11.SEND_BODY
        return not ended and (self._left or 0) > self._options.max_discard

    def _send_head(self, response: h11.Response) -> None:
        self.outbox.append(self._h11.send(response) or b"")

    # Another protocol

    def switch(self, stream: Stream, fields: Fields, other: OtherProtocol) -> None:
        """Answer with 101. From here on what comes is `other`'s, and what is sent goes out as it is given.

        Args:
            stream: of a request that asks for it with `upgrade`, and is complete.
            fields: the answer's, with `upgrade` and `connection`.
            other: the protocol.
        """
        head = h11.InformationalResponse(
            status_code=101, headers=list(fields), reason=b"Switching Protocols"
        )
        self.outbox.append(self._h11.send(head) or b"")
        early = self._h11.trailing_data[0]
        self._other = other
        self._h11 = Switched(other)
        self._paused = False
        if early:
            other.bytes_received(early)
            # Where received bytes are worked off, if they were not held already.
            self._hold()
            self._release()

    def hold(self) -> None:
        """Have the socket not read, for the protocol that the connection switched to."""
        self._hold()

    def release(self) -> None:
        """Have it read again, and what is left of received bytes worked off."""
        self._release()

    def reset(self, stream: Stream, code: int) -> None:
        """End the stream without an answer, or without the rest of it. That takes the connection along."""
        sid = stream.stream_id
        if self.streams.get(sid) is not stream:
            return
        del self.streams[sid]
        self._close(stream)
        self._say(503, "the server does not take the call")
        self._end(Abort(ErrorCode.NO_ERROR, "a call was cut off", connection_lost=True))

    # The end of an exchange

    def send_trailers(self, stream: Stream, trailers: Fields) -> None:
        """The end of a body in chunks, behind whatever is parked (RFC 9112 §7.1.2)."""
        if stream is not self._stream or stream.local_closed:
            return
        stream.parked_trailers = trailers
        if stream.parked is not None:
            stream.parked_end = True
        else:
            self._end_body(stream)

    def _end_body(self, stream: Stream) -> None:
        trailers = stream.parked_trailers
        end = h11.EndOfMessage() if trailers is None else h11.EndOfMessage(headers=list(trailers))
        last = self._h11.send(end)
        if last:
            self.outbox.append(last)
        stream.local_closed = stream.remote_closed = True
        self._stream = None
        self._uncredited = 0
        self._complete(stream)
        if self.closed:
            return
        if self._h11.our_state is not h11.DONE:
            # Somebody said `connection: close`, or speaks HTTP/1.0.
            self._end(Abort(ErrorCode.NO_ERROR, "the last answer was sent", connection_lost=True))
        elif self._h11.their_state is h11.DONE:
            self._next_exchange()
        else:
            self._discarded = 1
            # What is left of the request is dropped as it comes.
            self._release()

    def _next_exchange(self) -> None:
        self._discarded = 0
        self._bodiless = False
        self._h11.start_next_cycle()
        waiting = len(self._h11.trailing_data[0])
        self._mark = self.bytes_received - waiting
        self._paused = False
        # What waits was held back; see `_events`.
        self._release()

    def _say(self, status: int, why: str) -> None:
        """Answer with an error and `connection: close`, if no answer has begun."""
        if self._h11.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        body = why.encode("utf-8", "replace") + b"\n"
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        # Links give who was told something the time to read it.
        self._work += 1
        self._send_head(h11.Response(status_code=status, headers=headers, reason=_reason(status)))
        self._send_piece(body)
        self.outbox.append(self._h11.send(h11.EndOfMessage()) or b"")

    def _end(self, reason: Abort) -> None:
        self._stream = self._piece = None
        if isinstance(self._h11, Switched):
            # The other protocol knows this connection; both knowing each other would leave them to the collector.
            self._h11.leave()
            self._other = None
        super()._end(reason)


def _response(fields: Fields, close: bool, end: bool) -> h11.Response:
    """The head of an answer; `end`: there is no body."""
    status, headers = answer_head(fields, close)
    if end and status not in _NO_BODY and not _has(headers, b"content-length"):
        headers.append((b"content-length", b"0"))
    return h11.Response(status_code=status, headers=headers, reason=_reason(status))


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        # An application's own.
        return b""


def _has(headers: list[tuple[bytes, bytes]], name: bytes) -> bool:
    return any(each == name for each, _value in headers)
