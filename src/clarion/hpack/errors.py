"""The one way in which a header block can fail.

HTTP/2 makes every `HpackError` a connection error of type COMPRESSION_ERROR (RFC 9113 §4.3): after
one, the two dynamic tables may differ, so that no later block can be trusted either.
"""

from __future__ import annotations

from clarion.errors import RemoteError

__all__ = ["HpackError"]


class HpackError(RemoteError):
    """The peer sent a header block that RFC 7541 forbids; the message says what is wrong in it."""
