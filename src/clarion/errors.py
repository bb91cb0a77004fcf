"""The two kinds of failure below the public API.

`LocalError`: this program used a layer in a way its contract forbids. It is a bug on our side of the
wire and is never the peer's fault.

`RemoteError`: the peer sent something the protocol forbids. Every parser of network bytes either
returns a value or raises a `RemoteError`; nothing else escapes from it.
"""

from __future__ import annotations

__all__ = ["LocalError", "RemoteError"]


class LocalError(Exception):
    """This side misused a layer; the message says how."""


class RemoteError(Exception):
    """The peer broke the protocol; the message says which rule."""
