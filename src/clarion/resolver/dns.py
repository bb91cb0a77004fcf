"""`dns:` and targets without a scheme: names that the system's resolver looks up (naming.md).

What fails is tried again with exponential backoff. What worked is looked up again when a policy asks for it, though
not twice within the minimum interval (`grpc.dns_min_time_between_resolutions_ms`), so that servers that go away one
after another do not cause a storm of queries; and every so often, if asked to (`clarion.dns_refresh_interval_ms`), so
that new servers are seen while all goes well.

A service config in TXT records (gRFC A2) is asked for only where `grpc.service_config_disable_resolution` is 0, as in
grpcio. It never makes a name fail: a record that is not found is no config, a look-up that fails leaves the last config,
and one that is slow is not waited for; what comes late is published then.
"""

from __future__ import annotations

import functools
import ipaddress
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from clarion.resolver.dns_config import choose_config
from clarion.resolver.dns_questions import ask
from clarion.resolver.endpoint import Endpoint
from clarion.resolver.resolver import Resolution, Resolver, ResolverHelper, ResolverTimer
from clarion.resolver.target import Address, HostPort, Target, name_server

__all__ = ["RESOLVER", "DnsResolver", "Found"]

_LOG = logging.getLogger(__name__)

# Seconds. A name server that is away should not keep calls from failing for longer than a server that is.
_TIMEOUT = 20.0
# Seconds that addresses wait for the service config.
_CONFIG_PATIENCE = 1.0
# Seconds; what a typing error should not fall below.
_LEAST_REFRESH = 0.1

# Timers take no infinity.
_LONG = 1e6

Found = Callable[[Any, str], None]
"""Hears what was found, or None and why nothing was."""


class DnsResolver(Resolver):
    """Looks up a host's addresses; each is a server of its own."""

    scheme = "dns"
    # Whether there may be a service config for the name.
    has_config = True

    def __init__(self, target: Target, helper: ResolverHelper) -> None:
        super().__init__(target, helper)
        self.server = name_server(target.rest)
        self.timeout = _seconds(helper, "grpc.dns_ares_query_timeout") or _TIMEOUT
        name = self.name()
        literal = is_address(name)
        self._config_name = f"_grpc_config.{name}"
        # grpcio's default is not to ask.
        asks = helper.option("grpc.service_config_disable_resolution") == 0
        self._asks_config = self.has_config and asks and not literal and name != "localhost"
        self._backoff = helper.backoff()
        self._interval = _seconds(helper, "grpc.dns_min_time_between_resolutions_ms")
        refresh = _seconds(helper, "clarion.dns_refresh_interval_ms")
        self._refresh = max(refresh, _LEAST_REFRESH) if refresh and not literal else 0.0
        # Numbers the look-ups, so that a late answer is told from a current one; odd while one is under way.
        self._query = 0
        self._limit: ResolverTimer | None = None
        self._next: ResolverTimer | None = None
        self._refreshing: ResolverTimer | None = None
        self._succeeded = float("-inf")
        self._found: Any = None
        # The look-up that a service config is awaited for, or 0.
        self._config_query = 0
        self._config: Mapping[str, Any] | None = None
        self._config_error = ""
        self._config_failure = ""
        # One draw for the resolver's life: a client does not go back and forth between configs.
        self._percentage = helper.random() * 100

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
        self._config_query = 0
        self._stop_timers()

    # What kinds of DNS resolvers differ in

    def name(self) -> str:
        """The host or domain."""
        return self._host().host

    def find(self, done: Found) -> None:
        """Ask for what `endpoints` takes."""
        name = self._host()
        if self.server is None or is_address(name.host):
            self.helper.look_up(name, done)
        else:
            server, timeout = self.server, self.timeout
            ask(self.helper, lambda records: records.addresses(name, server, timeout), done)

    def endpoints(self, found: Any) -> tuple[Endpoint, ...]:
        """The servers in what was found."""
        addresses: list[Address] = found
        return tuple(Endpoint((address,)) for address in dict.fromkeys(addresses))

    def _host(self) -> HostPort:
        [name] = self.target.addresses
        assert isinstance(name, HostPort)
        return name

    # Looking up

    def _look_up(self) -> None:
        self._stop_timers()
        self._query += 1
        query = self._query
        self._found = None
        why = f"no answer within {self.timeout:g} s"
        self._limit = self.helper.call_later(self.timeout, lambda: self._answered(query, None, why))
        if self._asks_config:
            self._config_query = query
            name, server, timeout = self._config_name, self.server, self.timeout
            ask(
                self.helper,
                lambda records: (records.texts(name, server, timeout), records.hostname()),
                functools.partial(self._config_answered, query),
            )
        self.find(functools.partial(self._answered, query))

    def _answered(self, query: int, found: Any, why: str) -> None:
        if query != self._query:
            return
        if not found:
            self._query += 1
            self._stop_timers()
            self._next = self.helper.call_later(self._backoff.next(), self._look_up)
            self.helper.update(
                Resolution(error=f"DNS lookup of {self.what()} failed: {why or 'no addresses'}")
            )
            return
        self._found = found
        if self._config_query == query:
            self._stop_timers()
            self._limit = self.helper.call_later(_CONFIG_PATIENCE, self._publish)
        else:
            self._publish()

    def what(self) -> str:
        """What is looked up, for error texts."""
        return str(self.target.addresses[0]) if self.target.addresses else self.name()

    def _publish(self) -> None:
        self._query += 1
        self._stop_timers()
        self._succeeded = self.helper.now()
        self._backoff.reset()
        if self._refresh:
            self._refreshing = self.helper.call_later(self._refresh, self._look_up)
        self._update()

    def _update(self) -> None:
        self.helper.update(
            Resolution(
                self.endpoints(self._found),
                service_config=self._config,
                config_error=self._config_error,
            )
        )

    def _stop_timers(self) -> None:
        for timer in (self._limit, self._next, self._refreshing):
            if timer is not None:
                timer.cancel()
        self._limit = self._next = self._refreshing = None

    # The service config

    def _config_answered(self, query: int, answer: tuple[list[str], str] | None, why: str) -> None:
        if query != self._config_query:
            return
        self._config_query = 0
        before = (self._config, self._config_error)
        if answer is None:
            if why != self._config_failure:
                _LOG.warning("no service config of %s from DNS: %s", self.name(), why)
        else:
            texts, hostname = answer
            self._config, self._config_error = choose_config(texts, self._percentage, hostname)
        self._config_failure = why
        if self._found is None:
            return
        if query == self._query:
            self._publish()
        elif (self._config, self._config_error) != before:
            self._update()


def is_address(host: str) -> bool:
    """Whether there is nothing to look up."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _seconds(helper: ResolverHelper, name: str) -> float:
    value = helper.option(name)
    return min(value / 1000, _LONG) if isinstance(value, int) and value >= 0 else 0.0


RESOLVER: Final = DnsResolver
