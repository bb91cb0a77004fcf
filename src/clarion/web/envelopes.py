"""Messages in the bodies of gRPC-Web and Connect: one octet of flags, four of length, the message.

The flags say whether the message is compressed (lowest bit, both protocols) and whether it is the response's end: trailers
in gRPC-Web (0x80), an EndStreamResponse in Connect (0x02). Rules:

- Requests have no end; a response has exactly one, and nothing behind it. Other flags are faults, for nobody has given
  them a meaning.
- Sizes are checked when the length is known, before anything is held for it. The end has a limit of its own, that of
  metadata.
- A body is copied a constant number of times, however it is cut. Compressed messages stay so until they are read.
"""

from __future__ import annotations

from typing import Final, NoReturn

from clarion.errors import LocalError
from clarion.protocol.messages import CompressedMessage
from clarion.status import StatusCode
from clarion.web.errors import WebError

__all__ = [
    "COMPRESSED",
    "CONNECT_END",
    "GRPC_WEB_END",
    "PREFIX",
    "EnvelopeReader",
    "envelope",
    "prefix",
]

COMPRESSED: Final = 0x01
CONNECT_END: Final = 0x02
GRPC_WEB_END: Final = 0x80

PREFIX: Final = 5
"""Octets before each message."""

_LENGTH_MAX: Final = 0xFFFFFFFF


def prefix(length: int, flags: int = 0) -> bytes:
    """The octets that stand before a message of `length` octets.

    Raises:
        LocalError: the length does not fit into four octets.
    """
    if length > _LENGTH_MAX:
        raise LocalError(
            f"a message of {length} octets cannot be sent: messages end at {_LENGTH_MAX}; split it,"
            " for instance over a stream"
        )
    return (flags << 32 | length).to_bytes(PREFIX, "big")


def envelope(payload: bytes, flags: int = 0) -> bytes:
    """`payload` with what stands before it; see `prefix`."""
    return prefix(len(payload), flags) + payload


class EnvelopeReader:
    """Cuts one body into messages.

    Args:
        max_message_size: the largest message in octets as they are on the wire; -1 for no limit.
        end_flag: `CONNECT_END` or `GRPC_WEB_END` for responses; 0 for requests, which have no end.
        max_end_size: the same limit for the end.
        fault: the status of a body that is no sequence of messages.

    Attributes:
        end: the end's payload, as `CompressedMessage` if it is compressed, once it came.
    """

    __slots__ = ("_end_flag", "_error", "_fault", "_held", "_max_end", "_max_message", "end")

    def __init__(
        self,
        max_message_size: int,
        *,
        end_flag: int = 0,
        max_end_size: int = 0,
        fault: StatusCode = StatusCode.INTERNAL,
    ) -> None:
        self._max_message = _LENGTH_MAX if max_message_size < 0 else max_message_size
        self._end_flag = end_flag
        self._max_end = max_end_size
        self._fault = fault
        self._held = bytearray()
        self._error: WebError | None = None
        self.end: bytes | None = None

    @property
    def at_boundary(self) -> bool:
        """Whether no message is half received."""
        return not self._held

    @property
    def buffered(self) -> int:
        """Octets of a partial message that are held."""
        return len(self._held)

    def feed(self, chunk: bytes | memoryview) -> list[bytes]:
        """Take the next octets; return the messages that they complete, `CompressedMessage` where they are compressed.

        Raises:
            WebError: octets that are no messages (`fault`), or a message that is too large (RESOURCE_EXHAUSTED).
                Also when the reader is fed after it raised.
        """
        if self._error is not None:
            raise WebError(self._error.code, str(self._error))
        if not self._held:
            # The usual chunk is one whole message, and is copied once.
            messages, used = self._cut(chunk)
            self._held += chunk[used:]
            return messages
        self._held += chunk
        with memoryview(self._held) as view:
            messages, used = self._cut(view)
        del self._held[:used]
        return messages

    def finish(self) -> list[bytes]:
        """The body has ended.

        Returns:
            No messages; the reader of bodies that are a message has one.

        Raises:
            WebError: within a message, or before the end that a response must have.
        """
        if self._error is not None:
            raise WebError(self._error.code, str(self._error))
        if self._held:
            raise WebError(self._fault, "the body ended in the middle of a message")
        if self._end_flag and self.end is None:
            raise WebError(
                StatusCode.INTERNAL,
                "the response was cut off: it ended without its status",
            )
        return []

    def _cut(self, data: bytes | memoryview) -> tuple[list[bytes], int]:
        messages: list[bytes] = []
        start = 0
        size = len(data)
        while size - start >= PREFIX:
            word = int.from_bytes(data[start : start + PREFIX], "big")
            flags, length = word >> 32, word & _LENGTH_MAX
            self._check(flags, length, messages)
            stop = start + PREFIX + length
            if stop > size:
                break
            payload = bytes(data[start + PREFIX : stop])
            if flags & COMPRESSED:
                payload = CompressedMessage(payload)
            if flags > COMPRESSED:
                self.end = payload
            else:
                messages.append(payload)
            start = stop
        if self.end is not None and start < size:
            self._fail(StatusCode.INTERNAL, "the response goes on behind its end", messages)
        return messages, start

    def _check(self, flags: int, length: int, messages: list[bytes]) -> None:
        if self.end is not None:
            self._fail(StatusCode.INTERNAL, "the response goes on behind its end", messages)
        if flags <= COMPRESSED:
            limit, what = self._max_message, "message"
        elif flags & ~COMPRESSED == self._end_flag:
            limit, what = self._max_end, "trailers"
        else:
            self._fail(
                self._fault, f"a message has flags 0x{flags:02x}, which mean nothing", messages
            )
        if length > limit:
            self._fail(
                StatusCode.RESOURCE_EXHAUSTED,
                f"Received {what} larger than max ({length} vs. {limit})",
                messages,
            )

    def _fail(self, code: StatusCode, message: str, messages: list[bytes]) -> NoReturn:
        self._error = WebError(code, message, messages=tuple(messages))
        raise self._error
