"""`dns:` and targets without a scheme: names that the system's resolver looks up (naming.md).

What fails is tried again with exponential backoff. What worked is looked up again when a policy asks for it, though
not twice within the minimum interval (`grpc.dns_min_time_between_resolutions_ms`), so that servers that go away one
after another do not cause a storm of queries.
"""

from __future__ import annotations

import functools
from typing import Final

from clarion.resolver.endpoint import Endpoint
from clarion.resolver.resolver import Resolution, Resolver, ResolverHelper, ResolverTimer
from clarion.resolver.target import Address, HostPort, Target

__all__ = ["RESOLVER", "DnsResolver"]

# Seconds. A name server that is away should not keep calls from failing for longer than a server that is.
_TIMEOUT = 20.0

# Timers take no infinity.
_LONG = 1e6


class DnsResolver(Resolver):
    """Looks up a host's addresses; each is a server of its own."""

    scheme = "dns"

    def __init__(self, target: Target, helper: ResolverHelper) -> None:
        super().__init__(target, helper)
        [name] = target.addresses
        assert isinstance(name, HostPort)
        self._name = name
        self._backoff = helper.backoff()
        self._interval = _seconds(helper, "grpc.dns_min_time_between_resolutions_ms")
        self._timeout = _seconds(helper, "grpc.dns_ares_query_timeout") or _TIMEOUT
        # Numbers the look-ups, so that a late answer is told from a current one; odd while one is under way.
        self._query = 0
        self._limit: ResolverTimer | None = None
        self._next: ResolverTimer | None = None
        self._succeeded = float("-inf")

    def start(self) -> None:
        """See `Resolver`."""
        self._look_up()

    def resolve_now(self) -> None:
        """See `Resolver`."""
        if self._query % 2 or self._next is not None:
            return
        wait = self._succeeded + self._interval - self.helper.now()
        if wait <= 0:
            self._look_up()
        else:
            self._next = self.helper.call_later(wait, self._look_up)

    def close(self) -> None:
        """See `Resolver`."""
        self._query += 2
        for timer in (self._limit, self._next):
            if timer is not None:
                timer.cancel()

    def _look_up(self) -> None:
        self._next = None
        self._query += 1
        answered = functools.partial(self._answered, self._query)
        why = f"no answer within {self._timeout:g} s"
        self._limit = self.helper.call_later(self._timeout, lambda: answered(None, why))
        self.helper.look_up(self._name, answered)

    def _answered(self, query: int, addresses: list[Address] | None, why: str) -> None:
        if query != self._query:
            return
        self._query += 1
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        if addresses:
            self._succeeded = self.helper.now()
            self._backoff.reset()
            self.helper.update(
                Resolution(tuple(Endpoint((address,)) for address in dict.fromkeys(addresses)))
            )
        else:
            self._next = self.helper.call_later(self._backoff.next(), self._look_up)
            self.helper.update(
                Resolution(error=f"DNS lookup of {self._name} failed: {why or 'no addresses'}")
            )


def _seconds(helper: ResolverHelper, name: str) -> float:
    value = helper.option(name)
    return min(value / 1000, _LONG) if isinstance(value, int) and value >= 0 else 0.0


RESOLVER: Final = DnsResolver
