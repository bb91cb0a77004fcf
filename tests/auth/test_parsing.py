"""What comes from callers is read or refused, whatever it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clarion.auth import AuthenticationFailed, CallInfo, JwtAuthenticator, SharedSecret
from clarion.auth.bearer import bearer_token
from clarion.auth.claims import ClaimRules, names, scopes_of, several, value_at
from clarion.auth.json_objects import MalformedJson, decode_base64url, read_object
from support.issuer import b64, finish, forge

unhurried = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-9, 9).map(lambda n: n / 4)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=5,
)
SECRET = b"s" * 32


@unhurried
@given(st.binary(max_size=40))
def test_base64url_is_read_as_it_was_written(data: bytes) -> None:
    assert decode_base64url(b64(data)) == data


@pytest.mark.parametrize("text", ["a", "a=", "ab==", "a+bc", "a/bc", "a bc", "ab\n", "é", "abcde"])
def test_what_is_no_base64url(text: str) -> None:
    with pytest.raises(ValueError):
        decode_base64url(text)


@unhurried
@given(st.dictionaries(st.text(max_size=5), json_values, max_size=3))
def test_objects_are_read_as_they_were_written(value: dict[str, Any]) -> None:
    text = json.dumps(value)
    assert read_object(text) == read_object(text.encode()) == value


@unhurried
@given(st.binary(max_size=60) | st.text(max_size=60))
def test_anything_is_an_object_or_says_why_not(data: bytes | str) -> None:
    try:
        assert isinstance(read_object(data), dict)
    except MalformedJson:
        pass


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"a":{"b":1,"b":2}}',
        '{"a":NaN}',
        '{"a":-Infinity}',
        '{"a":1e400}',
        '{"a":' + "9" * 5000 + "}",
        '{"a":' + "[" * 100_000,
        "\ufeff{}",
        '{"a":1}x',
        "1",
    ],
)
def test_objects_with_more_than_one_meaning(text: str) -> None:
    with pytest.raises(MalformedJson):
        read_object(text)


@unhurried
@given(st.text(max_size=60) | st.lists(st.text(max_size=10), max_size=5).map(".".join))
def test_anything_is_a_token_or_is_refused(text: str) -> None:
    verifier = JwtAuthenticator(SharedSecret(SECRET), issuer="i", audience="a")
    with pytest.raises(AuthenticationFailed):
        finish(verifier.verify(text))


@unhurried
@given(st.dictionaries(st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat"]), json_values))
def test_any_claims_are_an_identity_or_are_refused(claims: dict[str, Any]) -> None:
    verifier = JwtAuthenticator(SharedSecret(SECRET), issuer="i", audience="a", clock=lambda: 0)
    token = forge({"alg": "HS256"}, claims, SECRET)
    try:
        identity = finish(verifier.verify(token))
    except AuthenticationFailed:
        pass
    else:
        assert (identity.issuer, identity.subject) == ("i", claims["sub"])


@unhurried
@given(
    st.floats(-1e6, 1e6),
    st.floats(0, 100),
    st.dictionaries(st.sampled_from(["exp", "nbf", "iat"]), st.integers(-(10**6), 10**6)),
)
def test_times(now: float, leeway: float, claims: dict[str, int]) -> None:
    good = (
        "exp" in claims
        and now < claims["exp"] + leeway
        and all(now >= claims[name] - leeway for name in ("nbf", "iat") if name in claims)
    )
    rules = ClaimRules((), (), leeway)
    if good:
        rules.check(claims, now)
    else:
        with pytest.raises(AuthenticationFailed):
            rules.check(claims, now)


@unhurried
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["authorization", "x"]), st.text(max_size=9) | st.binary(max_size=9)
        ),
        max_size=3,
    )
)
def test_any_metadata_has_one_token_none_or_is_refused(metadata: Any) -> None:
    count = sum(key == "authorization" for key, _ in metadata)
    try:
        token = bearer_token(CallInfo("/a/b", metadata).metadata, 100)
    except AuthenticationFailed:
        assert count
    else:
        assert (token is None) == (count == 0)
        assert count < 2


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({}, set()),
        ({"scope": "a  b"}, {"a", "b"}),
        ({"scope": ["a", 7, "b c"]}, {"a", "b c"}),
        ({"scp": ["a"]}, {"a"}),
        ({"scp": "a b"}, {"a", "b"}),
        ({"scope": "", "scp": "a"}, set()),
        ({"scope": 7}, set()),
        ({"scope": {"a": 1}}, set()),
    ],
)
def test_scopes(claims: Any, scopes: set[str]) -> None:
    assert scopes_of(claims) == scopes


def test_tokens_that_need_no_expiry() -> None:
    rules = ClaimRules((), (), expiry_required=False)
    rules.check({}, 0.0)
    with pytest.raises(AuthenticationFailed, match="expired"):
        rules.check({"exp": 5}, 100.0)


def test_claims_within_claims() -> None:
    claims = {"a": {"b": ["x"]}, "c": "y"}
    assert value_at(claims, ("a", "b")) == ["x"]
    assert value_at(claims, ("c", "b")) is None
    assert value_at(claims, ("a", "x")) is None
    assert names(claims["c"]) == ("y",)
    assert names(7) == ()
    assert several(["a", "b"], "names") == ("a", "b")
