"""How many connections a server takes, and who has to go when there are more.

Rules it keeps: a connection with a call on it, or that ever had one, stays. Of those that never made a call the oldest goes
for a new one, if it had a fair chance to make one; so who only holds connections, or never finishes a preface or a header
block, keeps nobody out for long. The same holds for TLS handshakes that are not over. Where nobody can go, the new one is turned away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

from clarion.http2 import Connection

__all__ = ["Admission"]

# What a connection without a call, or a handshake, is left alone for, in seconds.
_CHANCE = 5.0
# When nobody could go, nobody is looked for again for so long: a flood of connections must not cost a search each.
_PAUSE = 0.5


class _Link(Protocol):
    connection: Connection
    since: float


H = TypeVar("H")
L = TypeVar("L", bound=_Link)


class Admission:
    """The limit of one server.

    Args:
        limit: connections at a time; None: no limit.
        now: a clock, in seconds.
    """

    __slots__ = ("_look_at", "_now", "limit")

    def __init__(self, limit: int | None, now: Callable[[], float]) -> None:
        self.limit = limit
        self._now = now
        self._look_at = 0.0

    def handshakes_exceeded(self, handshakes: int, connections: int) -> bool:
        """Whether so many TLS handshakes beside so many connections are too many.

        A few more than the limit may be under way, so that who is turned away can be told why.
        """
        limit = self.limit
        return limit is not None and handshakes + connections > limit + max(limit // 8, 16)

    def which_goes(self, handshakes: Mapping[H, float]) -> H | None:
        """The one of `handshakes`, by when they began, oldest first, that makes room for another; None: none does."""
        for handshake, since in handshakes.items():
            return handshake if since <= self._now() - _CHANCE else None
        return None

    def exceeded(self, connections: int) -> bool:
        """Whether so many are too many."""
        return self.limit is not None and connections > self.limit

    @property
    def refusal(self) -> str:
        """What to tell who is turned away."""
        return (
            f"RESOURCE_EXHAUSTED: the server takes {self.limit} connections "
            f"(grpc.max_allowed_incoming_connections)"
        )

    def who_goes(self, links: Iterable[L]) -> L | None:
        """The one of `links`, oldest first, that makes room for another; None: nobody does."""
        now = self._now()
        if now < self._look_at:
            return None
        for link in links:
            if link.since > now - _CHANCE:
                break
            connection = link.connection
            if not connection.work and not connection.closed:
                return link
        self._look_at = now + _PAUSE
        return None
