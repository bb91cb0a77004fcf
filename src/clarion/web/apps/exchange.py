"""One request of an application's, and its answer: what stands between a connection and the application.

Rules it keeps:
- Everything that touches the connection happens with the link's lock, or on its event loop: `do` sees to that.
- What the application has not read holds the client back: HTTP/2 gets no credit for it, and HTTP/1.1's socket is not read.
- A piece of the answer that the client does not take stays on the stream, and the application waits (`settled`). The end of
  an answer is said when everything before it is gone, so that the wait covers the whole of it.
- A client that does not read, or does not send, what is waited for is given up, over HTTP/2 as over HTTP/1.1 (`Http1Limits`).
- An answer whose length is not what it promised is cut off, never ended as if it were whole.
"""

from __future__ import annotations

import email.utils
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from clarion.http2 import Abort, ErrorCode
from clarion.web.apps.answers import AnswerHead, BadAnswer, Fields
from clarion.web.http1.hop import takes_trailers

if TYPE_CHECKING:
    from clarion.web.errors import HttpRefusal
    from clarion.web.http1.limits import Http1Limits
    from clarion.web.serving.request import WebRequest
    from clarion.web.serving.stream import WebStream

__all__ = ["ClientGone", "Exchange"]

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

# What an application reads at a time, at most.
_PIECE = 1 << 16
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_SORRY = "Internal Server Error"


class ClientGone(OSError):
    """The client went away, or was given up, before the answer was complete."""


