"""Questions to name servers with dnspython; see `clarion.resolver.dns_questions.DnsRecords`.

dnspython reads the system's configuration, falls back to TCP where an answer is too long for UDP, and checks that the
answer is to the question. Every question ends within its timeout, so a thread that asks one ends, too.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from clarion.resolver.dns_questions import Service
from clarion.resolver.target import HostPort

__all__ = ["LookUpError", "addresses", "hostname", "services", "texts"]


class LookUpError(Exception):
    """There is no answer; the message says why."""


def addresses(name: HostPort, server: HostPort | None, timeout: float) -> list[HostPort]:
    """See `DnsRecords`. IPv6 first, as hosts that have both prefer it."""
    found: list[HostPort] = []
    failure: LookUpError | None = None
    for kind in ("AAAA", "A"):
        try:
            answer = _ask(name.host, kind, server, timeout)
        except LookUpError as error:
            failure = error
        else:
            found += [HostPort(str(record.address), name.port) for record in answer]
    if failure is not None and not found:
        raise failure
    return found


def texts(name: str, server: HostPort | None, timeout: float) -> list[str]:
    """See `DnsRecords`."""
    return [
        b"".join(record.strings).decode("utf-8", "replace")
        for record in _ask(name, "TXT", server, timeout)
    ]


def services(name: str, server: HostPort | None, timeout: float) -> list[Service]:
    """See `DnsRecords`."""
    return [
        Service(record.priority, record.weight, record.port, str(record.target))
        for record in _ask(name, "SRV", server, timeout)
    ]


def hostname() -> str:
    """See `DnsRecords`."""
    return socket.gethostname()


def _ask(name: str, kind: str, server: HostPort | None, timeout: float) -> Any:
    try:
        import dns.exception
        import dns.name
        import dns.resolver
    except ImportError:
        what = f"for {kind} records" if server is None else f"the name server {server}"
        raise LookUpError(
            f"asking {what} takes dnspython: pip install 'clarion-rpc[dns]'"
        ) from None
    try:
        resolver = dns.resolver.Resolver(configure=server is None)
        if server is not None:
            resolver.nameservers = [_address_of(server)]
            resolver.port = server.port
        # Names in targets are complete; the system's search list is for people who type.
        question = dns.name.from_text(name)
        return resolver.resolve(question, kind, lifetime=timeout, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.DNSException, OSError, ValueError) as error:
        raise LookUpError(f"{kind} records of {name}: {error}") from error


def _address_of(server: HostPort) -> str:
    try:
        return str(ipaddress.ip_address(server.host))
    except ValueError:
        # A name server by name: the system looks that up.
        infos = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM)
        return str(infos[0][4][0])
