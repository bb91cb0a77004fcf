"""What both sides of a call share: messages cut out of DATA, kept until read, and flow-control credit.

Credit (RFC 9113 §6.9) is what stops a peer whose messages nobody reads. Bytes are credited on arrival while
no message waits in the inbox, and held back while one does; so a stream holds at most its window, one message
and one DATA frame, and a message larger than the window still gets through.
"""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from clarion.http2.connection import Connection
from clarion.http2.stream import Stream
from clarion.protocol.compression import Compressor
from clarion.protocol.framing import FramingError, MessageReader, MessageTooLarge
from clarion.protocol.messages import CompressedMessage, unpack
from clarion.status import StatusCode

__all__ = ["MessageStream"]

# The inbox of the many streams that never need one. It takes nothing: see `put`.
_NOTHING: deque[bytes] = deque(maxlen=0)


class MessageStream(Stream):
    """A stream of gRPC messages towards us.

    Args:
        connection, stream_id: see `Stream`.
        max_receive: largest message in bytes, packed or not; -1 for no limit.

    Attributes:
        inbox: messages that came and were not read, as they came.
        held: bytes of credit held back because of the inbox.
        over: the call has ended for us; whatever still comes is dropped.
    """

    ROLE: ClassVar[str]

    inbox: deque[bytes] = _NOTHING
    held = 0
    over = False
    _reader: MessageReader | None = None

    _set_later: ClassVar[tuple[str, ...]] = ("over",)

    def __init__(self, connection: Connection, stream_id: int, max_receive: int) -> None:
        Stream.__init__(self, connection, stream_id)
        self.max_receive = max_receive

    # What the class above hears

    def message_received(self, message: bytes) -> None:
        """A whole message came. It goes to the inbox unless the class above knows better."""
        raise NotImplementedError

    def messages_ended(self) -> None:
        """The peer half-closed on DATA, between messages."""
        raise NotImplementedError

    def messages_failed(self, code: StatusCode, details: str) -> None:
        """The messages are broken; the call is to end with this status."""
        raise NotImplementedError

    # What the connection says

    def data_received(self, data: bytes | memoryview, end_stream: bool) -> None:
        if self.over:
            return
        size = len(data)
        if not end_stream:
            if self.inbox:
                self.held += size
            else:
                self.connection.consumed(self, size)
        if (
            self._reader is None
            and int.from_bytes(data[:5], "big") == size - 5
            and (size - 5 <= self.max_receive or self.max_receive < 0)
        ):
            self.connection.messages_received += 1
            self.message_received(bytes(data[5:]))
        elif size and not self._read(data):
            return
        if end_stream and not self.over:
            if self.at_boundary:
                self.messages_ended()
            else:
                self.messages_failed(StatusCode.INTERNAL, "the stream ended within a message")

    def _read(self, data: bytes | memoryview) -> bool:
        reader = self._reader
        if reader is None:
            reader = self._reader = MessageReader(self.max_receive, self.ROLE)
        try:
            messages = reader.feed(data)
        except FramingError as error:
            if self._pass_on(error.messages):
                code = StatusCode.INTERNAL
                if isinstance(error, MessageTooLarge):
                    code = StatusCode.RESOURCE_EXHAUSTED
                self.messages_failed(code, str(error))
            return False
        if not self._pass_on(messages):
            return False
        if reader.at_boundary:
            # The quick path above serves again until a message is cut.
            self._reader = None
        return True

    def _pass_on(self, messages: list[tuple[bool, bytes]]) -> bool:
        """Hand on whole messages; return whether the call still wants more."""
        for compressed, message in messages:
            self.connection.messages_received += 1
            self.message_received(CompressedMessage(message) if compressed else message)
            if self.over:
                return False
        return True

    @property
    def at_boundary(self) -> bool:
        """Whether no message is half received."""
        return self._reader is None or self._reader.at_boundary

    # What the class above does

    def put(self, message: bytes) -> None:
        """Add a message to the inbox."""
        if self.inbox is _NOTHING:
            self.inbox = deque()
        self.inbox.append(message)

    def take_message(self) -> bytes:
        """Remove and return the oldest message of the inbox, and credit the peer for what it held up."""
        message = self.inbox.popleft()
        if self.held and not self.inbox:
            held = self.held
            self.held = 0
            self.connection.consumed(self, held)
        return message

    def unpack_with(self, compressor: Compressor | None, message: bytes) -> bytes:
        """Return a received message itself.

        Raises:
            UnpackFailed: it is damaged or too large.
        """
        return unpack(message, compressor, self.max_receive, self.ROLE)
