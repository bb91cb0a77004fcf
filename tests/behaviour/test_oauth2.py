"""Tokens that call credentials get, make and renew: what token servers are asked, and what calls carry or end with."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import clarion.oauth2 as oauth2
from support.credentials import CERTIFICATES, certificate, client_tls, key, server_tls
from support.front_end import FrontEnd, Rig
from support.handlers import ServerCall
from support.libraries import LIMIT, Metadata
from support.token_server import Asked, TokenServer


@pytest.fixture(autouse=True)
def _clarion_only(front: FrontEnd) -> None:
    front.clarion_only("grpcio leaves OAuth 2.0 to others")


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    with TokenServer() as server:
        yield server


class Seen:
    """Keeps what calls carried."""

    def __init__(self) -> None:
        self.tokens: list[str | None] = []

    async def __call__(self, call: ServerCall) -> bytes:
        metadata: Metadata = call.metadata
        self.tokens.append(dict(metadata).get("authorization"))  # type: ignore[arg-type]
        return b"seen"


def _rig(front: FrontEnd) -> tuple[Rig, Seen]:
    seen = Seen()
    rig = front.rig(
        unary_unary=seen,
        credentials=server_tls(front.library),
        client_credentials=client_tls(front.library),
    )
    return rig, seen


def _carried(front: FrontEnd, credentials: Any, calls: int = 1) -> list[str | None]:
    rig, seen = _rig(front)
    for _ in range(calls):
        outcome = rig.call("unary_unary", [b"x"], credentials=credentials)
        assert outcome.code == "OK", outcome
    return seen.tokens


def _failed(front: FrontEnd, credentials: Any) -> tuple[str, str]:
    rig, seen = _rig(front)
    outcome = rig.call("unary_unary", [b"x"], credentials=credentials)
    assert seen.tokens == []
    return outcome.code, outcome.details


def _client(tokens: TokenServer, **options: Any) -> Any:
    return oauth2.client_credentials(tokens.url, "me", "s3cret value", **options)


# Grants


def test_client_credentials(front: FrontEnd, tokens: TokenServer) -> None:
    credentials = _client(tokens, scope=["a", "b"], audience="them")
    assert _carried(front, credentials, 3) == ["Bearer t1"] * 3
    [asked] = tokens.asked
    assert (asked.method, asked.path) == ("POST", "/token")
    assert asked.form == {"grant_type": "client_credentials", "scope": "a b", "audience": "them"}
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    pair = base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode()
    assert pair == "me:s3cret+value"


def test_client_credentials_in_the_form(front: FrontEnd, tokens: TokenServer) -> None:
    _carried(front, _client(tokens, scope="a", secret_in_form=True))
    [asked] = tokens.asked
    assert "authorization" not in asked.headers
    assert asked.form == {
        "grant_type": "client_credentials",
        "scope": "a",
        "client_id": "me",
        "client_secret": "s3cret value",
    }


def _expiring(tokens: TokenServer, **more: Any) -> None:
    tokens.answer = lambda asked: (
        200,
        {"access_token": f"t{len(tokens.asked)}", "expires_in": "0"} | more,
    )


def test_a_refresh_token_and_the_one_that_follows_it(front: FrontEnd, tokens: TokenServer) -> None:
    _expiring(tokens, refresh_token="r2")
    credentials = oauth2.refresh_token(tokens.url, "r1", client_id="me", scope="a")
    assert _carried(front, credentials, 2) == ["Bearer t1", "Bearer t2"]
    assert [asked.form for asked in tokens.asked] == [
        {"grant_type": "refresh_token", "refresh_token": each, "scope": "a", "client_id": "me"}
        for each in ("r1", "r2")
    ]


def test_token_exchange(front: FrontEnd, tokens: TokenServer, tmp_path: Path) -> None:
    subject = tmp_path / "subject"
    subject.write_text("first\n")
    _expiring(tokens, issued_token_type="urn:ietf:params:oauth:token-type:access_token")
    credentials = oauth2.token_exchange(
        tokens.url,
        subject_token_path=subject,
        subject_token_type="urn:ietf:params:oauth:token-type:jwt",
        actor_token=lambda: "actor",
        actor_token_type="urn:ietf:params:oauth:token-type:saml2",
        resource="https://r",
        audience="them",
        scope="s",
        requested_token_type="urn:ietf:params:oauth:token-type:access_token",
    )
    rig, seen = _rig(front)
    for text in ("first", "second"):
        subject.write_text(text)
        assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
        assert tokens.asked[-1].form == {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": text,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "actor_token": "actor",
            "actor_token_type": "urn:ietf:params:oauth:token-type:saml2",
            "resource": "https://r",
            "audience": "them",
            "scope": "s",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }
    assert seen.tokens == ["Bearer t1", "Bearer t2"]
    subject.unlink()
    code, details = _failed(front, credentials)
    assert (code, details) == (
        "UNAVAILABLE",
        f"the token file {subject} cannot be read: No such file or directory",
    )


def test_a_metadata_server(
    front: FrontEnd, tokens: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _carried(front, oauth2.compute_engine(host=tokens.host, scope=["a", "b"])) == [
        "Bearer t1"
    ]
    monkeypatch.setenv("GCE_METADATA_HOST", tokens.host)
    assert _carried(front, oauth2.compute_engine(account="other@x")) == ["Bearer t2"]
    base = "/computeMetadata/v1/instance/service-accounts"
    assert [(each.method, each.path) for each in tokens.asked] == [
        ("GET", f"{base}/default/token?scopes=a%2Cb"),
        ("GET", f"{base}/other@x/token"),
    ]
    assert {each.headers["metadata-flavor"] for each in tokens.asked} == {"Google"}


# One at a time


def test_calls_at_the_same_time_share_one_request(front: FrontEnd, tokens: TokenServer) -> None:
    go_on = threading.Event()
    answer = tokens.answer

    def wait(asked: Asked) -> Any:
        assert go_on.wait(LIMIT)
        return answer(asked)

    tokens.answer = wait
    rig, seen = _rig(front)
    credentials = _client(tokens)
    calls = [rig.open("unary_unary", [b"x"], credentials=credentials) for _ in range(20)]
    # Neither they nor the token server keep others from being served.
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    go_on.set()
    assert {call.finish().code for call in calls} == {"OK"}
    assert len(tokens.asked) == 1
    assert seen.tokens == [None] + ["Bearer t1"] * 20


def test_a_token_is_renewed_before_its_end_while_calls_go_on(
    front: FrontEnd, tokens: TokenServer
) -> None:
    again, go_on = threading.Event(), threading.Event()

    def answer(asked: Asked) -> Any:
        if len(tokens.asked) > 1:
            again.set()
            assert go_on.wait(LIMIT)
        number = len(tokens.asked)
        return 200, {"access_token": f"t{number}", "expires_in": 3600 * number}

    tokens.answer = answer
    clock = Clock()
    rig, seen = _rig(front)
    credentials = clock.credentials(_client(tokens))
    assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    # In the minute before its last half minute: good, and due.
    clock.now += 3540
    assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    assert again.wait(LIMIT)
    assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    assert seen.tokens == ["Bearer t1"] * 3
    clock.now += 200
    call = rig.open("unary_unary", [b"x"], credentials=credentials)
    go_on.set()
    assert call.finish().code == "OK"
    assert seen.tokens[3] == "Bearer t2"


class Clock:
    """A clock for the plugin in call credentials, which stands."""

    def __init__(self) -> None:
        self.now = time.time()

    def credentials(self, made: Any) -> Any:
        made._credentials[0].plugin._clock = lambda: self.now
        return made


# What goes wrong


def test_a_token_server_that_is_away(front: FrontEnd) -> None:
    with TokenServer() as away:
        pass
    code, details = _failed(front, _client(away))
    assert (code, details) == (
        "UNAVAILABLE",
        "the token server 127.0.0.1 cannot be asked: Connection refused",
    )


def test_after_a_failure_calls_fail_at_once_and_then_it_is_asked_again(
    front: FrontEnd, tokens: TokenServer
) -> None:
    answer = tokens.answer
    tokens.answer = lambda asked: (503, b"")
    clock = Clock()
    credentials = clock.credentials(_client(tokens))
    rig, _ = _rig(front)
    for _ in range(3):
        assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "UNAVAILABLE"
    assert len(tokens.asked) == 1
    tokens.answer = answer
    clock.now += 2
    assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"


def test_no_token_is_asked_for_over_plain_text(front: FrontEnd, tokens: TokenServer) -> None:
    root = front.library.root
    rig = front.rig(unary_unary=Seen())
    if front.name == "aio":
        with pytest.raises(front.library.aio.UsageError, match="only valid on"):
            rig.call("unary_unary", [b"x"], credentials=_client(tokens))
    else:
        outcome = rig.call("unary_unary", [b"x"], credentials=_client(tokens))
        assert outcome.code == "UNAUTHENTICATED"
    assert tokens.asked == []
    local = front.rig(
        unary_unary=Seen(),
        credentials=root.local_server_credentials(),
        client_credentials=root.local_channel_credentials(),
    )
    assert local.call("unary_unary", [b"x"], credentials=_client(tokens)).code == "OK"


# TLS to the token server


@pytest.mark.parametrize("trusted", [True, False])
def test_a_token_server_with_tls(front: FrontEnd, trusted: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key")
    ours = ssl.create_default_context(cadata=certificate("ca").decode()) if trusted else None
    with TokenServer(context) as tokens:
        credentials = _client(tokens, ssl_context=ours)
        if trusted:
            assert _carried(front, credentials) == ["Bearer t1"]
            return
        code, details = _failed(front, credentials)
    assert code == "UNAVAILABLE"
    assert "CERTIFICATE_VERIFY_FAILED" in details
    assert tokens.asked == []


# JSON Web Tokens


def _jwt(**claims: Any) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'RS256'})}.{part(claims)}.{part('signature')}"


def test_a_file_with_a_jwt_is_read_again_when_that_runs_out(
    front: FrontEnd, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    clock = Clock()
    first, second = _jwt(exp=clock.now + 600), _jwt(exp=clock.now + 1200, n=2)
    path.write_text(first + "\n")
    rig, seen = _rig(front)
    credentials = clock.credentials(oauth2.jwt_file(path))
    for _ in range(2):
        assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    path.write_text(second)
    assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    assert seen.tokens == [f"Bearer {first}"] * 3
    clock.now += 571
    assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    assert seen.tokens[3] == f"Bearer {second}"


@pytest.fixture
def jwt() -> Any:
    pytest.importorskip("cryptography", reason="PyJWT's signatures need cryptography")
    return pytest.importorskip("jwt", reason="PyJWT is not installed (the extra `auth`)")


def _public(name: str) -> Any:
    from cryptography.x509 import load_pem_x509_certificate

    return load_pem_x509_certificate(certificate(name)).public_key()


@pytest.mark.parametrize(("algorithm", "name"), [("RS256", "rsa"), ("ES256", "client")])
def test_a_jwt_that_is_signed_here(front: FrontEnd, jwt: Any, algorithm: str, name: str) -> None:
    credentials = oauth2.signed_jwt(
        key(name), issuer="me", subject="you", key_id="k1", algorithm=algorithm, lifetime=600
    )
    rig, seen = _rig(front)
    for _ in range(2):
        assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    first, second = seen.tokens
    assert first is not None
    assert first == second
    token = first.removeprefix("Bearer ")
    claims = jwt.decode(
        token, _public(name), algorithms=[algorithm], audience=f"https://{rig.server.target}/"
    )
    assert claims["exp"] - claims["iat"] == 600
    assert (claims["iss"], claims["sub"]) == ("me", "you")
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "kid": "k1", "typ": "JWT"}


def test_an_audience_that_is_given(front: FrontEnd, jwt: Any) -> None:
    credentials = oauth2.signed_jwt(key("rsa"), issuer="me", audience="them")
    [token] = _carried(front, credentials)
    assert token is not None
    claims = jwt.decode(
        token.removeprefix("Bearer "), _public("rsa"), algorithms=["RS256"], audience="them"
    )
    assert claims["sub"] == "me"


# google-auth


def test_credentials_of_google_auth(front: FrontEnd, jwt: Any) -> None:
    pytest.importorskip("google.auth", reason="google-auth is not installed")
    from google.auth import jwt as google_jwt

    account = {
        "client_email": "robot@x",
        "private_key": key("rsa").decode(),
        "private_key_id": "k2",
        "token_uri": "https://x.test/",
    }
    google: Any = google_jwt.Credentials.from_service_account_info(account, audience="them")
    rig, seen = _rig(front)
    for credentials in (google, front.library.root.metadata_call_credentials(google)):
        assert rig.call("unary_unary", [b"x"], credentials=credentials).code == "OK"
    token = str(seen.tokens[1]).removeprefix("Bearer ")
    claims = jwt.decode(token, _public("rsa"), algorithms=["RS256"], audience="them")
    assert claims["iss"] == "robot@x"


def test_credentials_of_google_auth_that_ask_a_token_server(
    front: FrontEnd, tokens: TokenServer
) -> None:
    pytest.importorskip("google.auth", reason="google-auth is not installed")
    pytest.importorskip("requests", reason="requests is not installed")
    from google.oauth2 import credentials as google_credentials

    google: Any = google_credentials.Credentials(
        None, refresh_token="r", token_uri=tokens.url, client_id="me", client_secret="s"
    )
    assert _carried(front, google, 2) == ["Bearer t1"] * 2
    tokens.answer = lambda asked: (400, {"error": "invalid_grant"})
    refused: Any = google_credentials.Credentials(
        None, refresh_token="r", token_uri=tokens.url, client_id="me", client_secret="s"
    )
    code, details = _failed(front, refused)
    assert code == "UNAVAILABLE"
    assert "invalid_grant" in details


# Secrets


def test_secrets_are_nowhere_to_be_seen(
    front: FrontEnd, tokens: TokenServer, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(0)
    secret = "s3cret"
    path = tmp_path / "token"
    path.write_text(_jwt(exp=time.time() + 60, s=secret))
    makers: list[Callable[[], Any]] = [
        lambda: oauth2.client_credentials(tokens.url, "me", secret),
        lambda: oauth2.refresh_token(tokens.url, secret, client_id="me", client_secret=secret),
        lambda: oauth2.token_exchange(tokens.url, subject_token=secret),
        lambda: oauth2.jwt_file(path),
        lambda: front.library.root.access_token_call_credentials(secret),
        lambda: oauth2.token_credentials(lambda: oauth2.AccessToken(secret, None), "mine"),
    ]
    said: list[str] = []
    rig, _ = _rig(front)
    for answer in (
        (200, {"access_token": secret, "expires_in": 60}),
        (400, {"error": secret, "error_description": secret}),
        (500, secret.encode()),
        (200, {"access_token": secret + "\n"}),
    ):
        tokens.answer = lambda asked, answer=answer: answer
        for make in makers:
            credentials = make()
            [source] = credentials._credentials
            outcome = rig.call("unary_unary", [b"x"], credentials=credentials)
            said += [repr(outcome), repr(credentials), repr(source)]
            plugin = getattr(source, "plugin", None)
            said += [repr(plugin), repr(getattr(plugin, "_fetch", None))]
    assert not [each for each in said if secret in each]
    ours = [record for record in caplog.records if record.name.startswith("clarion")]
    assert not [record for record in ours if secret in record.getMessage()]
