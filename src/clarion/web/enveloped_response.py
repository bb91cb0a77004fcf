"""An answer that is messages in envelopes and an end, as a client reads it: what gRPC-Web and streams of Connect share.

Nothing that a server sends raises: it becomes the call's outcome. An answer without its end was cut off.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from clarion.metadata import Metadatum
from clarion.protocol.compression import Compressor
from clarion.protocol.messages import UnpackFailed, unpack
from clarion.protocol.outcome import Outcome
from clarion.web.envelopes import EnvelopeReader
from clarion.web.errors import WebError
from clarion.web.fields import Fields, check_size

__all__ = ["EnvelopedResponse"]

T = TypeVar("T")


class _Body(Protocol):
    """See `EnvelopeReader`."""

    @property
    def end(self) -> bytes | None: ...

    def feed(self, chunk: bytes | memoryview) -> list[bytes]: ...

    def finish(self) -> list[bytes]: ...


class EnvelopedResponse(Generic[T]):
    """Reads one response.

    Args:
        status: the HTTP status.
        fields: the header fields.
        type: of the request.
        max_message_size: the largest message, packed or not, in octets; -1 for no limit.
        max_metadata_size: the largest header list, as RFC 9113 section 6.5.2 counts it, and the largest end.

    Attributes:
        metadata: the initial metadata.
        compressor: how messages are compressed; None for identity.
        outcome: how the call ended, once it did: what still comes means nothing then.
    """

    _END_FLAG: int

    def __init__(
        self,
        status: int,
        fields: Iterable[tuple[bytes, bytes]],
        type: T,
        max_message_size: int,
        max_metadata_size: int,
    ) -> None:
        self.metadata: tuple[Metadatum, ...] = ()
        self.compressor: Compressor | None = None
        self.outcome: Outcome | None = None
        self._max_metadata = max_metadata_size
        fields = tuple(fields)
        try:
            check_size(fields, max_metadata_size)
            self._read_head(status, fields, type)
        except WebError as error:
            self.outcome = Outcome(error.code, str(error))
        self._body = self._body_of(
            EnvelopeReader(
                max_message_size, end_flag=self._END_FLAG, max_end_size=max_metadata_size
            )
        )

    @abstractmethod
    def _read_head(self, status: int, fields: Fields, type: T) -> None:
        """Set the attributes.

        Raises:
            WebError: the call ends with that.
        """

    def _body_of(self, envelopes: EnvelopeReader) -> _Body:
        """What reads the body, which is envelopes, or something around them."""
        return envelopes

    @abstractmethod
    def _read_end(self, end: bytes) -> Outcome:
        """What the end says.

        Raises:
            WebError: it says nothing.
        """

    def feed(self, chunk: bytes | memoryview) -> list[bytes]:
        """Take the next octets of the body; return the messages that they complete, `CompressedMessage` where they are
        compressed.
        """
        if self.outcome is not None:
            return []
        try:
            return self._body.feed(chunk)
        except WebError as error:
            self.outcome = Outcome(error.code, str(error))
            return list(error.messages)

    def finish(self) -> Outcome:
        """The body has ended. Returns the outcome."""
        if self.outcome is None:
            try:
                self._body.finish()
                packed = self._body.end or b""
                self.outcome = self._read_end(
                    unpack(packed, self.compressor, self._max_metadata, "CLIENT")
                )
            except (WebError, UnpackFailed) as error:
                self.outcome = Outcome(error.code, str(error))
        return self.outcome
