"""Targets whose scheme was taken back after the channel was made."""

from __future__ import annotations

from clarion.resolver.resolver import Resolution, Resolver

__all__ = ["UnregisteredResolver"]


class UnregisteredResolver(Resolver):
    """Finds nothing."""

    scheme = "unregistered"

    def start(self) -> None:
        """See `Resolver`."""
        self.helper.update(
            Resolution(error=f"the scheme {self.target.scheme!r} is no longer registered")
        )

    def close(self) -> None:
        """See `Resolver`."""
