"""`srv:`: servers that SRV records name (RFC 2782), as Consul and headless services of Kubernetes publish them.

    srv:_grpc._tcp.example.com          srv://name-server:53/_grpc._tcp.example.com

It is a scheme of its own and not a switch on `dns:`, because an SRV record has the ports in it, which a `dns:` target
brings itself, and because a name that has no such records must not cost a second question. (grpcio asks for SRV records
too, but of balancers alone.) Each host is one server, whatever addresses it has. The hosts come in the order in which
RFC 2782 wants them tried, with their `weight`, and the rank of their priority as the `path` that
`priority_experimental` goes by.
"""

from __future__ import annotations

import functools
import logging
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

from clarion.resolver.dns import DnsResolver, Found, is_address
from clarion.resolver.dns_questions import Service, ask
from clarion.resolver.endpoint import Endpoint
from clarion.resolver.target import Address, HostPort, name_server

__all__ = ["RESOLVER", "SrvResolver", "in_order"]

_LOG = logging.getLogger(__name__)

# Hosts looked up at a time, and altogether.
_AT_A_TIME = 8
_MOST_HOSTS = 500


class _Host(NamedTuple):
    service: Service
    rank: int


class SrvResolver(DnsResolver):
    """Looks up a service, and then the hosts that serve it."""

    scheme = "srv"

    @classmethod
    def authority(cls, rest: str) -> str:
        """The domain: what follows the labels that begin with an underscore."""
        name_server(rest, f"srv:{rest}")
        labels = _name(rest).rstrip(".").split(".")
        while len(labels) > 1 and labels[0].startswith("_"):
            del labels[0]
        name = ".".join(labels)
        if not _is_name(_name(rest)):
            raise ValueError(
                f"target {f'srv:{rest}'!r} names no service; the form is srv:_service._tcp.domain"
            )
        return name

    def name(self) -> str:
        """See `DnsResolver`."""
        return self.authority(self.target.rest)

    def find(self, done: Found) -> None:
        """See `DnsResolver`."""
        name, server, timeout = _name(self.target.rest), self.server, self.timeout
        ask(
            self.helper,
            lambda records: records.services(name, server, timeout),
            lambda services, why: self._hosts(services, why, done),
        )

    def endpoints(self, found: Any) -> tuple[Endpoint, ...]:
        """See `DnsResolver`."""
        pairs: list[tuple[_Host, list[Address]]] = found
        return tuple(
            Endpoint(
                tuple(dict.fromkeys(addresses)),
                # A weight of 0 is "hardly any", and policies take none that is not positive.
                {"weight": max(host.service.weight, 1), "path": (str(host.rank),)},
            )
            for host, addresses in pairs
        )

    def what(self) -> str:
        """See `DnsResolver`."""
        return _name(self.target.rest)

    def _hosts(self, services: list[Service] | None, why: str, done: Found) -> None:
        if not services:
            done(None, why or "no SRV records")
            return
        wrong = [each for each in services if each.port == 0 or not _is_name(each.host)]
        if len(wrong) == len(services):
            if wrong[0].host == ".":
                # RFC 2782: "the service is decidedly not available at this domain".
                done(None, "its SRV record says that there is no such service")
            else:
                done(None, f"malformed SRV record: host {wrong[0].host!r}, port {wrong[0].port}")
            return
        for each in wrong:
            _LOG.warning("%s: malformed SRV record left out: %r", self.what(), each)
        hosts = in_order([each for each in services if each not in wrong], self.helper.random)
        _HostQueue(self, hosts[:_MOST_HOSTS], done).start()

    def look_up_host(self, name: HostPort, done: Callable[[Any, str], None]) -> None:
        """Ask for a host's addresses."""
        if self.server is None or is_address(name.host):
            self.helper.look_up(name, done)
        else:
            server, timeout = self.server, self.timeout
            ask(self.helper, lambda records: records.addresses(name, server, timeout), done)


class _HostQueue:
    """Looks up the hosts of a service, several at a time. Those that cannot be looked up are left out."""

    def __init__(self, resolver: SrvResolver, hosts: Sequence[_Host], done: Found) -> None:
        self._resolver = resolver
        self._hosts = hosts
        self._done = done
        self._next = 0
        self._missing = len(hosts)
        self._answers: dict[int, list[Address]] = {}
        self._failures: list[str] = []

    def start(self) -> None:
        """Begin."""
        for _ in self._hosts[:_AT_A_TIME]:
            self._ask_next()

    def _ask_next(self) -> None:
        index = self._next
        if index == len(self._hosts):
            return
        self._next += 1
        service = self._hosts[index].service
        name = HostPort(service.host.rstrip("."), service.port)
        self._resolver.look_up_host(name, functools.partial(self._answered, index, name))

    def _answered(
        self, index: int, name: HostPort, addresses: list[Address] | None, why: str
    ) -> None:
        if addresses:
            self._answers[index] = addresses
        else:
            self._failures.append(f"{name}: {why or 'no addresses'}")
        self._missing -= 1
        self._ask_next()
        if self._missing == 0:
            answers = [
                (self._hosts[index], self._answers[index]) for index in sorted(self._answers)
            ]
            self._done(answers, "; ".join(self._failures[:3]))


def in_order(services: Sequence[Service], random: Callable[[], float]) -> list[_Host]:
    """The services in the order in which clients should try them: by priority, then by chance as weights have it."""
    ordered: list[_Host] = []
    for rank, priority in enumerate(sorted({each.priority for each in services})):
        # Those without weight first, as RFC 2782 says, so that they have a small chance.
        left = sorted(
            {each for each in services if each.priority == priority},
            key=lambda each: (each.weight > 0, each),
        )
        while left:
            sums = list(accumulate(each.weight for each in left))
            point = random() * (sums[-1] + 1)
            # The first whose sum is not below what was drawn.
            ordered.append(_Host(left.pop(bisect_right(sums, point - 1)), rank))
    return ordered


def _name(rest: str) -> str:
    path = rest[2:].partition("/")[2] if rest.startswith("//") else rest
    return path.lstrip("/")


def _is_name(name: str) -> bool:
    """Whether `name` could be one in DNS (RFC 1035 section 2.3.4)."""
    labels = name.removesuffix(".").split(".")
    return (
        len(name) < 255
        and name.isascii()
        and name.isprintable()
        and all(0 < len(label) < 64 for label in labels)
        and not set(name) & set(" /:@\\")
    )


RESOLVER: Final = SrvResolver
