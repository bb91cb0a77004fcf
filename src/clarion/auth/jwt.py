"""JSON Web Tokens that callers bring (RFC 7519, RFC 8725, RFC 9068).

A token is read in this order, and refused at the first thing that is wrong: its size, its three parts, the header, the
key, the signature, the claims, an earlier use. No claim is looked at before the signature holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from clarion.auth.authenticator import Authenticator, Steps
from clarion.auth.bearer import bearer_token
from clarion.auth.claims import ClaimRules, names, scopes_of, several, value_at
from clarion.auth.errors import AuthenticationFailed
from clarion.auth.identities import CallInfo, Identity, freeze
from clarion.auth.json_objects import decode_base64url, read_object
from clarion.auth.keys import HMAC_ALGORITHMS, KeySource, verify
from clarion.auth.replay import ReplayCache

__all__ = ["JwtAuthenticator", "subject_of"]

_LONGEST_HEADER = 2048
_LONGEST_KEY_ID = 256
_MALFORMED = "the token is malformed"


class JwtAuthenticator(Authenticator):
    """Takes calls that bring a signed JSON Web Token: `authorization: Bearer TOKEN`.

    Args:
        keys: what tokens are signed with: `RemoteJwks(url)`, `Jwks(document)`, `PublicKey(pem)` or `SharedSecret(secret)`.
        issuer: who may have issued a token (`iss`), one or several.
        audience: for whom tokens must be (`aud`), one or several; usually this service's name.
        algorithms: which are allowed; by default all that `keys` have. `none` never is.
        leeway: how much clocks may differ, in seconds.
        required_claims: further claims that must be there.
        max_lifetime: how long after its issue (`iat`) a token may expire, in seconds; None for any time.
        max_token_size: how long a token may be, in characters.
        token_types: which `typ` headers are taken, besides none; `application/` before them is ignored.
        subject_claim: which claim names the caller.
        roles_claim: which claim has the roles; a path such as `("realm_access", "roles")` for one within others.
        replays: takes each token once, by its `jti`, which every token must then have. For tokens that are made for one
            call; a call that is tried again with the same token is refused, too.
        clock: seconds since 1970.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument that must say something is empty, or an algorithm does not go with the keys.
        ModuleNotFoundError: the extra `auth` is not installed (where public keys are used).
    """

    def __init__(
        self,
        keys: KeySource,
        *,
        issuer: str | Iterable[str],
        audience: str | Iterable[str],
        algorithms: Iterable[str] | None = None,
        leeway: float = 30.0,
        required_claims: Iterable[str] = (),
        max_lifetime: float | None = None,
        max_token_size: int = 8192,
        token_types: Iterable[str] = ("JWT", "at+jwt"),
        subject_claim: str = "sub",
        roles_claim: str | tuple[str, ...] = "roles",
        replays: ReplayCache | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        issuers = several(issuer, "issuer")
        if any("#" in each for each in issuers):
            raise ValueError("an issuer has no fragment: '#' separates it from the subject")
        self._rules = ClaimRules(
            issuers,
            several(audience, "audience"),
            leeway,
            (*required_claims, subject_claim),
            max_lifetime,
        )
        self._replays = replays
        self._keys = keys
        self._algorithms = _allowed(keys, algorithms)
        self._limit = max_token_size
        self._types = frozenset(each.lower() for each in token_types)
        self._subject = subject_claim
        self._roles = (roles_claim,) if isinstance(roles_claim, str) else tuple(roles_claim)
        self._clock = clock

    def __repr__(self) -> str:
        return f"<clarion.auth.JwtAuthenticator of {', '.join(self._rules.issuers)}>"

    def authenticate(self, call: CallInfo) -> Steps:
        """See `Authenticator`."""
        token = bearer_token(call.metadata, self._limit)
        if token is None:
            return None
        return (yield from self.verify(token))

    def verify(self, token: str) -> Steps:
        """Verify a token; with `replays` that counts as its use.

        Raises:
            AuthenticationFailed: it does not hold.
        """
        parts = token.split(".")
        if len(token) > self._limit:
            raise AuthenticationFailed("the token is too long")
        if len(parts) != 3 or not all(parts):
            raise AuthenticationFailed(_MALFORMED)
        algorithm, key_id = self._read_header(parts[0])
        payload, _ = _decoded(parts[1]), _decoded(parts[2])
        key = yield from self._keys.find(algorithm, key_id)
        if key is None:
            raise AuthenticationFailed("the token is signed with an unknown key")
        if not verify(token, key, algorithm):
            raise AuthenticationFailed("the token's signature does not hold")
        claims = _object(payload)
        now = self._clock()
        self._rules.check(claims, now)
        identity = self._identity(claims)
        if self._replays is not None:
            self._use(self._replays, claims, now)
        return identity

    def _use(self, replays: ReplayCache, claims: dict[str, Any], now: float) -> None:
        token_id = claims.get("jti")
        if not isinstance(token_id, str) or not token_id:
            raise AuthenticationFailed("the token lacks the claim jti")
        until = float(claims["exp"]) + self._rules.leeway
        if not replays.first_use(claims["iss"], token_id, until, now):
            raise AuthenticationFailed("the token was used before")

    def _read_header(self, part: str) -> tuple[str, str | None]:
        """The algorithm and the key's name."""
        if len(part) > _LONGEST_HEADER:
            raise AuthenticationFailed("the token's header is too long")
        header = _object(_decoded(part))
        algorithm, key_id = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            raise AuthenticationFailed("the token's algorithm is not allowed")
        if "crit" in header or "b64" in header or "enc" in header:
            # Extensions that must be understood (RFC 7515 §4.1.11), and none is.
            raise AuthenticationFailed("the token's header has extensions that are not supported")
        if "cty" in header:
            raise AuthenticationFailed("the token has another token within")
        kind = header.get("typ")
        if kind is not None and _kind(kind) not in self._types:
            raise AuthenticationFailed("the token is of another type")
        if key_id is not None and (not isinstance(key_id, str) or len(key_id) > _LONGEST_KEY_ID):
            raise AuthenticationFailed(_MALFORMED)
        return algorithm, key_id

    def _identity(self, claims: dict[str, Any]) -> Identity:
        subject = subject_of(claims, self._subject)
        issuer = claims["iss"]
        expires = claims["exp"]
        return Identity(
            method="jwt",
            subject=subject,
            issuer=issuer,
            scopes=scopes_of(claims),
            roles=frozenset(names(value_at(claims, self._roles))),
            claims=freeze(claims),
            expires_at=float(expires),
            principals=(f"jwt:{issuer}#{subject}",),
        )


