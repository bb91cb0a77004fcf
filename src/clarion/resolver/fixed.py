"""Targets that are addresses already: `ipv4:`, `ipv6:`, `unix:`, `unix-abstract:`."""

from __future__ import annotations

from typing import Final

from clarion.resolver.endpoint import Endpoint
from clarion.resolver.resolver import Resolution, Resolver

__all__ = ["RESOLVER", "FixedResolver"]


class FixedResolver(Resolver):
    """Says what the target says. Each address is a server of its own (naming.md)."""

    scheme = "ipv4"

    def start(self) -> None:
        """See `Resolver`."""
        self.helper.update(
            Resolution(tuple(Endpoint((address,)) for address in self.target.addresses))
        )

    def close(self) -> None:
        """See `Resolver`."""


RESOLVER: Final = FixedResolver
