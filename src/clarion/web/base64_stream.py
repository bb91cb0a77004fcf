"""base64 as gRPC-Web's text mode has it: a stream of it, padded wherever the sender wrote a piece.

Rules kept (PROTOCOL-WEB, "Text-encoded (response) streams"): the body is a concatenation of base64 texts, each padded by
itself, and neither their borders nor those of chunks are those of messages. The alphabet is RFC 4648 section 4; anything
else, white space too, is a fault.
"""

from __future__ import annotations

import binascii

from clarion.status import StatusCode
from clarion.web.errors import WebError

__all__ = ["Base64Decoder", "encode"]


def encode(data: bytes) -> bytes:
    """One piece of a stream: `data` in base64, padded."""
    return binascii.b2a_base64(data, newline=False)


class Base64Decoder:
    """Decodes one body, in pieces that may be cut anywhere.

    Attributes:
        fault: what is wrong with the body; nothing of what comes behind that is decoded.
    """

    __slots__ = ("_held", "fault")

    def __init__(self) -> None:
        # Of a group of four, what has come.
        self._held = b""
        self.fault: WebError | None = None

    @property
    def at_boundary(self) -> bool:
        """Whether the body may end here."""
        return not self._held

    def feed(self, chunk: bytes | memoryview) -> bytes:
        """Take the next octets; return what they stand for, up to the first that is not base64."""
        if self.fault is not None:
            return b""
        text = self._held + bytes(chunk)
        whole = len(text) & ~3
        self._held = text[whole:]
        try:
            return _decode(text[:whole])
        except binascii.Error:
            self.fault = _malformed()
            return _decode(text[: _good(text[:whole])])

    def finish(self) -> None:
        """The body has ended.

        Raises:
            WebError: it was not base64, or ends within a group of four.
        """
        if self._held and self.fault is None:
            self.fault = _malformed()
        if self.fault is not None:
            raise self.fault


def _decode(text: bytes) -> bytes:
    """Decode several padded texts, whose length is a multiple of four.

    Raises:
        binascii.Error: one of them is none.
    """
    if text.find(b"=", 0, -2) < 0:
        return binascii.a2b_base64(text, strict_mode=True)
    pieces = []
    start = 0
    while start < len(text):
        padding = text.find(b"=", start)
        # Python before 3.13 takes padding behind a whole group for none.
        if padding >= 0 and padding & 3 < 2:
            raise binascii.Error("a group of four begins with padding")
        stop = (padding | 3) + 1 if padding >= 0 else len(text)
        pieces.append(binascii.a2b_base64(text[start:stop], strict_mode=True))
        start = stop
    return b"".join(pieces)


def _good(text: bytes) -> int:
    """The length of what can be decoded at the beginning of a text that cannot. Each group of four stands for itself."""
    good, bad = 0, len(text) >> 2
    while bad - good > 1:
        middle = (good + bad) >> 1
        try:
            _decode(text[good << 2 : middle << 2])
            good = middle
        except binascii.Error:
            bad = middle
    return good << 2


def _malformed() -> WebError:
    return WebError(StatusCode.INTERNAL, "the body is application/grpc-web-text, but not base64")
