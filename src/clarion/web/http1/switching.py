"""A connection that has switched to another protocol (RFC 9110 §7.8): `Switched` then stands where `h11` was.

So nothing of what serves requests has to know of it. What is sent goes out as it is given, what comes goes to the other
protocol, and when its stream has ended the connection is over: HTTP does not come back.
"""

from __future__ import annotations

from typing import Any, Protocol

import h11

__all__ = ["OtherProtocol", "Switched"]


class OtherProtocol(Protocol):
    """What a connection switches to. Called while the connection works, where it may be touched."""

    def bytes_received(self, data: bytes) -> None:
        """Keep received bytes; `go_on` follows unless reading is held."""

    def go_on(self) -> None:
        """Work off what was received."""

    def going_away(self) -> None:
        """The connection takes nothing new, and is to end soon."""


class Switched:
    """Has of an `h11.Connection` what connections of servers use.

    Args:
        other: the protocol.
    """

    trailing_data = (b"", False)
    our_state = their_state = h11.SWITCHED_PROTOCOL

    def __init__(self, other: OtherProtocol) -> None:
        self._other = other

    def leave(self) -> None:
        """The connection is over; nothing of the following is called any more."""
        del self._other

    def receive_data(self, data: bytes) -> None:
        """Bytes came."""
        self._other.bytes_received(data)

    def next_event(self) -> Any:
        """There are no events of HTTP."""
        self._other.go_on()
        return h11.NEED_DATA

    def send_with_data_passthrough(self, event: h11.Data) -> list[bytes]:
        """A piece of what goes."""
        return [event.data]

    def send(self, event: h11.EndOfMessage) -> None:
        """The end of what goes has no bytes."""
