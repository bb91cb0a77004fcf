"""Tokens that their issuer is asked about (RFC 7662)."""

from __future__ import annotations

import base64
import logging
import time
from concurrent import futures
from typing import Any

import pytest

from clarion.auth import AuthenticationFailed, CallInfo, IntrospectionAuthenticator
from clarion.auth.errors import VerifierUnavailable
from clarion.auth.introspection import _Flight
from clarion.auth.keys import digest
from support.auth import authenticate, bearer, rig
from support.front_end import FrontEnd
from support.issuer import AUDIENCE, ISSUER, Issuer, claims, finish
from support.libraries import LIMIT, PATTERNS

SECRET = "p@ss:word of the server"


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def authenticator(server: Issuer, /, **options: Any) -> IntrospectionAuthenticator:
    return IntrospectionAuthenticator(
        server.url("/introspect"), client_id="server 1", client_secret=SECRET, **options
    )


def ask(verifier: IntrospectionAuthenticator, token: str = "opaque") -> Any:
    return finish(verifier.authenticate(CallInfo("/a/b", bearer(token))))


def refusal(verifier: IntrospectionAuthenticator, token: str = "opaque") -> str:
    with pytest.raises(AuthenticationFailed) as caught:
        ask(verifier, token)
    return caught.value.reason


def active(**changes: Any) -> Any:
    return lambda token: {"active": True, **claims(**changes)}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_server_asks_once(front: FrontEnd, issuer: Issuer, pattern: str) -> None:
    issuer.introspect = lambda token: {"active": token == "good", **claims()}
    called, caller = rig(front, authenticate(front, authenticator(issuer)))
    for _ in range(2):
        assert called.call(pattern, [b"x"], metadata=bearer("good")).code == "OK"
        outcome = called.call(pattern, [b"x"], metadata=bearer("bad"))
        assert (outcome.code, outcome.details) == ("UNAUTHENTICATED", "the token is not active")
    assert caller.identity.method == "introspection"
    assert caller.identity.principals == (f"oauth:{ISSUER}#alice",)
    assert caller.identity.scopes == {"read", "write"}
    assert called.call(pattern, [b"x"]).code == "UNAUTHENTICATED"
    assert [form["token"] for _, _, form in issuer.requests] == ["good", "bad"]


@pytest.mark.parametrize("way", ["basic", "post"])
def test_how_the_server_proves_itself(issuer: Issuer, way: Any) -> None:
    issuer.introspect = active()
    verifier = authenticator(issuer, client_authentication=way)
    assert ask(verifier).subject == "alice"
    ((_, headers, form),) = issuer.requests
    assert form["token_type_hint"] == "access_token"
    if way == "basic":
        word = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
        assert word == "server+1:p%40ss%3Aword+of+the+server"
        assert "client_secret" not in form
    else:
        assert (form["client_id"], form["client_secret"]) == ("server 1", SECRET)
        assert headers["Authorization"] is None
    with pytest.raises(ValueError, match="basic"):
        authenticator(issuer, client_authentication="none")


@pytest.mark.parametrize("value", [False, None, "true", 1, "false", [True], {}])
def test_only_true_is_active(issuer: Issuer, value: Any) -> None:
    issuer.introspect = lambda token: {**claims(), "active": value}
    assert refusal(authenticator(issuer)) == "the token is not active"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": 5}, "the token has expired"),
        ({"exp": "soon"}, "the token's claim exp is no time"),
        ({"nbf": time.time() + 3600}, "the token is not valid yet"),
        ({"iss": "https://evil.test"}, "the token comes from another issuer"),
        ({"aud": "another"}, "the token is for another audience"),
        ({"sub": None}, "the token does not say whose it is"),
        ({"username": None}, "the token lacks the claim username"),
    ],
)
def test_active_tokens_that_do_not_do(issuer: Issuer, changes: Any, reason: str) -> None:
    issuer.introspect = active(**{"username": "a", **changes})
    verifier = authenticator(issuer, issuer=ISSUER, audience=AUDIENCE, required_claims=["username"])
    assert refusal(verifier) == reason


def test_an_answer_is_kept_no_longer_than_the_token_holds(issuer: Issuer, clock: Clock) -> None:
    issuer.introspect = active(iat=clock.now, exp=clock.now + 20)
    verifier = authenticator(issuer, clock=clock, leeway=0, cache_seconds=60)
    assert ask(verifier).subject == "alice"
    clock.now += 19
    assert ask(verifier).subject == "alice"
    assert len(issuer.requests) == 1
    clock.now += 1
    assert refusal(verifier) == "the token has expired"


