"""Which class new connections have: `Connection`, or one that shows what passes through it.

Whoever makes a connection asks here, once. So what watches (`clarion.wire_trace`) costs connections that are not watched
nothing at all, and those that are already there stay as they are.
"""

from __future__ import annotations

from clarion.http2.connection import Connection

__all__ = ["connection_type", "plain", "watch_with"]

_type: type[Connection] = Connection


def connection_type() -> type[Connection]:
    """The class of the connection that is about to be made."""
    return _type


def watch_with(kind: type[Connection]) -> None:
    """From now on new connections are of `kind`."""
    global _type
    _type = kind


def plain() -> None:
    """From now on nobody watches new connections."""
    watch_with(Connection)
