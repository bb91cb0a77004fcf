"""What happens to channels, servers and connections beside the bytes, for who traces it.

Rules it keeps:

- Only what is rare tells: names that are resolved, states, connections, handshakes. Calls and messages do not.
- Where nobody listens, telling costs one look at a variable.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Listener", "listen", "tell"]

Listener = Callable[[str, object, str], None]
"""Hears what happens: `listener(kind, about, text)`, see `tell`. It must not raise or block; it may be on any thread."""

_listener: Listener | None = None


def tell(kind: str, about: object, text: str) -> None:
    """Tell who listens.

    Args:
        kind: `channel`, `subchannel`, `server`, `socket` or `tls`: what it happened to.
        about: the object that it happened to, or a peer's address.
        text: what.
    """
    listener = _listener
    if listener is not None:
        listener(kind, about, text)


def listen(listener: Listener | None) -> None:
    """From now on `listener` hears everything; None: nobody."""
    global _listener
    _listener = listener
