"""TLS sessions that clients resume (`grpc.ssl_session_cache`), the least recently used forgotten first."""

from __future__ import annotations

import ssl
import threading
from collections import OrderedDict

__all__ = ["SessionCache"]


class SessionCache:
    """Sessions by context and server name; for channels of any thread.

    Args:
        capacity: how many are kept.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._sessions: OrderedDict[tuple[ssl.SSLContext, str], ssl.SSLSession] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, context: ssl.SSLContext, name: str) -> ssl.SSLSession | None:
        """The session to resume, or None."""
        with self._lock:
            session = self._sessions.get((context, name))
            if session is not None:
                self._sessions.move_to_end((context, name))
            return session

    def put(self, context: ssl.SSLContext, name: str, session: ssl.SSLSession | None) -> None:
        """Keep `session` for the next connection."""
        if session is None or not session.has_ticket:
            return
        with self._lock:
            self._sessions[context, name] = session
            self._sessions.move_to_end((context, name))
            while len(self._sessions) > self._capacity:
                self._sessions.popitem(last=False)