class Exchange:
    """One request and its answer.

    Args:
        stream: where the request came, and the answer goes.
        request: its head.
        link: the stream's connection's.
        limits: how long clients may take.
        is_http1: it came by HTTP/1.1.

    Attributes:
        http_version: as ASGI says it: `1.0`, `1.1` or `2`.
        wake: called whenever something has changed that the application may wait for; with the lock.
        ended: the request's body is complete.
        gone: the client is not there any more.
        done: the answer is complete.
        takes_trailers: whether the answer may have trailers: over HTTP/2, and where the client said so (RFC 9110 §6.5.1).
        refusal: why the application does not get it, or None.
    """

    is_websocket = False
    refusal: HttpRefusal | None = None

    def __init__(
        self,
        stream: WebStream,
        request: WebRequest,
        link: Any,
        limits: Http1Limits,
        *,
        is_http1: bool,
    ) -> None:
        self.request = request
        self.link = link
        self.limits = limits
        self.is_http1 = is_http1
        connection: Any = stream.connection
        self.http_version: str = connection.version if is_http1 else "2"
        self.takes_trailers = not is_http1 or (
            self.http_version == "1.1" and takes_trailers(connection.request.headers)
        )
        self.wake: Callable[[], None] = _nothing
        self.ended = self.gone = self.done = False
        self._stream = stream
        self._body = bytearray()
        self._received = 0
        self._period_ends = 0.0
        self._period_mark = 0
        # The head was sent; so many bytes of its body are still promised; the end follows what is parked.
        self._begun = False
        self._left: int | None = None
        self._ending = False
        self._trailers: Fields = ()

    # What the connection says

    def data_received(self, data: bytes | memoryview, end: bool) -> None:
        """A piece of the request's body."""
        self._body += data
        self._received += len(data)
        self.ended = end
        self.wake()

    def aborted(self, reason: Abort) -> None:
        """The client cancelled, or the connection went."""
        self._lose()

    def writable(self) -> None:
        """What was parked is gone."""
        if self._ending:
            self._end(b"")
        self.wake()

    def cut_off(self, why: str) -> None:
        """The server stops, and does not wait any more."""
        if not self._begun:
            self.refuse(503, why)
            self._lose()
        else:
            self._give_up(ErrorCode.CANCEL)

    def _lose(self) -> None:
        self.gone = True
        self._body.clear()
        self.wake()

    # What the application does: each within `do`, but for `do`

    def do(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call `function` where the connection may be touched, and write what that brought out."""
        link = self.link
        with link.lock:
            try:
                return function(*arguments)
            finally:
                link.flush_soon()

    @property
    def over(self) -> bool:
        """Whether there is nobody to answer any more."""
        return self.gone or self.done

    @property
    def ended_by_others(self) -> bool:
        """Whether it is over, and not by what the application did; what that raises then is no failure of its own."""
        return self.gone

    @property
    def answered(self) -> bool:
        """Whether the application's answer is complete."""
        return self.done and not self.gone

    def take(self, size: int = _PIECE) -> bytes | None:
        """At most so much of the request's body; none at its end, None if there is nothing yet.

        Raises:
            ClientGone: the rest will not come.
        """
        body = self._body
        if self.gone:
            raise ClientGone("the client went away before its request was complete")
        if not body:
            if self.done and not self.ended:
                raise ClientGone("the request was answered before its end; the rest is not read")
            return b"" if self.ended else None
        piece = bytes(memoryview(body)[:size])
        del body[: len(piece)]
        if not self.ended and not self.done:
            self._stream.connection.consumed(self._stream, len(piece))
        return piece

    @property
    def taken(self) -> bool:
        """Whether all of the body was taken."""
        return self.ended and not self._body

    @property
    def readable(self) -> bool:
        """Whether `take` has something to say."""
        return bool(self._body) or self.ended or self.over

    @property
    def settled(self) -> tuple[bool, int]:
        """Whether all that was said is on its way, and how much is not."""
        return self.over or self._stream.parked is None, self._stream.parked_size

    def write(self, head: AnswerHead, data: bytes, end: bool, trailers: Fields = ()) -> None:
        """A piece of the answer's body. Wait until it is `settled` before the next one.

        Args:
            head: of the answer; it is sent with the first piece.
            data: the piece, or nothing.
            end: there is no more.
            trailers: what follows the body; dropped where `takes_trailers` is not so, or the answer's length was said.

        Raises:
            ClientGone: nobody reads it.
            BadAnswer: the body is longer or shorter than `content-length` says. What has begun is cut off.
        """
        if self.gone:
            raise ClientGone("the client went away before the answer was complete")
        if self.done or self._ending:
            if data and not head.bodiless:
                raise BadAnswer("the answer is complete; nothing can be added to it")
            return
        chunked = head.length is None and not head.bodiless
        if trailers and not (self.takes_trailers and (chunked or not self.is_http1)):
            # Over HTTP/1.1 they are behind the last chunk.
            trailers = ()
        self._trailers = trailers
        self._count(head, data, end)
        if head.bodiless:
            data = b""
        if self._begun:
            self._send(data, end)
        else:
            self._begin(head, data, end)

    def _count(self, head: AnswerHead, data: bytes, end: bool) -> None:
        """Hold the application to its promise."""
        if head.bodiless or head.length is None:
            return
        left = head.length if self._left is None else self._left
        left -= len(data)
        self._left = left
        if left < 0 or (end and left):
            if self._begun:
                self._give_up(ErrorCode.INTERNAL_ERROR)
            is_what = "longer" if left < 0 else "shorter"
            raise BadAnswer(f"the body is {is_what} than content-length={head.length}")

    def _begin(self, head: AnswerHead, data: bytes, end: bool) -> None:
        fields = head.fields
        stream = self._stream
        if not head.has(b"date"):
            fields += ((b"date", _date()),)
        if self.is_http1 and head.close:
            fields += ((b"connection", b"close"),)
        self._begun = True
        if head.complete:
            self.done = True
            stream.send_only_head(head.status, fields)
            return
        whole = end and head.length is None and not self._trailers and not head.bodiless
        if whole:
            fields += ((b"content-length", b"%d" % len(data)),)
        if end and not data and not head.bodiless and not self._trailers:
            self.done = True
            stream.send_only_head(head.status, fields)
            return
        stream.send_head(head.status, fields)
        self._send(data, end)

    def _send(self, data: bytes, end: bool) -> None:
        if end and self._fits(len(data)):
            self._end(data)
            return
        if data:
            self._stream.send_piece(data)
        if end:
            if self._stream.parked is None:
                self._end(b"")
            else:
                self._ending = True

    def _fits(self, size: int) -> bool:
        stream = self._stream
        connection = stream.connection
        return stream.parked is None and size <= min(
            connection.room, stream.send_window, connection.send_window
        )

    def _end(self, data: bytes) -> None:
        self._ending = False
        self.done = True
        stream = self._stream
        if not self._trailers:
            stream.send_last(data)
            return
        if data:
            stream.send_piece(data)
        stream.send_trailers(self._trailers)

    def refuse(self, status: int, why: str, fields: Fields = ()) -> None:
        """Answer in the application's place."""
        if self.over:
            return
        head = AnswerHead(status, (_TEXT,), self.request.method)
        # They are the server's own, and may be of the connection.
        head.fields += fields
        self.write(head, why.encode("utf-8", "replace") + b"\n", True)
        self.wake()

    def fail(self) -> None:
        """The application cannot answer: say so if it has not begun to, else cut the answer off."""
        if self.over:
            return
        if self._begun:
            self._give_up(ErrorCode.INTERNAL_ERROR)
        else:
            self.refuse(500, _SORRY)

    def _give_up(self, code: int) -> None:
        self._stream.give_up(code)
        self._lose()

    # Clients that take too long

    def too_slow_to_read(self, left_before: int) -> None:
        """`write_timeout` is over: end the exchange if nothing was read."""
        settled, left = self.settled
        if not settled and left >= left_before:
            _LOG.debug("%s was given up: it read nothing within write_timeout", self.peer)
            self._give_up(ErrorCode.CANCEL)

    def patience(self) -> float:
        """How long the application may wait for the body before `too_slow_to_send`, in seconds.

        The time is one of periods that begin when the application waits; a client that sends a byte now and then begins
        no new one by it.
        """
        now = self._stream.connection.now()
        if now >= self._period_ends:
            self._period_ends = now + self.limits.body_timeout
            self._period_mark = self._received
        return self._period_ends - now

    def too_slow_to_send(self) -> None:
        """A period is over: end the exchange if too little came in it."""
        limits = self.limits
        came = self._received - self._period_mark
        self._period_ends = 0.0
        least = limits.min_body_rate * limits.body_timeout
        if self.readable or came >= least:
            return
        why = (
            f"the request's body came with less than {limits.min_body_rate} bytes a second "
            f"(min_body_rate)"
        )
        if self._begun:
            self._give_up(ErrorCode.CANCEL)
        else:
            self.refuse(408, why)
        self._lose()

    # What is known of the client

    @property
    def peer(self) -> str:
        """The client's address, as calls have it."""
        peer = self.link.peer
        return str(peer() if callable(peer) else peer)

    @property
    def tls(self) -> Any:
        """What encrypts the connection, or None."""
        return getattr(self.link, "tls", None)

    @property
    def socket(self) -> Any:
        """The connection's socket, for its addresses; None if it is gone."""
        found = getattr(self.link, "sock", None)
        if found is None:
            # Threads ask, too, while the event loop may take it away.
            transport = self.link.transport
            found = None if transport is None else transport.get_extra_info("socket")
        return found


def _nothing() -> None:
    pass


def _date() -> bytes:
    """The time, as HTTP says it."""
    return email.utils.formatdate(usegmt=True).encode()
