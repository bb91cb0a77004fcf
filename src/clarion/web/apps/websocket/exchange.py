"""One WebSocket of an application's: what stands between a connection and the application, once both have agreed to it.

    connecting ──(accept)──> open ──(close, either side)──> closing ──(both have)──> over
        └──(refused, failed: an answer of HTTP)── over         └──(close_timeout)──────┘

Rules it keeps, beside those of `Exchange`:
- What the application has not received is bounded: above `max_queue` messages, or the bytes of one message, the socket is not
  read, and frames that came are not worked off.
- Nothing is put into the middle of a frame: pings and pongs wait while one is parked, and of pings that wait the last one is
  answered (RFC 6455 §5.5.3).
- The application hears of the end once it has all messages that came before; of an end that is its own, or the server's, at once.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Iterable
from typing import Any, cast

from wsproto.utilities import LocalProtocolError

from clarion.errors import RemoteError
from clarion.http2 import Abort, ErrorCode
from clarion.http2.abuse import Allowance
from clarion.http2.upkeep import Timer
from clarion.web.apps.exchange import ClientGone, Exchange
from clarion.web.apps.websocket.frames import Closed, Frames, Ping, Pong, Received
from clarion.web.apps.websocket.handshake import Handshake
from clarion.web.apps.websocket.limits import WebSocketLimits
from clarion.web.apps.websocket.payloads import Payloads
from clarion.web.http1.connection import Http1Connection

__all__ = ["WebSocketExchange"]

_LOG = logging.getLogger(__name__)

# RFC 6455 §7.4.1
_GOING_AWAY, _LOST, _POLICY, _FAILED = 1001, 1006, 1008, 1011
_STOPPED = "the server is going away"
_LOOKS = 4


class WebSocketExchange(Exchange):
    """One request for a WebSocket, and the WebSocket.

    Args:
        arguments, options: see `Exchange`.
        handshake: what the request says.
        bounds: the WebSocket's limits.

    Attributes:
        accepted: the application took it.
        end: code and reason of the WebSocket's end, once it is known.
    """

    def __init__(
        self, *arguments: Any, handshake: Handshake, bounds: WebSocketLimits, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.handshake = handshake
        self.accepted = False
        self.end: tuple[int, str] | None = None
        self._bounds = bounds
        self._frames: Frames | None = None
        self._inbox: deque[str | bytes] = deque()
        self._queued = 0
        # This side is closed, and the client's is waited for; or nothing is read any more.
        self._closing = False
        self._ended = False
        # The application said the close, or is what failed.
        self._closed_by_app = False
        self._waiting_pong: bytes | None = None
        # Messages both ways, and how many there were when it was last looked.
        self._messages = self._messages_seen = 0
        self._quiet = 0
        # How often it was looked for an answer to the last ping.
        self._looks = 0
        self._timers: dict[str, Timer] = {}
        self._lost = "the client was given up"

    is_websocket = True

    @property
    def ended_by_others(self) -> bool:
        return self.gone or (self.end is not None and not self._closed_by_app)

    # What the application does: each within `do`

    def accept(self, subprotocol: str | None, fields: Iterable[tuple[bytes, bytes]]) -> None:
        """Agree to the WebSocket.

        Args:
            subprotocol: the one that the application chose of the client's.
            fields: what the application adds to the answer's head.

        Raises:
            ClientGone: the client went away, or the server stops.
            BadAnswer: the answer cannot be sent.
        """
        if self.over:
            raise ClientGone("the client went away before its WebSocket was accepted")
        connection = self._connection
        payloads = Payloads(self._bounds, self.handshake.extensions)
        head = self.handshake.answer(subprotocol, payloads.accepted, fields)
        if connection.draining:
            self.refuse(503, _STOPPED)
            raise ClientGone("the server is going away, and takes no WebSocket")
        self._frames = Frames(payloads)
        self._pings = Allowance("pings", connection.config.pings, connection.now)
        self.accepted = self._begun = True
        connection.switch(self._stream, head, self)
        bounds = self._bounds
        if bounds.ping_interval < math.inf:
            self._later("ping", bounds.ping_interval, self._ping)
        if bounds.idle_timeout < math.inf:
            self._later("idle", bounds.idle_timeout / _LOOKS, self._look_idle)

    def receive(self) -> str | bytes | None:
        """A message; None if there is none yet, or `end` is all that there is."""
        if not self._inbox:
            return None
        message = self._inbox.popleft()
        self._queued -= len(message)
        if len(self._inbox) <= self._bounds.max_queue // 2 and not self._is_full:
            self._connection.release()
        return message

    def encode(self, message: str | bytes) -> bytes:
        """A message as it is sent. It may take long, and need not be within `do`; those who call it do so one after another.

        Raises:
            ClientGone: the WebSocket is closed.
        """
        frames = self._frames
        if frames is None or self.over:
            raise ClientGone("the WebSocket is closed")
        try:
            return frames.message(message)
        except LocalProtocolError:
            # It was closed meanwhile.
            raise ClientGone("the WebSocket is closed") from None

    def send(self, frame: bytes) -> None:
        """A message that was encoded. Wait until it is `settled` before the next one.

        Raises:
            ClientGone: the WebSocket is closed.
        """
        if self.over:
            raise ClientGone("the WebSocket is closed")
        self._messages += 1
        self._stream.send_piece(frame)

    def close(self, code: int, reason: str) -> None:
        """Close this side, as the application says, and give the client `close_timeout` to close its own."""
        if not self.over:
            self._closed_by_app = True
            self._close(code, reason)

    def _close(self, code: int, reason: str) -> None:
        self._say_close(code, reason)
        self._closing = True
        self._inbox.clear()
        self._queued = 0
        self._cancel_timers()
        if self._bounds.close_timeout < math.inf:
            self._later("close", self._bounds.close_timeout, self._close_late)
        # What the client answers has to be read.
        self._connection.release()
        self.wake()

    def fail(self) -> None:
        if self.accepted:
            self.close(_FAILED, "the application failed")
        else:
            super().fail()

    # OtherProtocol: what the connection says when it has switched

    def bytes_received(self, data: bytes) -> None:
        """See `OtherProtocol`."""
        assert self._frames is not None
        if self._ended:
            return
        self._frames.feed(data)
        judge = self._timers.pop("pong", None)
        if judge is not None:
            judge.cancel()
            self._later("ping", self._bounds.ping_interval, self._ping)

    def go_on(self) -> None:
        """See `OtherProtocol`."""
        assert self._frames is not None
        came = self._frames.received()
        while not self._ended:
            if self._is_full:
                self._connection.hold()
                return
            received = next(came, None)
            if received is None:
                return
            self._take(received)

    def going_away(self) -> None:
        """See `OtherProtocol`."""
        if not self.over:
            self._close(_GOING_AWAY, _STOPPED)

    # What the stream says

    def data_received(self, data: bytes | memoryview, end: bool) -> None:
        """The request has no body; what follows the handshake comes by `bytes_received`."""
        self.ended = end

    def aborted(self, reason: Abort) -> None:
        self._lost = reason.message
        self._lose()

    def writable(self) -> None:
        if not self.accepted:
            super().writable()
            return
        pong, self._waiting_pong = self._waiting_pong, None
        if pong is not None and not self._closing:
            self._pong(pong)
        self.wake()

    def cut_off(self, why: str) -> None:
        if not self.accepted:
            super().cut_off(why)
        elif not self._closing:
            self._finish(_GOING_AWAY, _STOPPED)
        else:
            self._give_up(ErrorCode.CANCEL)

    def too_slow_to_read(self, left_before: int) -> None:
        if self.accepted and not self.over:
            self._lost = (
                f"the client read nothing within {self.limits.write_timeout:g} s (write_timeout)"
            )
        super().too_slow_to_read(left_before)

    # Within

    @property
    def _connection(self) -> Http1Connection:
        return cast(Http1Connection, self._stream.connection)

    @property
    def _is_full(self) -> bool:
        bounds = self._bounds
        return len(self._inbox) >= bounds.max_queue or self._queued >= bounds.max_message

    def _take(self, received: Received) -> None:
        if isinstance(received, (str, bytes)):
            self._messages += 1
            # What comes between this side's close and the client's is nobody's.
            if not self._closing:
                self._inbox.append(received)
                self._queued += len(received)
                self.wake()
        elif isinstance(received, (Ping, Pong)):
            self._control(received)
        elif self._closing:
            self._end_stream(b"")
        elif isinstance(received, Closed):
            self.gone = True
            self._finish(received.code, received.reason, answer="")
        else:
            _LOG.debug("the WebSocket of %s failed: %s", self.peer, received.reason)
            self._finish(received.code, received.reason)

    def _control(self, received: Ping | Pong) -> None:
        try:
            self._pings.spend(self._messages)
        except RemoteError as error:
            if self._closing:
                self._end_stream(b"")
            else:
                self._finish(_POLICY, str(error))
            return
        if isinstance(received, Pong) or self._closing:
            return
        if self._stream.parked is None:
            self._pong(received.payload)
        else:
            self._waiting_pong = received.payload

    def _pong(self, payload: bytes) -> None:
        assert self._frames is not None
        self._stream.send_piece(self._frames.pong(payload))

    def _say_close(self, code: int, reason: str) -> None:
        assert self._frames is not None
        self.end = (code, reason)
        self.done = True
        self._stream.send_piece(self._frames.close(code, reason))

    def _finish(self, code: int, reason: str, answer: str | None = None) -> None:
        """Close this side, and then the connection: the client has closed its own, or is not waited for."""
        assert self._frames is not None
        self.end = (code, reason)
        self._end_stream(self._frames.close(code, reason if answer is None else answer))

    def _end_stream(self, last: bytes) -> None:
        self.done = self._ended = True
        self._cancel_timers()
        self._stream.send_last(last)
        self.wake()

    def _lose(self) -> None:
        if self.end is None:
            self.end = (_LOST, self._lost)
        self._ended = True
        self._cancel_timers()
        super()._lose()

    # Time

    def _later(self, what: str, seconds: float, callback: Any) -> None:
        self._timers[what] = self.link.later(seconds, callback)

    def _cancel_timers(self) -> None:
        timers, self._timers = self._timers, {}
        for timer in timers.values():
            timer.cancel()

    def _ping(self) -> None:
        if self.over:
            return
        assert self._frames is not None
        bounds = self._bounds
        waits = bounds.ping_timeout < math.inf and not self._connection.held
        # Behind what is parked it would say nothing; `write_timeout` sees to that.
        if self._stream.parked is not None:
            waits = False
        else:
            # Also to who is not read: that brings out that the connection is gone.
            self._stream.send_piece(self._frames.ping())
        if waits:
            self._looks = 0
            self._later("pong", bounds.ping_timeout / _LOOKS, self._look_alive)
        else:
            self._later("ping", bounds.ping_interval, self._ping)

    def _look_alive(self) -> None:
        """Nothing came since the ping. Several looks, so that a process which stood still reads before it judges."""
        if self.over:
            return
        del self._timers["pong"]
        bounds = self._bounds
        self._looks += 1
        if self._connection.held:
            # It may be among what is not read.
            self._later("ping", bounds.ping_interval, self._ping)
        elif self._looks < _LOOKS:
            self._later("pong", bounds.ping_timeout / _LOOKS, self._look_alive)
        else:
            self._lost = (
                f"the client gave no sign of life within {bounds.ping_timeout:g} s (ping_timeout)"
            )
            _LOG.debug("%s was given up: %s", self.peer, self._lost)
            self._give_up(ErrorCode.CANCEL)

    def _look_idle(self) -> None:
        if self.over:
            return
        if self._messages != self._messages_seen or self._inbox or self._stream.parked is not None:
            self._messages_seen, self._quiet = self._messages, 0
        else:
            self._quiet += 1
        seconds = self._bounds.idle_timeout
        if self._quiet < _LOOKS:
            self._later("idle", seconds / _LOOKS, self._look_idle)
        else:
            self._close(_GOING_AWAY, f"no message came or went within {seconds:g} s (idle_timeout)")

    def _close_late(self) -> None:
        seconds = self._bounds.close_timeout
        _LOG.debug("%s did not close its WebSocket within %g s (close_timeout)", self.peer, seconds)
        self._give_up(ErrorCode.CANCEL)
