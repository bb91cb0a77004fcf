"""What token servers, files and keys give, without calls: which are tokens, and what is said of the others."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import clarion.oauth2 as oauth2
from clarion.credentials.call import describe_call, sources_of
from clarion.credentials.fetch import fetch
from clarion.protocol.outcome import Outcome
from support.credentials import certificate, key
from support.token_server import TokenServer

CONTEXT = describe_call(True, "host:443", "/p.S/M")


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    with TokenServer() as server:
        yield server


def _ask(credentials: Any) -> Any:
    got: list[Any] = []
    fetch(sources_of(credentials), CONTEXT, lambda work: work(), got.append)
    return got[0]


def _carried(credentials: Any) -> str:
    [(name, value)] = _ask(credentials)
    assert name == b"authorization"
    return str(value.decode())


def _failed(credentials: Any) -> tuple[str, str]:
    outcome = _ask(credentials)
    assert isinstance(outcome, Outcome)
    return outcome.code.name, outcome.details


def _client(tokens: TokenServer) -> Any:
    return oauth2.client_credentials(tokens.url, "me", "s3cret value")


@pytest.mark.parametrize(
    ("status", "content", "code", "details"),
    [
        (400, {"error": "invalid_grant"}, "UNAUTHENTICATED", "refused: HTTP 400, invalid_grant"),
        (401, {"error": "invalid_client"}, "UNAUTHENTICATED", "refused: HTTP 401, invalid_client"),
        (403, b"<html>no", "UNAUTHENTICATED", "refused: HTTP 403"),
        (307, {}, "UNAUTHENTICATED", "refused: HTTP 307"),
        (429, {"error": "slow down, s3cret"}, "UNAVAILABLE", "refused: HTTP 429"),
        (503, b"", "UNAVAILABLE", "refused: HTTP 503"),
        (200, b"junk", "UNAUTHENTICATED", "sent no JSON object"),
        (200, [], "UNAUTHENTICATED", "sent no JSON object"),
        (200, {}, "UNAUTHENTICATED", "no usable access_token"),
        (200, {"access_token": ""}, "UNAUTHENTICATED", "no usable access_token"),
        (200, {"access_token": "a\r\nb: c"}, "UNAUTHENTICATED", "no usable access_token"),
        (200, {"access_token": 3}, "UNAUTHENTICATED", "no usable access_token"),
        (
            200,
            {"access_token": "s3cret", "token_type": "mac"},
            "UNAUTHENTICATED",
            "a token that is no bearer token",
        ),
        (200, b" " * (2 << 20), "UNAUTHENTICATED", "is too long"),
    ],
)
def test_answers_without_a_token(
    tokens: TokenServer, status: int, content: Any, code: str, details: str
) -> None:
    tokens.answer = lambda asked: (status, content)
    ended = _failed(_client(tokens))
    assert ended[0] == code
    assert ended[1].endswith(details)
    assert len(tokens.asked) == 1


@pytest.mark.parametrize("lifetime", [None, "soon", {}, "inf", "nan"])
def test_a_lifetime_that_is_not_said(tokens: TokenServer, lifetime: Any) -> None:
    tokens.answer = lambda asked: (200, {"access_token": "t", "expires_in": lifetime})
    credentials = _client(tokens)
    assert [_carried(credentials) for _ in range(2)] == ["Bearer t"] * 2
    assert len(tokens.asked) == 1


@pytest.mark.parametrize(
    "url", ["http://elsewhere.test/token", "ftp://localhost/", "https:///x", "https://a:b@c/", ""]
)
def test_urls_to_which_no_secret_is_sent(url: str) -> None:
    with pytest.raises(ValueError) as raised:
        oauth2.client_credentials(url, "me", "s3cret")
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({}, "subject_token"),
        ({"subject_token": "a", "subject_token_path": "b"}, "not both"),
        ({"subject_token": "a", "actor_token": "b"}, "belong together"),
        ({"subject_token": "a", "actor_token_type": "b"}, "belong together"),
    ],
)
def test_arguments_of_an_exchange_that_make_no_sense(arguments: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        oauth2.token_exchange("https://sts.test/", **arguments)


def test_a_function_that_raises_shows_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> str:
        raise ValueError("s3cret")

    credentials = oauth2.token_exchange("https://sts.test/", subject_token=fail)
    assert _failed(credentials) == (
        "UNAUTHENTICATED",
        "getting a token failed: ValueError",
    )
    assert "s3cret" not in caplog.text


def _jwt(**claims: Any) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'RS256'})}.{part(claims)}.{part('signature')}"


@pytest.mark.parametrize(
    ("content", "code", "details"),
    [
        (None, "UNAVAILABLE", "cannot be read: No such file or directory"),
        (b"", "UNAUTHENTICATED", "has no token in it"),
        ("é.é.é".encode(), "UNAUTHENTICATED", "has no token in it"),
        (b"s3cret", "UNAUTHENTICATED", "has no JWT with an expiry (exp) in it"),
        (b"s3cret.s3cret.s3cret", "UNAUTHENTICATED", "has no JWT with an expiry (exp) in it"),
        (b"a.W10.c", "UNAUTHENTICATED", "has no JWT with an expiry (exp) in it"),
        (_jwt().encode(), "UNAUTHENTICATED", "has no JWT with an expiry (exp) in it"),
        (_jwt(exp="s3cret").encode(), "UNAUTHENTICATED", "has no JWT with an expiry (exp) in it"),
        (_jwt(exp=True).encode(), "UNAUTHENTICATED", "has no JWT with an expiry (exp) in it"),
        (_jwt(exp=float("inf")).encode(), "UNAUTHENTICATED", "has no JWT with an expiry"),
    ],
)
def test_files_without_a_jwt(
    tmp_path: Path, content: bytes | None, code: str, details: str
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    ended = _failed(oauth2.jwt_file(path))
    assert ended[0] == code
    assert details in ended[1]
    assert str(path) in ended[1]
    assert "s3cret" not in ended[1]


@pytest.fixture
def jwt() -> Any:
    pytest.importorskip("cryptography", reason="PyJWT's signatures need cryptography")
    return pytest.importorskip("jwt", reason="PyJWT is not installed (the extra `auth`)")


def _public(name: str) -> Any:
    from cryptography.x509 import load_pem_x509_certificate

    return load_pem_x509_certificate(certificate(name)).public_key()


@pytest.mark.parametrize("scope", [None, ["a", "b"]])
def test_a_service_account(jwt: Any, tmp_path: Path, scope: Any) -> None:
    path = tmp_path / "account.json"
    account = {
        "client_email": "robot@x",
        "private_key": key("rsa").decode(),
        "private_key_id": "k2",
    }
    path.write_text(json.dumps(account))
    for given in (path, account):
        token = _carried(oauth2.service_account(given, scope=scope))
        claims = jwt.decode(
            token.removeprefix("Bearer "),
            _public("rsa"),
            algorithms=["RS256"],
            options={"verify_aud": False},
        )
        assert (claims["iss"], claims["sub"]) == ("robot@x", "robot@x")
        assert claims.get("aud") == ("https://host/" if scope is None else None)
        assert claims.get("scope") == (None if scope is None else "a b")


def test_keys_that_cannot_sign(jwt: Any, tmp_path: Path) -> None:
    for private_key, algorithm in (
        (b"s3cret", "RS256"),
        (key("client"), "RS256"),
        (key("rsa"), "ES256"),
    ):
        with pytest.raises(ValueError, match=f"cannot be used for {algorithm}") as raised:
            oauth2.signed_jwt(private_key, issuer="me", algorithm=algorithm)
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__
        assert "s3cret" not in str(raised.value)
    for algorithm in ("none", "HS256"):
        with pytest.raises(ValueError, match="algorithm must be one of RS256, ES256"):
            oauth2.signed_jwt(key("rsa"), issuer="me", algorithm=algorithm)
    (tmp_path / "key").write_text("s3cret")
    for wrong in ({}, {"client_email": "a"}, tmp_path / "key"):
        with pytest.raises(ValueError, match="no key of a service account") as raised:
            oauth2.service_account(wrong)
        assert "s3cret" not in str(raised.value)


def test_signing_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(ImportError, match=r"pip install 'clarion-rpc\[auth\]'"):
        oauth2.signed_jwt(key("rsa"), issuer="me")