def test_a_token_that_was_revoked(issuer: Issuer, clock: Clock) -> None:
    issuer.introspect = active()
    verifier = authenticator(issuer, clock=clock, cache_seconds=60, negative_seconds=10)
    ask(verifier)
    issuer.introspect = lambda token: {"active": False}
    clock.now += 59
    ask(verifier)
    clock.now += 1
    assert refusal(verifier) == "the token is not active"
    issuer.introspect = active()
    assert refusal(verifier) == "the token is not active"
    clock.now += 10
    assert ask(verifier).subject == "alice"
    assert len(issuer.requests) == 3


def test_nothing_is_kept_where_that_is_asked_for(issuer: Issuer) -> None:
    issuer.introspect = active()
    verifier = authenticator(issuer, cache_seconds=0)
    ask(verifier)
    ask(verifier)
    assert len(issuer.requests) == 2
    assert not verifier._known


def test_no_more_is_kept_than_allowed(issuer: Issuer) -> None:
    issuer.introspect = active()
    verifier = authenticator(issuer, cache_size=3)
    for number in (1, 2, 3, 1, 4):
        ask(verifier, f"token{number}")
    assert len(verifier._known) == 3
    ask(verifier, "token1")
    assert len(issuer.requests) == 4
    ask(verifier, "token2")
    assert len(issuer.requests) == 5


def test_one_request_for_all_who_ask_of_a_token_and_so_many_at_most(issuer: Issuer) -> None:
    issuer.introspect = active()
    issuer.gate.clear()
    verifier = authenticator(issuer, max_requests=2)
    with futures.ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, verifier, token) for token in "aaabbb"]
        for _ in range(2):
            assert issuer.arrived.acquire(timeout=LIMIT)
        with pytest.raises(VerifierUnavailable, match="too many"):
            ask(verifier, "c")
        issuer.gate.set()
        assert [each.result(LIMIT).subject for each in asked] == ["alice"] * 6
    assert len(issuer.requests) == 2
    assert ask(verifier, "c").subject == "alice"


@pytest.mark.parametrize(("body", "status"), [(b"x", 200), (b"[]", 200), (None, 401), (None, 500)])
def test_an_issuer_that_gives_no_answer(
    front: FrontEnd, issuer: Issuer, body: bytes | None, status: int
) -> None:
    issuer.body, issuer.status = body, status
    verifier = authenticator(issuer)
    called, caller = rig(front, authenticate(front, verifier))
    outcome = called.call("unary_unary", [b"x"], metadata=bearer("opaque"))
    assert (outcome.code, outcome.details) == (
        "UNAVAILABLE",
        "the token's issuer cannot be asked now",
    )
    assert caller.calls == 0
    issuer.body, issuer.status, issuer.introspect = None, 200, active()
    assert called.call("unary_unary", [b"x"], metadata=bearer("opaque")).code == "OK"


def test_requests_that_are_lost_are_asked_again(issuer: Issuer) -> None:
    issuer.introspect = active()
    verifier = authenticator(issuer, max_requests=1)
    # As in a process that was forked meanwhile.
    for token in ("opaque", "other"):
        verifier._flights[digest(token)] = _Flight(0.0)
    assert ask(verifier).subject == "alice"
    assert not verifier._flights


def test_secrets_are_in_no_log_repr_or_error(
    front: FrontEnd, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    verifier = authenticator(issuer)
    interceptor = authenticate(front, verifier)
    called, _ = rig(front, interceptor)
    token = "an-opaque-token-that-is-secret"
    outcomes = []
    for status, answer in ((500, {}), (200, {"active": False}), (200, {"active": True})):
        issuer.status = status
        issuer.introspect = lambda _, answer=answer: answer
        outcomes.append(called.call("unary_unary", [b"x"], metadata=bearer(token)))
    assert [each.code for each in outcomes][:2] == ["UNAVAILABLE", "UNAUTHENTICATED"]
    shown = f"{caplog.text} {verifier!r} {interceptor!r} {outcomes!r}"
    assert "answered 500" in shown
    for secret in (token, SECRET, base64.b64encode(SECRET.encode()).decode()):
        assert secret not in shown
    assert token not in repr(verifier._known)
