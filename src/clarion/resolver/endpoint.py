"""What resolvers find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from clarion.resolver.target import Address

__all__ = ["Endpoint"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:
    # Python 3.11 takes no object without a hash for a default.
    return _NOTHING


@dataclass(frozen=True)
class Endpoint:
    """One server: the addresses that lead to it, in the resolver's order, and what else is known of it.

    Attributes:
        addresses: one or more; several where the server has, say, an IPv4 and an IPv6 address.
        attributes: by name; `weight` (a positive number), `hash_key` (for ring_hash, gRFC A76), `locality`, or
            whatever a resolver and a policy agree on.

    Raises:
        ValueError: the weight is not positive.
    """

    addresses: tuple[Address, ...]
    attributes: Mapping[str, Any] = field(default_factory=_nothing, compare=False, hash=False)

    def __post_init__(self) -> None:
        weight = self.attributes.get("weight", 1)
        if not weight > 0:
            # Policies divide by it.
            raise ValueError(
                f"endpoint {', '.join(map(str, self.addresses))}: weight={weight!r} is not positive; "
                "leave out an endpoint that is to get no calls"
            )
