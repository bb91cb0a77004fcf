"""See `clarion.resolver.backoff`."""

from clarion.resolver.backoff import Backoff

__all__ = ["Backoff"]
