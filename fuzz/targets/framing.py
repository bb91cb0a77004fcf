"""Length-prefixed messages against the plainest reader there can be: the same messages and the same error, however
the bytes are cut; what is held stays within what came, and within one message."""

from __future__ import annotations

from clarion.protocol.framing import FramingError, MalformedMessage, MessageReader, MessageTooLarge
from fuzz.reader import Reader

__all__ = ["fuzz_one"]

_LIMITS = (4 << 20, 0, 1, 10, 1000, -1)

Messages = list[tuple[bool, bytes]]


def _plain(body: bytes, limit: int) -> tuple[Messages, type[FramingError] | None, bool]:
    """The messages of a whole body, the error at its end, and whether it ends between messages."""
    messages: Messages = []
    while len(body) >= 5:
        flag, size = body[0], int.from_bytes(body[1:5], "big")
        if flag > 1:
            return messages, MalformedMessage, False
        if 0 <= limit < size:
            return messages, MessageTooLarge, False
        if len(body) < 5 + size:
            return messages, None, False
        messages.append((flag == 1, body[5 : 5 + size]))
        body = body[5 + size :]
    return messages, None, not body


def fuzz_one(data: bytes) -> None:
    """The first two bytes choose the limit and the cut; the rest is the body."""
    reader = Reader(data)
    limit, cut = reader.choose(_LIMITS), reader.byte()
    body = reader.rest()
    expected, fault, boundary = _plain(body, limit)
    ours = MessageReader(limit)
    messages: Messages = []
    raised: type[FramingError] | None = None
    size = cut or len(body) or 1
    for at in range(0, len(body), size):
        chunk = body[at : at + size]
        try:
            messages += ours.feed(memoryview(chunk) if cut & 1 else chunk)
        except FramingError as error:
            messages += error.messages
            raised = type(error)
            break
        assert ours.buffered <= at + len(chunk)
        assert limit < 0 or ours.buffered <= limit + 5
    assert messages == expected
    assert raised is fault
    assert all(type(message) is bytes for _, message in messages)
    if fault is None:
        assert ours.at_boundary is boundary
