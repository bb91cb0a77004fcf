"""A body that is one message, as unary Connect has it."""

from __future__ import annotations

from clarion.protocol.messages import CompressedMessage
from clarion.status import StatusCode
from clarion.web.errors import WebError

__all__ = ["BodyReader"]


class BodyReader:
    """Collects a body.

    Args:
        max_size: the largest body in octets as they are on the wire; -1 for no limit.
        compressed: whether it has a content-encoding.
    """

    __slots__ = ("_compressed", "_held", "_max", "_over")

    def __init__(self, max_size: int, compressed: bool) -> None:
        self._max = max_size
        self._compressed = compressed
        self._held = bytearray()
        self._over = False

    @property
    def at_boundary(self) -> bool:
        """A body may end anywhere."""
        return True

    @property
    def buffered(self) -> int:
        """Octets that are held."""
        return len(self._held)

    def feed(self, chunk: bytes | memoryview) -> list[bytes]:
        """Take the next octets. Returns no messages: there is one when the body has ended.

        Raises:
            WebError: the body is too large: RESOURCE_EXHAUSTED. Also when the reader is fed after it raised.
        """
        size = len(self._held) + len(chunk)
        if self._over or 0 <= self._max < size:
            self._over = True
            raise WebError(
                StatusCode.RESOURCE_EXHAUSTED,
                f"Received message larger than max (at least {size} vs. {self._max})",
            )
        self._held += chunk
        return []

    def finish(self) -> list[bytes]:
        """The body has ended.

        Returns:
            One message, which may be empty: `CompressedMessage` if there is something to decompress.
        """
        message = bytes(self._held)
        return [CompressedMessage(message) if message and self._compressed else message]
