"""Cross-origin requests: what pages of other origins may do, decided in this one place (the Fetch standard, "CORS protocol").

Rules it keeps: without a policy nothing is allowed and no answer says `access-control-`. An origin is compared as it is
written; patterns are not known, because they are how wrong origins get in. With credentials `*` is never sent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from clarion.errors import LocalError

__all__ = ["CorsPolicy"]

Fields = tuple[tuple[bytes, bytes], ...]

# What clients of gRPC-Web and Connect send. A header that a program adds as metadata is added to `headers`.
_HEADERS = (
    "content-type connect-protocol-version connect-timeout-ms connect-accept-encoding connect-content-encoding "
    "content-encoding accept-encoding grpc-timeout grpc-encoding grpc-accept-encoding x-grpc-web x-user-agent authorization"
).split()
# What they have to read of an answer.
_EXPOSED = (
    "grpc-status grpc-message grpc-status-details-bin grpc-encoding content-encoding "
    "connect-content-encoding"
).split()


@dataclasses.dataclass(frozen=True)
class CorsPolicy:
    """Who may call from pages of other origins.

    Args:
        origins: such as `https://app.example`, exactly as browsers send them; `*` is every origin. By default none.
        headers: request headers, such as metadata, that these pages may send beside those of the protocols.
        expose: response headers, such as metadata, that they may read beside those of the protocols.
        credentials: whether browsers may add cookies and the like; not with `*`.
        max_age: how long browsers may remember a preflight, in seconds.

    Raises:
        LocalError: an origin is none, or `*` is to have credentials.
    """

    origins: Iterable[str] = ()
    headers: Iterable[str] = ()
    expose: Iterable[str] = ()
    credentials: bool = False
    max_age: int = 7200

    def __post_init__(self) -> None:
        origins = frozenset(self.origins)
        for origin in origins:
            scheme, separator, rest = origin.partition("://")
            if origin != "*" and (not separator or not scheme or not rest or "/" in rest):
                raise LocalError(
                    f"{origin!r} is no origin; one is a scheme, a host and maybe a port: https://app.example"
                )
        if "*" in origins and self.credentials:
            raise LocalError(
                "credentials=True needs origins by name; '*' would let every page use them"
            )
        set_ = object.__setattr__
        set_(self, "origins", origins)
        set_(self, "_any", "*" in origins)
        set_(self, "_known", frozenset(origin.encode("latin-1", "replace") for origin in origins))
        set_(self, "_allowed", _joined([*_HEADERS, *self.headers]))
        set_(self, "_exposed", _joined([*_EXPOSED, *self.expose]))

    _any: bool = dataclasses.field(init=False, repr=False, compare=False)
    _known: frozenset[bytes] = dataclasses.field(init=False, repr=False, compare=False)
    _allowed: bytes = dataclasses.field(init=False, repr=False, compare=False)
    _exposed: bytes = dataclasses.field(init=False, repr=False, compare=False)

    def admits(self, origin: bytes) -> bool:
        """Whether pages of `origin` may call."""
        return self._any or origin in self._known

    def answer_fields(self, origin: bytes | None) -> Fields:
        """What every answer to a request with (or without) an `origin` says."""
        if not self.origins:
            return ()
        # Caches must not hand the answer for one origin to another.
        vary: Fields = () if self._any else ((b"vary", b"origin"),)
        if origin is None or not self.admits(origin):
            return vary
        return (
            *self._who(origin),
            (b"access-control-expose-headers", self._exposed),
            *vary,
        )

    def preflight_fields(self, origin: bytes, method: bytes) -> Fields | None:
        """The answer to a preflight, or None if it is refused."""
        if not self.admits(origin) or method not in (b"POST", b"GET"):
            return None
        return (
            *self._who(origin),
            (b"access-control-allow-methods", b"GET, POST"),
            (b"access-control-allow-headers", self._allowed),
            (b"access-control-max-age", b"%d" % self.max_age),
            (b"vary", b"origin, access-control-request-method, access-control-request-headers"),
        )

    def _who(self, origin: bytes) -> Fields:
        fields: Fields = ((b"access-control-allow-origin", b"*" if self._any else origin),)
        if self.credentials:
            fields += ((b"access-control-allow-credentials", b"true"),)
        return fields


def _joined(names: Iterable[str]) -> bytes:
    return ", ".join(dict.fromkeys(name.lower() for name in names)).encode("latin-1", "replace")