def subject_of(claims: dict[str, Any], name: str) -> str:
    """Whom the claims are about.

    Raises:
        AuthenticationFailed: nobody, or what would be dangerous to print.
    """
    subject = claims.get(name)
    if not isinstance(subject, str) or not subject or not subject.isprintable():
        raise AuthenticationFailed("the token does not say whose it is")
    return subject


def _allowed(keys: KeySource, algorithms: Iterable[str] | None) -> frozenset[str]:
    possible = frozenset(keys.algorithms)
    if algorithms is None:
        return possible
    if isinstance(algorithms, str):
        raise TypeError("algorithms must be several: write a list, even of one")
    wanted = frozenset(algorithms)
    if not wanted:
        raise ValueError("algorithms must not be empty")
    if wanted - possible:
        hint = ""
        if wanted & frozenset(HMAC_ALGORITHMS):
            hint = "; HS256 and its like go with SharedSecret alone"
        raise ValueError(
            f"algorithms {sorted(wanted - possible)} do not go with {keys!r}, "
            f"which is for {', '.join(sorted(possible))}{hint}"
        )
    return wanted


def _kind(value: Any) -> str:
    return value.lower().removeprefix("application/") if isinstance(value, str) else "?"


def _decoded(part: str) -> bytes:
    try:
        return decode_base64url(part)
    except ValueError:
        raise AuthenticationFailed(_MALFORMED) from None


def _object(data: bytes) -> dict[str, Any]:
    try:
        return read_object(data)
    except ValueError:
        raise AuthenticationFailed(_MALFORMED) from None
