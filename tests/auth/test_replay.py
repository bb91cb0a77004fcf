"""Tokens that are good for one call."""

from __future__ import annotations

import threading
import time

import pytest

pytest.importorskip("jwt", reason="PyJWT is not installed: the extra `auth`")

from clarion.auth import (
    AuthenticationFailed,
    Jwks,
    JwtAuthenticator,
    ReplayCache,
    VerifierUnavailable,
)
from support.auth import authenticate, bearer, rig
from support.front_end import FrontEnd
from support.issuer import AUDIENCE, ISSUER, finish, jwk, mint, private_key


def authenticator(replays: ReplayCache | None, **options: object) -> JwtAuthenticator:
    keys = Jwks({"keys": [jwk(private_key("P-256"), kid="1")]})
    return JwtAuthenticator(keys, issuer=ISSUER, audience=AUDIENCE, replays=replays, **options)  # type: ignore[arg-type]


def token(**changes: object) -> str:
    return mint(private_key("P-256"), "ES256", **changes)


def refusal(verifier: JwtAuthenticator, given: str) -> str:
    with pytest.raises(AuthenticationFailed) as caught:
        finish(verifier.verify(given))
    return caught.value.reason


def test_a_token_serves_one_call(front: FrontEnd) -> None:
    called, caller = rig(front, authenticate(front, authenticator(ReplayCache())))
    first = token(jti="1")
    assert called.call("unary_unary", [b"x"], metadata=bearer(first)).code == "OK"
    outcome = called.call("unary_stream", [b"x"], metadata=bearer(first))
    assert (outcome.code, outcome.details) == ("UNAUTHENTICATED", "the token was used before")
    # Another token with the same name is no other token.
    assert called.call("unary_unary", [b"x"], metadata=bearer(token(jti="1"))).code == (
        "UNAUTHENTICATED"
    )
    assert called.call("unary_unary", [b"x"], metadata=bearer(token(jti="2"))).code == "OK"
    assert caller.calls == 2


def test_without_a_cache_a_token_serves_until_it_expires() -> None:
    verifier, given = authenticator(None), token(jti="1")
    assert finish(verifier.verify(given)) == finish(verifier.verify(given))


@pytest.mark.parametrize("name", [None, "", 7, ["1"]])
def test_tokens_need_a_name(name: object) -> None:
    assert refusal(authenticator(ReplayCache()), token(jti=name)) == "the token lacks the claim jti"


def test_a_token_that_does_not_hold_uses_nothing_up() -> None:
    cache = ReplayCache(1)
    verifier = authenticator(cache)
    assert refusal(verifier, token(jti="1", aud="another")) == "the token is for another audience"
    forged = mint(private_key("P-256", 1), "ES256", jti="1")
    assert refusal(verifier, forged) == "the token's signature does not hold"
    assert finish(verifier.verify(token(jti="1"))).subject == "alice"


def test_a_name_is_kept_until_its_token_is_too_old() -> None:
    now = [time.time()]
    cache = ReplayCache(2)
    verifier = authenticator(cache, clock=lambda: now[0], leeway=10.0)
    short = token(jti="short", exp=int(now[0]) + 60)
    finish(verifier.verify(short))
    finish(verifier.verify(token(jti="long", exp=int(now[0]) + 1000)))
    with pytest.raises(VerifierUnavailable, match="too many tokens"):
        finish(verifier.verify(token(jti="third")))
    assert repr(cache) == "<clarion.auth.ReplayCache with 2 of 2 tokens>"
    now[0] += 69
    # Expired, and within the leeway.
    assert refusal(verifier, short) == "the token was used before"
    now[0] += 2
    assert refusal(verifier, short) == "the token has expired"
    finish(verifier.verify(token(jti="third")))
    assert refusal(verifier, token(jti="long")) == "the token was used before"


def test_names_are_the_issuers_own() -> None:
    cache = ReplayCache()
    assert cache.first_use("https://a", "1", 10.0, 0.0)
    assert cache.first_use("https://b", "1", 10.0, 0.0)
    assert not cache.first_use("https://a", "1", 10.0, 0.0)


def test_of_threads_that_bring_one_token_one_gets_in() -> None:
    cache = ReplayCache()
    start = threading.Barrier(8)
    took: list[int] = []

    def use() -> None:
        start.wait()
        took.extend(n for n in range(200) if cache.first_use("i", str(n), 10.0, 0.0))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(took) == list(range(200))


def test_a_cache_keeps_at_least_one_token() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        ReplayCache(0)
