"""What the claims of a token must say (RFC 7519 §4.1, RFC 8725). No clock and no cryptography."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from clarion.auth.errors import AuthenticationFailed

__all__ = ["ClaimRules", "names", "scopes_of", "several", "value_at"]


def several(value: str | Iterable[str], name: str) -> tuple[str, ...]:
    """One text, or several, as a tuple.

    Raises:
        TypeError: something else.
        ValueError: none, or an empty one.
    """
    found = (value,) if isinstance(value, str) else tuple(value)
    if not all(isinstance(each, str) for each in found):
        raise TypeError(f"{name} must be text, or several")
    if not found or not all(found):
        raise ValueError(f"{name} must not be empty")
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class ClaimRules:
    """What is asked of claims.

    Attributes:
        issuers: one of these must have issued the token; empty takes any, also none.
        audiences: one of these the token must be for; empty takes any, also none.
        leeway: how much clocks may differ, in seconds.
        required: claims that must be there, whatever they say.
        max_lifetime: how long a token may hold from when it was issued, in seconds, or None.
        expiry_required: tokens without `exp` are refused.
    """

    issuers: tuple[str, ...]
    audiences: tuple[str, ...]
    leeway: float = 30.0
    required: tuple[str, ...] = ()
    max_lifetime: float | None = None
    expiry_required: bool = True

    def check(self, claims: Mapping[str, Any], now: float) -> None:
        """Check claims.

        Args:
            claims: of a token whose signature holds, or of an introspection.
            now: in seconds since 1970.

        Raises:
            AuthenticationFailed: they do not do.
        """
        for name in self.required:
            if claims.get(name) is None:
                raise AuthenticationFailed(f"the token lacks the claim {name}")
        self._check_times(claims, now)
        if self.issuers and claims.get("iss") not in self.issuers:
            raise AuthenticationFailed("the token comes from another issuer")
        if self.audiences and not set(self.audiences) & set(names(claims.get("aud"))):
            raise AuthenticationFailed("the token is for another audience")

    def _check_times(self, claims: Mapping[str, Any], now: float) -> None:
        expires = _time(claims, "exp")
        if expires is None:
            if self.expiry_required:
                raise AuthenticationFailed("the token has no expiry")
        elif now >= expires + self.leeway:
            raise AuthenticationFailed("the token has expired")
        begins, issued = _time(claims, "nbf"), _time(claims, "iat")
        for time in (begins, issued):
            if time is not None and now < time - self.leeway:
                raise AuthenticationFailed("the token is not valid yet")
        if self.max_lifetime is not None:
            if expires is None or issued is None:
                raise AuthenticationFailed("the token does not say how long it holds")
            if expires - issued > self.max_lifetime:
                raise AuthenticationFailed("the token holds for too long")


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise AuthenticationFailed(f"the token's claim {name} is no time")
    if abs(value) > 1e15:
        # Whole numbers may have more digits than a float can have.
        raise AuthenticationFailed(f"the token's claim {name} is no time")
    return float(value)


def names(value: Any) -> tuple[str, ...]:
    """A claim that is a text or a list of texts, as a tuple; anything else has none."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, (list, tuple)):
        return tuple(each for each in value if isinstance(each, str))
    return ()


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes: `scope` with spaces between (RFC 8693 §4.2), or `scp` as Microsoft and Okta have it."""
    found = claims.get("scope")
    if found is None:
        found = claims.get("scp")
    if isinstance(found, str):
        return frozenset(found.split())
    return frozenset(names(found))


def value_at(claims: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """The claim at a path of names, such as `("realm_access", "roles")`; None if there is none."""
    value: Any = claims
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value
