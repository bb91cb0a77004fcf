"""`passthrough:`: one server, whatever addresses its name has.

Where `dns:` makes a server of each address, this makes one of all: a policy that spreads calls connects once, to the
address that answers first. It is for names that stand for one thing, such as a virtual address or a tunnel.
"""

from __future__ import annotations

from typing import Final

from clarion.resolver.dns import DnsResolver
from clarion.resolver.endpoint import Endpoint
from clarion.resolver.target import Address

__all__ = ["RESOLVER", "PassthroughResolver"]


class PassthroughResolver(DnsResolver):
    """Looks up a host; its addresses are one server."""

    scheme = "passthrough"

    def endpoints(self, addresses: tuple[Address, ...]) -> tuple[Endpoint, ...]:
        """See `DnsResolver`."""
        return (Endpoint(addresses),)


RESOLVER: Final = PassthroughResolver
