"""One request of ASGI's as calls and streams see a connection: what they say becomes ASGI's messages. Without I/O.

It has of `http2.Connection` what streams, calls, stopping and channelz use, and one stream, ever. `AsgiLink` moves the messages.

Rules it keeps:
- What the server has not taken is bounded: above `Config.send_buffer` it is parked on the stream, whose writer waits.
- What the stream has not consumed is bounded: above `Config.initial_window` nothing is received (`held`).
- An answer that cannot be finished is cut off (`cut`), never ended as if it were whole.
- gRPC's status goes in trailers, also where HTTP/2 would have it in a lone header list: ASGI cannot say that such a list is
  the end.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

from clarion.hpack import HeaderList
from clarion.http2 import Abort, Config, ErrorCode
from clarion.http2.errors import StreamFault
from clarion.http2.semantics import MalformedHeaders
from clarion.http2.stream import Stream
from clarion.protocol.server_stream import ServerStream
from clarion.web.asgi_types import Message
from clarion.web.http1.plain_encoder import PlainEncoder

__all__ = ["STREAM", "AsgiConnection", "AsgiObserver"]

Fields = tuple[tuple[bytes, bytes], ...]

_LOG = logging.getLogger(__name__)

STREAM = 1
"""The identifier of the one stream."""

_STATUS = b"grpc-status"
_STATUS_OK: Fields = ((_STATUS, b"0"),)
_NO_BODY = (204, 304)


class AsgiObserver(Protocol):
    """What the owner of the connection hears. Called while the connection works."""

    def go_on_receiving(self) -> None:
        """`held` is over."""


class AsgiConnection:
    """One request, and its answer.

    Args:
        observer: who hears about it.
        now: a monotonic clock in seconds.
        config: the limits.

    Attributes:
        streams: the stream, until it is over.
        outbox: what waits to be sent; see `take_output`.
        room: bytes of the body that the server still takes in this turn.
        held: nothing is to be received now.
        answered: all of the answer is in the outbox, or was sent.
        closed: nothing is to be sent any more, nor received.
        cut: the answer ended before its end.
        opened, own_streams, calls_failed, messages_sent, messages_received, work, times: see `http2.Connection`.
    """

    __slots__ = (
        "_begun",
        "_native",
        "_uncredited",
        "answered",
        "calls_failed",
        "closed",
        "config",
        "cut",
        "held",
        "messages_received",
        "messages_sent",
        "now",
        "observer",
        "opened",
        "outbox",
        "own_streams",
        "room",
        "streams",
    )

    # HTTP's windows are the server's business, and so are its clients' limits.
    peer_initial_window = recv_stream_window = 0
    peer_max_header_list_size: int | None = None
    encoder = PlainEncoder()
    times = None
    work = 1

    def __init__(self, observer: AsgiObserver, now: Callable[[], float], config: Config) -> None:
        self.observer = observer
        self.now = now
        self.config = config
        self.streams: dict[int, Any] = {}
        self.outbox: list[Message | bytes] = []
        self.room = config.send_buffer
        self.held = self.answered = self.closed = self.cut = False
        self.opened = self.own_streams = self.calls_failed = 0
        self.messages_sent = self.messages_received = 0
        self._begun = False
        # The answer is gRPC's own.
        self._native = False
        self._uncredited = 0

    # What came

    def begin(self, stream: Stream, headers: HeaderList) -> None:
        """The request's head is there; `stream` is to serve it. What it does may put another in its place."""
        self.opened = 1
        self.streams[STREAM] = stream
        try:
            stream.headers_received(headers, False)
        except (MalformedHeaders, StreamFault) as error:
            self.refuse(400, str(error))

    def receive(self, data: bytes, end: bool) -> None:
        """A piece of the request's body."""
        stream = self.streams.get(STREAM)
        if stream is None:
            return
        self._uncredited += len(data)
        stream.remote_closed = end
        try:
            stream.data_received(data, end)
        except StreamFault as error:
            self.refuse(400, str(error))
            return
        if end:
            # What is left to be heard of is a client that goes away.
            self._uncredited = 0
            self.held = False
        else:
            self.held = self._uncredited > self.config.initial_window

    def consumed(self, stream: Stream, size: int) -> None:
        """`size` bytes of the request need no longer be held back."""
        self._uncredited -= size
        if self.held and self._uncredited <= self.config.initial_window // 2:
            self.held = False
            self.observer.go_on_receiving()

    def too_much(self, size: int) -> None:
        """The request holds a message of more than `size` bytes, which nobody reads; that is left to the server."""

    def connection_lost(self, message: str, *, alone: bool = False) -> None:
        """The client is gone.

        Args:
            message: how.
            alone: not with its whole connection, or nobody knows.
        """
        if not self.answered:
            code = ErrorCode.CANCEL if alone else ErrorCode.NO_ERROR
            self._abort(Abort(code, message, remote=True, connection_lost=not alone))
        self.closed = True
        self.outbox.clear()

    # What goes

    def take_output(self, *, but_the_end: bool = False) -> list[Message]:
        """All messages to send now. Call `output_sent` when they are sent.

        Args:
            but_the_end: what ends the answer stays in the outbox; and its head, if that is all: over HTTP/2 the two can be one.
        """
        waiting, self.outbox = self.outbox, []
        if but_the_end:
            end = next((at for at, each in enumerate(waiting) if _is_end(each)), len(waiting))
            if not any(isinstance(each, bytes) and each for each in waiting[:end]):
                end = 0
            waiting, self.outbox = waiting[:end], waiting[end:]
        messages: list[Message] = []
        pieces: list[bytes] = []
        for each in waiting:
            if isinstance(each, bytes):
                pieces.append(each)
                continue
            if pieces and each["type"] == "http.response.body":
                each["body"] = b"".join(pieces)
                pieces = []
            messages.append(each)
        if pieces:
            messages.append(_body(b"".join(pieces), more=True))
        elif messages and messages[-1]["type"] == "http.response.start":
            # Some servers wait with the head for what follows.
            messages.append(_body(b"", more=True))
        return messages

    def output_sent(self) -> None:
        """The server took what `take_output` gave; that may bring out more."""
        self.room = self.config.send_buffer
        stream = self.streams.get(STREAM)
        if stream is not None and stream.parked is not None:
            self._send_parked(stream)

    def send_headers(self, stream: Stream, block: Any, *, end_stream: bool = False) -> None:
        """The head of the answer, or with `end_stream` all of it."""
        if not self._is_open(stream):
            return
        fields: Fields = block
        status, headers = int(fields[0][1]), list(fields[1:])
        trailers: Fields = ()
        self._native = isinstance(stream, ServerStream)
        if end_stream:
            if self._native:
                at = [name for name, _value in headers].index(_STATUS)
                headers, trailers = headers[:at], tuple(headers[at:])
            elif status not in _NO_BODY and not any(
                name == b"content-length" for name, _value in headers
            ):
                headers.append((b"content-length", b"0"))
        self._send_head(status, headers)
        if end_stream:
            self._end(stream, trailers)

    def _send_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._begun = True
        head: Message = {"type": "http.response.start", "status": status, "headers": headers}
        if self._native:
            head["trailers"] = True
        self.outbox.append(head)

    def send_message(
        self, stream: Stream, prefix: bytes, payload: bytes, *, end_stream: bool = False
    ) -> None:
        """A piece of the answer's body; what there is no room for is parked on the stream."""
        if not self._is_open(stream):
            return
        self.messages_sent += 1
        size = len(prefix) + len(payload)
        if size <= self.room and stream.parked is None:
            self.room -= size
            self.outbox += (prefix, payload)
            if end_stream:
                self._end(stream, ())
            return
        if stream.parked is None:
            stream.parked = deque()
        stream.parked += (prefix, payload)
        stream.parked_size += size
        stream.parked_end = end_stream
        self._send_parked(stream)

    def _send_parked(self, stream: Stream) -> None:
        parked = stream.parked
        assert parked is not None
        while parked and self.room > 0:
            piece = parked.popleft()
            if len(piece) > self.room:
                view = memoryview(piece)
                parked.appendleft(view[self.room :])
                piece = view[: self.room]
            size = len(piece)
            self.room -= size
            stream.parked_size -= size
            # What ASGI sends are bytes.
            self.outbox.append(bytes(piece))
        if parked:
            return
        stream.parked = None
        if stream.parked_end or stream.parked_trailers is not None:
            self._end(stream, stream.parked_trailers or ())
        else:
            stream.writable()

    def send_trailers(self, stream: Stream, trailers: Fields) -> None:
        """The end of an answer of gRPC's, behind whatever is parked."""
        if not self._is_open(stream):
            return
        if stream.parked is not None:
            stream.parked_trailers = trailers
        else:
            self._end(stream, trailers)

    def respond(
        self, call: ServerStream, head: bytes, prefix: bytes, payload: bytes, end: bytes
    ) -> bool:
        """The whole of most answers of gRPC's."""
        self.send_headers(call, call.head_fields)
        self.send_message(call, prefix, payload)
        self.send_trailers(call, _STATUS_OK)
        return True

    def refuse(self, status: int, why: str, fields: Fields = (), *, body: bool = True) -> None:
        """Answer in plain HTTP, if no answer has begun; else cut it off. The stream hears that it is over.

        Args:
            status: HTTP's.
            why: a line for people.
            fields: more header fields.
            body: whether `why` is sent, as text.
        """
        if self.answered or self.closed:
            return
        if self._begun:
            self.cut = self.closed = True
            self.outbox.clear()
        else:
            text = why.encode("utf-8", "replace") + b"\n" if body else b""
            headers = [*fields, (b"content-length", b"%d" % len(text))]
            if body:
                headers.append((b"content-type", b"text/plain; charset=utf-8"))
            self._native = False
            self._send_head(status, headers)
            self.outbox += (text, _body(b"", more=False))
            self._answered()
        self._abort(Abort(ErrorCode.NO_ERROR, why, connection_lost=True))

    def reset(self, stream: Stream, code: int) -> None:
        """End the stream without an answer, or without the rest of it."""
        if self.streams.get(STREAM) is stream:
            del self.streams[STREAM]
            _close(stream)
            self.refuse(503, "the server does not take the call")

    def close(self, message: str) -> None:
        """End it now; an answer under way is cut off."""
        self.refuse(503, message)

    # The end

    def _is_open(self, stream: Stream) -> bool:
        return self.streams.get(STREAM) is stream and not self.closed

    def _end(self, stream: Stream, trailers: Fields) -> None:
        self.outbox.append(_body(b"", more=False))
        if self._native:
            self.outbox.append(
                {
                    "type": "http.response.trailers",
                    "headers": list(trailers),
                    "more_trailers": False,
                }
            )
        del self.streams[STREAM]
        _close(stream)
        self._answered()

    def _answered(self) -> None:
        self.answered = True
        if self.held:
            # What comes now is dropped, and need not wait for anybody.
            self.held = False
            self.observer.go_on_receiving()

    def _abort(self, reason: Abort) -> None:
        stream = self.streams.pop(STREAM, None)
        if stream is None:
            return
        _close(stream)
        try:
            stream.aborted(reason)
        except Exception:
            _LOG.exception("a stream failed to take that it was aborted")


def _close(stream: Stream) -> None:
    stream.local_closed = stream.remote_closed = True
    stream.parked = None
    stream.parked_size = 0


def _is_end(each: Message | bytes) -> bool:
    return not isinstance(each, bytes) and each["type"] == "http.response.body"


def _body(data: bytes, *, more: bool) -> Message:
    return cast(Message, {"type": "http.response.body", "body": data, "more_body": more})
