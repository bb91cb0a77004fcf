"""Tokens that are good for one call: which were used, kept until they would be refused anyway (RFC 7519 §4.1.7)."""

from __future__ import annotations

import heapq
import threading

from clarion.auth.errors import VerifierUnavailable
from clarion.auth.keys import digest

__all__ = ["ReplayCache"]


class ReplayCache:
    """Remembers tokens by issuer and `jti`, so that each is taken once. For many threads, within one process.

    It never forgets a token that would still be taken: while it is full, calls with further tokens end with UNAVAILABLE.
    Only tokens whose signature and claims hold get into it.

    Args:
        capacity: how many tokens it keeps at most, some 300 bytes each.

    Raises:
        ValueError: `capacity` is less than one.
    """

    def __init__(self, capacity: int = 100_000) -> None:
        if capacity < 1:
            raise ValueError(f"a replay cache keeps at least one token, not {capacity}")
        self._capacity = capacity
        self._used: set[bytes] = set()
        self._ends: list[tuple[float, bytes]] = []
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<clarion.auth.ReplayCache with {len(self._used)} of {self._capacity} tokens>"

    def first_use(self, issuer: str, token_id: str, until: float, now: float) -> bool:
        """Note that a token is used.

        Args:
            issuer: its `iss`.
            token_id: its `jti`, which is unique among its issuer's.
            until: when the token is refused for its age, on any clock.
            now: the same clock.

        Returns:
            Whether this is the first time.

        Raises:
            VerifierUnavailable: there is no room to remember it.
        """
        # No issuer has a "#"; see `JwtAuthenticator`.
        name = digest(f"{issuer}#{token_id}")
        with self._lock:
            while self._ends and self._ends[0][0] <= now:
                self._used.discard(heapq.heappop(self._ends)[1])
            if name in self._used:
                return False
            if len(self._used) >= self._capacity:
                raise VerifierUnavailable("the server has seen too many tokens to take another now")
            self._used.add(name)
            heapq.heappush(self._ends, (until, name))
            return True
