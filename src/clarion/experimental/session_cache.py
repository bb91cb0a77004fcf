"""TLS sessions that clients resume instead of a whole handshake (`grpc.experimental.session_cache`)."""

from __future__ import annotations

from typing import Any

__all__ = ["SSLSessionCache", "ssl_session_cache_lru"]


class SSLSessionCache:
    """A store of sessions, for the channel argument `grpc.ssl_session_cache` of any number of channels.

    A session is resumed by channels with the same credentials to the same server name.
    """

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __int__(self) -> int:
        # Values of channel arguments are numbers, or can be made ones.
        return id(self._cache)


def ssl_session_cache_lru(capacity: int) -> SSLSessionCache:
    """A store that forgets what was not used for longest.

    Args:
        capacity: how many sessions are kept.
    """
    # Where TLS is, which programs that do without it do not load.
    from clarion.security.sessions import SessionCache

    return SSLSessionCache(SessionCache(capacity))
