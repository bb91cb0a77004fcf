"""Which origins may do what."""

from __future__ import annotations

import pytest

from clarion.errors import LocalError
from clarion.web import CorsPolicy

APP = b"https://app.example"


def test_nothing_is_allowed_without_a_policy() -> None:
    policy = CorsPolicy()
    assert not policy.admits(APP)
    assert policy.answer_fields(APP) == ()
    assert policy.answer_fields(None) == ()
    assert policy.preflight_fields(APP, b"POST") is None


def test_origins_are_compared_as_they_are() -> None:
    policy = CorsPolicy(origins=["https://app.example", "http://localhost:8080"])
    assert policy.admits(APP)
    assert policy.admits(b"http://localhost:8080")
    for other in (
        b"http://app.example",
        b"https://app.example:443",
        b"https://app.example.evil",
        b"https://evil-app.example",
        b"null",
        b"*",
        b"",
    ):
        assert not policy.admits(other)
        assert policy.answer_fields(other) == ((b"vary", b"origin"),)
        assert policy.preflight_fields(other, b"POST") is None


def test_answers() -> None:
    policy = CorsPolicy(origins=["https://app.example"], expose=["X-Mine"], credentials=True)
    fields = dict(policy.answer_fields(APP))
    assert fields[b"access-control-allow-origin"] == APP
    assert fields[b"access-control-allow-credentials"] == b"true"
    assert b"x-mine" in fields[b"access-control-expose-headers"].split(b", ")
    assert fields[b"vary"] == b"origin"
    assert policy.answer_fields(None) == ((b"vary", b"origin"),)


def test_preflights() -> None:
    policy = CorsPolicy(origins=["https://app.example"], headers=["X-Mine"], max_age=5)
    answer = policy.preflight_fields(APP, b"POST")
    assert answer is not None
    fields = dict(answer)
    assert fields[b"access-control-allow-origin"] == APP
    assert b"x-mine" in fields[b"access-control-allow-headers"].split(b", ")
    assert fields[b"access-control-max-age"] == b"5"
    assert b"access-control-allow-credentials" not in fields
    assert policy.preflight_fields(APP, b"DELETE") is None


def test_every_origin() -> None:
    policy = CorsPolicy(origins=["*"])
    fields = dict(policy.answer_fields(APP))
    assert fields[b"access-control-allow-origin"] == b"*"
    assert b"vary" not in fields


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"origins": ["app.example"]}, "no origin"),
        ({"origins": ["https://app.example/"]}, "no origin"),
        ({"origins": ["https://"]}, "no origin"),
        ({"origins": ["*"], "credentials": True}, "credentials"),
    ],
)
def test_policies_that_cannot_be(arguments: dict[str, object], why: str) -> None:
    with pytest.raises(LocalError, match=why):
        CorsPolicy(**arguments)  # type: ignore[arg-type]
