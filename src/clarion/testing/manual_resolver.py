"""A resolver whose answers a test gives, to channels that lead nowhere else."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

from clarion.resolver.endpoint import Endpoint
from clarion.resolver.registry import register, unregister
from clarion.resolver.resolver import Resolution, Resolver
from clarion.resolver.target import Address, parse_listen_address

__all__ = ["ManualResolver"]

_numbers = itertools.count(1)


class ManualResolver:
    """A scheme of its own for targets, and what channels to them find.

    Channels get the last answer when they begin, and each further one at once; until there is one they wait. From any
    thread::

        with ManualResolver() as names:
            names.set(["127.0.0.1:50051"])
            with clarion.insecure_channel(names.target()) as channel:
                ...
                names.set(["127.0.0.1:50052", "127.0.0.1:50053"])

    Attributes:
        scheme: what its targets begin with.
        asked: how often a channel asked to look again, because addresses seemed out of date.
    """

    def __init__(self) -> None:
        self.scheme = f"manual-{next(_numbers)}"
        self.asked = 0
        self._lock = threading.Lock()
        self._last: Resolution | None = None
        self._resolvers: set[Resolver] = set()
        register(_kind(self))

    def target(self, name: str = "test") -> str:
        """A target; `name` is what calls say in `:authority`."""
        return f"{self.scheme}:///{name}"

    def set(
        self,
        addresses: Iterable[str | Address | Endpoint] = (),
        *,
        service_config: str | Mapping[str, Any] | None = None,
        error: str = "",
    ) -> None:
        """Say what the name leads to from now on.

        Args:
            addresses: the servers: `host:port` or `unix:path` as text, addresses, or endpoints. Hosts are numbers.
            service_config: a service config that comes with them, as JSON text or what that text means.
            error: why the look-up failed; then channels go on with what they knew.

        Raises:
            ValueError: an address is malformed.
        """
        endpoints = tuple(_endpoint(each) for each in addresses)
        resolution = Resolution(endpoints, error=error, service_config=service_config)
        with self._lock:
            self._last = resolution
            for resolver in self._resolvers:
                resolver.helper.update(resolution)

    def close(self) -> None:
        """Take the scheme back. Channels that are there keep what they know."""
        unregister(self.scheme)

    def __enter__(self) -> ManualResolver:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # What its channels' resolvers say

    def _started(self, resolver: Resolver) -> None:
        with self._lock:
            self._resolvers.add(resolver)
            if self._last is not None:
                resolver.helper.update(self._last)

    def _asked(self) -> None:
        with self._lock:
            self.asked += 1

    def _closed(self, resolver: Resolver) -> None:
        with self._lock:
            self._resolvers.discard(resolver)


def _endpoint(each: str | Address | Endpoint) -> Endpoint:
    if isinstance(each, Endpoint):
        return each
    return Endpoint((parse_listen_address(each) if isinstance(each, str) else each,))


def _kind(owner: ManualResolver) -> type[Resolver]:
    class OneChannel(Resolver):
        scheme = owner.scheme

        def start(self) -> None:
            owner._started(self)

        def resolve_now(self) -> None:
            owner._asked()

        def close(self) -> None:
            owner._closed(self)

    return OneChannel
