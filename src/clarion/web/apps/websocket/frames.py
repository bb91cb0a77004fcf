"""What comes and goes on one WebSocket: messages and control frames, by `wsproto`, which has their syntax.

Rules it keeps:
- A message is told when it is whole. What its frames brought so far is kept in one piece, however they were cut.
- Nothing that came is worked off before it is asked for, so whoever does not ask is not made to keep what follows.
- Behind a close, or what is wrong, nothing is read.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import NamedTuple

from wsproto import events
from wsproto.connection import Connection, ConnectionState, ConnectionType

from clarion.web.apps.websocket.payloads import Payloads

__all__ = ["Closed", "Failed", "Frames", "Ping", "Pong", "Received"]

_NO_CODE, _NO_UTF8 = 1005, 1007
_GOES_ON = (ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING)


class Ping(NamedTuple):
    """The client asks for a sign of life, with `payload` in it."""

    payload: bytes


class Pong(NamedTuple):
    """The client gives one."""


class Closed(NamedTuple):
    """The client closed its side; code 1005 stands for none."""

    code: int
    reason: str


class Failed(NamedTuple):
    """What came is no WebSocket's, or too much; `code` is for the answer."""

    code: int
    reason: str


Received = str | bytes | Ping | Pong | Closed | Failed


class Frames:
    """Both directions of one WebSocket, on the server's side.

    Args:
        payloads: what measures messages.
    """

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads
        self._wire = Connection(ConnectionType.SERVER, [payloads])
        self._text: io.StringIO | None = None
        self._bytes: bytearray | None = None
        self._over = False

    def feed(self, data: bytes) -> None:
        """Keep bytes that came."""
        if not self._over:
            self._wire.receive_data(data)

    def received(self) -> Iterator[Received]:
        """What came, as far as it is asked for."""
        if self._over:
            return
        for event in self._wire.events():
            if isinstance(event, events.TextMessage):
                if self._text is None:
                    self._text = io.StringIO()
                self._text.write(event.data)
                if event.message_finished:
                    text, self._text = self._text, None
                    yield text.getvalue()
            elif isinstance(event, events.BytesMessage):
                if self._bytes is None:
                    self._bytes = bytearray()
                self._bytes += event.data
                if event.message_finished:
                    data, self._bytes = self._bytes, None
                    yield bytes(data)
            elif isinstance(event, events.Ping):
                yield Ping(bytes(event.payload))
            elif isinstance(event, events.Pong):
                yield Pong()
            else:
                self._over = True
                self._text = self._bytes = None
                yield self._end(event)
                return

    def _end(self, event: events.CloseConnection) -> Closed | Failed:
        code, reason = int(event.code), event.reason or ""
        if self._wire.state in _GOES_ON:
            # What `wsproto` says of a text depends on how it was cut.
            said = "what has to be UTF-8 is not" if code == _NO_UTF8 else reason
            return Failed(code, self._payloads.why or said)
        return Closed(code, reason)

    # What goes. After `close` there is nothing more to send.

    def message(self, message: str | bytes) -> bytes:
        """A message as a frame."""
        kind = events.TextMessage if isinstance(message, str) else events.BytesMessage
        return bytes(self._wire.send(kind(data=message)))

    def ping(self) -> bytes:
        """A request for a sign of life."""
        return bytes(self._wire.send(events.Ping()))

    def pong(self, payload: bytes) -> bytes:
        """The answer to the client's."""
        return bytes(self._wire.send(events.Pong(payload=payload)))

    def close(self, code: int, reason: str = "") -> bytes:
        """The end of this side. Reasons that are too long are cut, and 1005 is said by no code."""
        event = events.CloseConnection(
            code=None if code == _NO_CODE else code, reason=reason or None
        )
        return bytes(self._wire.send(event))
