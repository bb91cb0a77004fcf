"""Header fields of HTTP/1.1 that are for one hop alone, and so say nothing of a request (RFC 9110 §7.6.1, RFC 9113 §8.2.2)."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["CONNECTION", "HOP", "named", "takes_trailers"]

# In requests and in answers.
CONNECTION = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
# With what requests have of the kind. `host` becomes `:authority`.
HOP = CONNECTION | {b"expect", b"host", b"http2-settings"}


def named(fields: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """The names that `connection` lists."""
    listed = b",".join(value for name, value in fields if name == b"connection")
    names = frozenset(name.strip().lower() for name in listed.split(b","))
    # Whoever names what the request's meaning rests on wants it lost on the way.
    return names - {b"content-type", b"content-length", b"origin", b"authorization", b""}


def takes_trailers(fields: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the client of a request reads trailers: `TE: trailers`."""
    said = b",".join(value for name, value in fields if name == b"te")
    return any(each.strip().lower() == b"trailers" for each in said.split(b","))
