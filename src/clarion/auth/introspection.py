"""Tokens that their issuer is asked about (RFC 7662).

Answers are kept for a while, by the token's hash: the token itself is not. Whoever sends many made-up tokens gets at
most so many requests to the issuer at a time.
"""

from __future__ import annotations

import base64
import collections
import logging
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, Literal, NamedTuple

from clarion.auth.authenticator import Authenticator, Pending, Steps
from clarion.auth.bearer import bearer_token
from clarion.auth.claims import ClaimRules, names, scopes_of, several, value_at
from clarion.auth.errors import AuthenticationFailed, VerifierUnavailable
from clarion.auth.fetching import Endpoint, FetchFailed
from clarion.auth.identities import CallInfo, Identity, freeze
from clarion.auth.json_objects import MalformedJson, read_object
from clarion.auth.jwt import subject_of
from clarion.auth.keys import digest
from clarion.plugin_threads import apart

__all__ = ["IntrospectionAuthenticator"]

_LOG = logging.getLogger("clarion.auth")

_LIMIT = 1 << 18


class _Known(NamedTuple):
    """What was answered; without claims, that the token is good for nothing."""

    claims: dict[str, Any] | None
    until: float


class IntrospectionAuthenticator(Authenticator):
    """Takes calls whose bearer token its issuer says is active (RFC 7662).

    Args:
        url: the introspection endpoint; `https`, or `http` on this machine.
        client_id: as whom the server asks.
        client_secret: its secret; not in any `repr`, log or error.
        client_authentication: how the two are sent: `basic` (RFC 6749 §2.3.1), or `post`, in the body.
        issuer: whose tokens are taken (`iss`), one or several; None does not look at it.
        audience: for whom they must be (`aud`), one or several; None does not look at it.
        leeway: how much clocks may differ, in seconds.
        required_claims: members of the answer that must be there.
        cache_seconds: how long an answer is good for; never beyond the token's expiry. 0 asks for each call.
        negative_seconds: how long a refusal is good for.
        cache_size: how many answers are kept.
        max_requests: how many requests to the issuer go on at a time; more calls end with UNAVAILABLE.
        max_token_size: how long a token may be, in characters.
        timeout: how long one request may take, in seconds.
        subject_claim: which member names the caller. RFC 7662 requires none; some servers give a `client_id` alone.
        roles_claim: which member has the roles, or a path to it.
        ssl_context: for `https`; by default the system's roots.
        allow_http: take `http` to other machines, too.
        clock: seconds since 1970.

    Raises:
        ValueError: an argument cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        client_id: str,
        client_secret: str,
        client_authentication: Literal["basic", "post"] = "basic",
        issuer: str | Iterable[str] | None = None,
        audience: str | Iterable[str] | None = None,
        leeway: float = 30.0,
        required_claims: Iterable[str] = (),
        cache_seconds: float = 60.0,
        negative_seconds: float = 10.0,
        cache_size: int = 1024,
        max_requests: int = 16,
        max_token_size: int = 8192,
        timeout: float = 5.0,
        subject_claim: str = "sub",
        roles_claim: str | tuple[str, ...] = "roles",
        ssl_context: ssl.SSLContext | None = None,
        allow_http: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._endpoint = Endpoint(
            url, timeout=timeout, limit=_LIMIT, ssl_context=ssl_context, allow_http=allow_http
        )
        if client_authentication not in ("basic", "post"):
            raise ValueError("client_authentication must be 'basic' or 'post'")
        self._form: dict[str, str] = {}
        self._headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        if client_authentication == "post":
            self._form = {"client_id": client_id, "client_secret": client_secret}
        else:
            # RFC 6749 §2.3.1: both are form-encoded before they are joined.
            pair = f"{urllib.parse.quote_plus(client_id)}:{urllib.parse.quote_plus(client_secret)}"
            self._headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        self._rules = ClaimRules(
            () if issuer is None else several(issuer, "issuer"),
            () if audience is None else several(audience, "audience"),
            leeway,
            tuple(required_claims),
            expiry_required=False,
        )
        self._cache_seconds = cache_seconds
        self._negative_seconds = negative_seconds
        self._cache_size = cache_size
        self._max_requests = max_requests
        self._limit = max_token_size
        self._subject = subject_claim
        self._roles = (roles_claim,) if isinstance(roles_claim, str) else tuple(roles_claim)
        self._clock = clock
        self._lock = threading.Lock()
        self._known: collections.OrderedDict[bytes, _Known] = collections.OrderedDict()
        self._flights: dict[bytes, _Flight] = {}

    def __repr__(self) -> str:
        return f"<clarion.auth.IntrospectionAuthenticator {self._endpoint!r}>"

    def authenticate(self, call: CallInfo) -> Steps:
        """See `Authenticator`."""
        token = bearer_token(call.metadata, self._limit)
        if token is None:
            return None
        name = digest(token)
        known = self._look(name)
        if known is None:
            flight = self._ask(name, token)
            yield Pending(flight.done, 2 * self._endpoint.timeout)
            known = flight.known
        if known is None:
            raise VerifierUnavailable("the token's issuer cannot be asked now")
        if known.claims is None:
            raise AuthenticationFailed("the token is not active")
        self._rules.check(known.claims, self._clock())
        return self._identity(known.claims)

    def _look(self, name: bytes) -> _Known | None:
        with self._lock:
            known = self._known.get(name)
            if known is None:
                return None
            if self._clock() >= known.until:
                del self._known[name]
                return None
            self._known.move_to_end(name)
            return known

    def _ask(self, name: bytes, token: str) -> _Flight:
        with self._lock:
            flight = self._flights.get(name)
            if flight is not None and not flight.lost():
                return flight
            for each in [each for each, other in self._flights.items() if other.lost()]:
                del self._flights[each]
            if len(self._flights) >= self._max_requests:
                raise VerifierUnavailable("too many tokens are being asked about")
            flight = self._flights[name] = _Flight(2 * self._endpoint.timeout)
        form = {"token": token, "token_type_hint": "access_token", **self._form}  # nosec B105
        body = urllib.parse.urlencode(form).encode()
        apart(lambda: self._fetch(name, body, flight))
        return flight

    def _fetch(self, name: bytes, body: bytes, flight: _Flight) -> None:
        try:
            answer = self._endpoint.request("POST", body, self._headers)
            flight.known = self._judge(read_object(answer.body))
        except (FetchFailed, MalformedJson) as error:
            _LOG.warning("a token could not be introspected: %s", error)
        finally:
            with self._lock:
                if self._flights.get(name) is flight:
                    del self._flights[name]
                if flight.known is not None and flight.known.until > self._clock():
                    self._known[name] = flight.known
                    self._known.move_to_end(name)
                    while len(self._known) > self._cache_size:
                        self._known.popitem(last=False)
            flight.done.set_result(None)

    def _judge(self, claims: dict[str, Any]) -> _Known:
        now = self._clock()
        # Only the word true: "false" is true, too, for those who are not careful.
        if claims.get("active") is not True:
            return _Known(None, now + self._negative_seconds)
        until = now + self._cache_seconds
        expires = claims.get("exp")
        if isinstance(expires, (int, float)) and not isinstance(expires, bool):
            until = min(until, expires)
        return _Known(claims, until)

    def _identity(self, claims: dict[str, Any]) -> Identity:
        subject = subject_of(claims, self._subject)
        issuer = claims.get("iss")
        issuer = issuer if isinstance(issuer, str) and "#" not in issuer else ""
        expires = claims.get("exp")
        return Identity(
            method="introspection",
            subject=subject,
            issuer=issuer,
            scopes=scopes_of(claims),
            roles=frozenset(names(value_at(claims, self._roles))),
            claims=freeze(claims),
            expires_at=None if expires is None else float(expires),
            principals=(f"oauth:{issuer}#{subject}",),
        )


class _Flight:
    """One request that goes on, and what came of it.

    Args:
        seconds: after which it is lost. A process that was forked has the request, and not its thread.
    """

    __slots__ = ("_ends", "done", "known")

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self.done: Future[None] = Future()
        self.done.set_running_or_notify_cancel()
        self.known: _Known | None = None

    def lost(self) -> bool:
        """Whether nothing will come of it any more."""
        return time.monotonic() >= self._ends
