"""What stands where HPACK's encoder is: HTTP/1.1 does not compress headers."""

from __future__ import annotations

from typing import Any

__all__ = ["PlainEncoder"]

Fields = tuple[tuple[bytes, bytes], ...]


class PlainEncoder:
    """Stands where HPACK's encoder is: fields stay fields."""

    pending_update = False

    def encode(self, fields: Fields) -> Any:
        """The fields."""
        return fields
