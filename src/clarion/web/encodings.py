"""Which compression a response may have: what the client said that it reads, and what the application wants.

Rules kept (Connect, "Accept-Encoding"; RFC 9110 section 12.5.3): names in the client's order; of weights, only `q=0` says
something, as Connect's clients send none and browsers send names in the order of preference. `identity` is always good.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection

from clarion.protocol.compression import Compressor, accept_encoding, get_compressor
from clarion.status import StatusCode
from clarion.web.errors import WebError

__all__ = ["agreed", "compressor_of", "parse_accept", "preference"]

# There are fewer codings than that; whoever sends more wants us to look through them.
_MOST = 32
_REFUSED = re.compile(r"q=0(\.0*)?")


def parse_accept(value: bytes) -> tuple[str, ...]:
    """The names in an `accept-encoding` value that the client reads, in its order."""
    names: dict[str, None] = {}
    for each in value.decode("latin-1").lower().split(",", _MOST)[:_MOST]:
        name, _, weight = each.partition(";")
        name = name.strip()
        if name and not _REFUSED.fullmatch(weight.replace(" ", "")):
            names[name] = None
    return tuple(names)


def preference() -> bytes:
    """What this side reads, as Connect has it: what it likes best is first, so `identity` is last.

    Servers there are that take the first name which they know.
    """
    return _by_preference(accept_encoding())


@functools.lru_cache(maxsize=8)
def _by_preference(known: bytes) -> bytes:
    # gzip is the one that everybody has.
    names = sorted(known.split(b","), key=lambda name: (name == b"identity") - (name == b"gzip"))
    return b",".join(names)


def agreed(accepts: Collection[str], wanted: str) -> Compressor | None:
    """The compression of a response.

    Args:
        accepts: what the client reads.
        wanted: what the application asked for; "" or "identity" for none.

    Returns:
        None where the response is to be sent as it is.
    """
    if wanted in ("", "identity") or wanted not in accepts:
        return None
    return get_compressor(wanted)


def compressor_of(
    encoding: bytes, *, code: StatusCode = StatusCode.UNIMPLEMENTED
) -> Compressor | None:
    """What a received encoding stands for; None for identity.

    Args:
        encoding: the value of the header; empty where there is none.
        code: the status for an encoding that is not known here.

    Raises:
        WebError: it is not known.
    """
    name = encoding.decode("latin-1").strip().lower()
    if name in ("", "identity"):
        return None
    compressor = get_compressor(name)
    if compressor is None:
        known = accept_encoding().decode()
        raise WebError(code, f"compression {name[:40]!r} is not supported; supported are {known}")
    return compressor
