"""Questions to name servers that the system's resolver cannot ask: other records, other servers.

They are answered by `clarion.name_lookup.dns_records`, above this layer, on threads of their own. It takes dnspython.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from clarion.resolver.resolver import ResolverHelper
from clarion.resolver.target import HostPort

__all__ = ["DnsRecords", "Service", "ask"]


class Service(NamedTuple):
    """An SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    host: str


class DnsRecords(Protocol):
    """Who answers. Each raises an error whose text says why there is no answer; no records is an empty list.

    `server` is who is asked, or None: then whom the system asks. `timeout` is in seconds.
    """

    def addresses(self, name: HostPort, server: HostPort | None, timeout: float) -> list[HostPort]:
        """A host's addresses, with the name's port."""

    def texts(self, name: str, server: HostPort | None, timeout: float) -> list[str]:
        """The TXT records, the strings of each joined."""

    def services(self, name: str, server: HostPort | None, timeout: float) -> list[Service]:
        """The SRV records."""

    def hostname(self) -> str:
        """This machine's name."""


def ask(
    helper: ResolverHelper,
    question: Callable[[DnsRecords], Any],
    done: Callable[[Any, str], None],
) -> None:
    """Ask `question`, apart; `done(answer, "")` or `done(None, why not)` comes as the channel calls its resolver."""

    def work() -> None:
        try:
            records: Any = import_module("clarion.name_lookup.dns_records")
            answer = question(records)
        except Exception as error:
            why = str(error) or type(error).__name__
            helper.post(lambda: done(None, why))
        else:
            helper.post(lambda: done(answer, ""))

    helper.apart(work)
