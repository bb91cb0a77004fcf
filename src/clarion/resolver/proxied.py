"""Servers behind an HTTP proxy: what is looked up is the proxy's name (gRFC A1, case 1).

`http_proxy` makes such targets; there is no way to write one.
"""

from __future__ import annotations

from typing import Final

from clarion.resolver.dns import DnsResolver
from clarion.resolver.endpoint import Endpoint
from clarion.resolver.resolver import ResolverHelper
from clarion.resolver.target import Address, HostPort, ProxiedAddress, Target

__all__ = ["RESOLVER", "ProxiedResolver"]


class ProxiedResolver(DnsResolver):
    """Looks up the proxy. Each of the target's addresses is a server, by way of any of the proxy's addresses."""

    scheme = "http-proxy"
    # The name is the proxy's.
    has_config = False

    def __init__(self, target: Target, helper: ResolverHelper) -> None:
        self._servers = [each for each in target.addresses if isinstance(each, ProxiedAddress)]
        super().__init__(Target("dns", (self._servers[0].proxy,), target.authority), helper)

    def endpoints(self, addresses: tuple[Address, ...]) -> tuple[Endpoint, ...]:
        """See `DnsResolver`."""
        proxies = [each for each in addresses if isinstance(each, HostPort)]
        return tuple(
            Endpoint(tuple(server._replace(proxy=proxy) for proxy in proxies))
            for server in self._servers
        )

    def what(self) -> str:
        """See `DnsResolver`."""
        return f"the proxy {self._servers[0].proxy} (from {self._servers[0].source})"


RESOLVER: Final = ProxiedResolver
