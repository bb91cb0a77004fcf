"""Bodies of gRPC-Web, in either mode, as messages."""

from __future__ import annotations

from clarion.web.base64_stream import Base64Decoder
from clarion.web.envelopes import EnvelopeReader
from clarion.web.errors import WebError

__all__ = ["Reader"]


class Reader:
    """Cuts a body into messages, base64 or not; see `EnvelopeReader`."""

    __slots__ = ("_base64", "_envelopes")

    def __init__(self, envelopes: EnvelopeReader, text: bool) -> None:
        self._envelopes = envelopes
        self._base64 = Base64Decoder() if text else None

    @property
    def at_boundary(self) -> bool:
        """Whether no message is half received."""
        return self._envelopes.at_boundary and (self._base64 is None or self._base64.at_boundary)

    @property
    def buffered(self) -> int:
        """Octets of a partial message that are held."""
        return self._envelopes.buffered

    @property
    def end(self) -> bytes | None:
        """The trailer frame's payload, once it came."""
        return self._envelopes.end

    def feed(self, chunk: bytes | memoryview) -> list[bytes]:
        """Take the next octets; return the messages that they complete, `CompressedMessage` where they are compressed.

        Raises:
            WebError: the body is malformed, or a message is too large.
        """
        if self._base64 is None:
            return self._envelopes.feed(chunk)
        messages = self._envelopes.feed(self._base64.feed(chunk))
        fault = self._base64.fault
        if fault is not None:
            raise WebError(fault.code, str(fault), messages=tuple(messages))
        return messages

    def finish(self) -> list[bytes]:
        """The body has ended; see `EnvelopeReader.finish`.

        Raises:
            WebError: it may not end here.
        """
        if self._base64 is not None:
            self._base64.finish()
        return self._envelopes.finish()
