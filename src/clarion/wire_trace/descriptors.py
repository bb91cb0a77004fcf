"""The type of a call's messages, by the path of its method: what generated modules of this process say."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

__all__ = ["find_message"]


def find_message(method: str, request: bool, pool: object = None) -> Descriptor | None:
    """The descriptor of a method's request or response; None if it is not known.

    Args:
        method: its path.
        request: whether it is the request that is asked for.
        pool: a `DescriptorPool` that is asked before protobuf's default one.
    """
    pools: list[Any] = [] if pool is None else [pool]
    # Who has no protobuf loaded has no descriptors.
    if "google.protobuf.descriptor_pool" in sys.modules:
        from google.protobuf import descriptor_pool

        pools.append(descriptor_pool.Default())
    service, _, name = method.removeprefix("/").rpartition("/")
    for each in pools:
        try:
            found = each.FindServiceByName(service).FindMethodByName(name)
        except (KeyError, TypeError, ValueError):
            continue
        if found is not None:
            described: Descriptor = found.input_type if request else found.output_type
            return described
    return None
