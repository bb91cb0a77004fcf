"""Metadata as it arrives: with something that the program did not send.

A real call's metadata has more in it than was given, so no test may rely on having all of it. The scripted ones add a
pair for that, as grpcio-testing does.
"""

from __future__ import annotations

from typing import Any

from clarion.metadata import Metadatum

__all__ = ["NONE_SENT", "arrived"]

_ADDED = Metadatum("grpc.metadata_added_by_runtime", "real calls have metadata of their own, too")


def arrived(sent: Any) -> tuple[Any, ...]:
    """What of `sent` (pairs or None) is seen on the other side."""
    return (*(sent or ()), _ADDED)


NONE_SENT = arrived(())
