"""Length-prefixed messages: the frames of gRPC inside the DATA frames of HTTP/2.

Rules kept (PROTOCOL-HTTP2, "Length-Prefixed-Message"): one octet, 0 or 1, that says whether the
message is compressed, four octets of length, the message. DATA boundaries mean nothing. The size
limit is checked when the prefix is known, before anything of the message is held. However a stream
is cut into chunks, its octets are copied a constant number of times and what is held stays close
to their count.
"""

from __future__ import annotations

from typing import Final

from clarion.errors import LocalError, RemoteError

__all__ = [
    "PREFIX",
    "FramingError",
    "MalformedMessage",
    "MessageReader",
    "MessageTooLarge",
    "frame",
    "prefix",
]

PREFIX: Final = 5
"""Octets before each message: the compressed flag and the length."""

_LENGTH_MAX: Final = 0xFFFFFFFF
_COMPRESSED: Final = 1 << 32

# A chunk object costs some forty octets more than what it holds. Below this size chunks are
# copied together, or a peer that sends octet by octet would make us hold many times a message.
_SMALL: Final = 1024


class FramingError(RemoteError):
    """The peer's message stream is broken; the call cannot go on.

    `messages` holds the whole messages that stood before the fault in the same chunk, so that what
    the application sees does not depend on how the octets were cut.
    """

    messages: list[tuple[bool, bytes]]

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.messages = []


class MalformedMessage(FramingError):
    """The compressed flag is neither 0 nor 1: INTERNAL."""


class MessageTooLarge(FramingError):
    """A message is announced that is larger than this side accepts: RESOURCE_EXHAUSTED."""


def prefix(length: int, compressed: bool = False) -> bytes:
    """Return the five octets that stand before a message of `length` octets.

    For a large message, which one rather writes after its prefix than copies behind it.

    Raises:
        LocalError: The length does not fit into four octets.
    """
    if length > _LENGTH_MAX:
        raise LocalError(
            f"a message of {length} octets cannot be sent: gRPC messages end at {_LENGTH_MAX};"
            " split it, for instance over a stream"
        )
    return (length | _COMPRESSED if compressed else length).to_bytes(PREFIX, "big")


def frame(payload: bytes, compressed: bool = False) -> bytes:
    """Return `payload` with its prefix.

    Raises:
        LocalError: The payload is larger than 4 GiB - 1.
    """
    length = len(payload)
    if compressed or length > _LENGTH_MAX:
        return prefix(length, compressed) + payload
    return length.to_bytes(PREFIX, "big") + payload


class MessageReader:
    """Cuts the octets of one direction of one stream into messages.

    Args:
        max_message_size: The largest message to accept, in octets as they are on the wire; -1 for
            no limit.
        role: `CLIENT` or `SERVER`, to begin the text of `MessageTooLarge` with, or nothing.
    """

    __slots__ = ("_error", "_flag", "_held", "_limit", "_missing", "_parts", "_prefix", "_role")

    def __init__(self, max_message_size: int, role: str = "") -> None:
        self._limit = _LENGTH_MAX if max_message_size < 0 else max_message_size
        self._role = role
        self._held = 0
        # A partial prefix, or else the flag, the parts and the missing octets of a partial message.
        self._prefix = b""
        self._flag = False
        self._parts: list[bytes | bytearray | memoryview] = []
        self._missing = 0
        self._error: FramingError | None = None

    @property
    def at_boundary(self) -> bool:
        """Whether the stream may end here: between messages, and without a fault."""
        return not self._held

    @property
    def buffered(self) -> int:
        """Octets of a partial message that are held, its prefix included."""
        return self._held

    def feed(self, chunk: bytes | memoryview) -> list[tuple[bool, bytes]]:
        """Take the next octets; return the messages that they complete, as (compressed, message).

        Raises:
            MalformedMessage: A compressed flag is neither 0 nor 1.
            MessageTooLarge: A message is announced that is above the limit.
            FramingError: One of these again, when the reader is fed after it raised.
        """
        # The usual chunk is one whole uncompressed message: then its first five octets, read as
        # one number, are its length. A set flag makes that number too large, so this one
        # comparison stands for all checks.
        if int.from_bytes(chunk[:5], "big") == len(chunk) - 5 <= self._limit and not self._held:
            return [(False, bytes(chunk[5:]))]
        return self._feed(chunk)

    def _feed(self, chunk: bytes | memoryview) -> list[tuple[bool, bytes]]:
        if self._error is not None:
            raise type(self._error)(*self._error.args)
        messages: list[tuple[bool, bytes]] = []
        start = 0
        if self._missing:
            if len(chunk) < self._missing:
                self._keep(chunk)
                return messages
            start = self._missing
            self._parts.append(chunk[:start])
            messages.append((self._flag, b"".join(self._parts)))
            self._parts = []
            self._missing = 0
        elif self._prefix:
            chunk = self._prefix + chunk
            self._prefix = b""
        end = len(chunk)
        while end - start >= PREFIX:
            word = int.from_bytes(chunk[start : start + PREFIX], "big")
            length = word & _LENGTH_MAX
            if word > _COMPRESSED | _LENGTH_MAX or length > self._limit:
                self._held = end - start
                raise self._fail(word >> 32, length, messages)
            start += PREFIX
            if length > end - start:
                self._flag = word >= _COMPRESSED
                # A small part of a view must not keep alive all that the view is of.
                part = chunk[start:]
                self._parts = [part if len(part) << 2 >= end else bytes(part)]
                self._missing = length - (end - start)
                self._held = PREFIX + end - start
                return messages
            messages.append((word >= _COMPRESSED, bytes(chunk[start : start + length])))
            start += length
        self._prefix = bytes(chunk[start:])
        self._held = end - start
        return messages

    def _keep(self, chunk: bytes | memoryview) -> None:
        self._held += len(chunk)
        self._missing -= len(chunk)
        if len(chunk) >= _SMALL:
            self._parts.append(chunk)
            return
        last = self._parts[-1]
        if isinstance(last, bytearray):
            last += chunk
        else:
            self._parts.append(bytearray(chunk))

    def _fail(self, flag: int, length: int, messages: list[tuple[bool, bytes]]) -> FramingError:
        error: FramingError
        if flag > 1:
            error = MalformedMessage(
                f"the peer sent a message with compressed flag {flag}; it must be 0 or 1"
            )
        else:
            side = f"{self._role}: " if self._role else ""
            error = MessageTooLarge(
                f"{side}Received message larger than max ({length} vs. {self._limit})"
            )
        error.messages = messages
        self._error = error
        return error
