"""Which endpoints are which child's, for policies with several children (gRFC A56, hierarchical addresses).

An endpoint's attribute `path` is a tuple of names: of the child of the uppermost such policy, of that child's child, and
so on. Each takes the first name off. An endpoint without a path, or at its end, goes to every child: then a service
config alone can offer, say, the same servers to two policies of different priority. (gRFC A56 says nothing of these.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clarion.resolver.endpoint import Endpoint

__all__ = ["PATH", "by_child"]

PATH = "path"


def by_child(endpoints: Iterable[Endpoint], names: Sequence[str]) -> dict[str, list[Endpoint]]:
    """Sort the endpoints by children; those of children that are not named go nowhere."""
    shares: dict[str, list[Endpoint]] = {name: [] for name in names}
    for endpoint in endpoints:
        path = endpoint.attributes.get(PATH)
        if not path:
            for share in shares.values():
                share.append(endpoint)
        elif path[0] in shares:
            attributes = {**endpoint.attributes, PATH: tuple(path[1:])}
            shares[path[0]].append(Endpoint(endpoint.addresses, attributes))
    return shares
