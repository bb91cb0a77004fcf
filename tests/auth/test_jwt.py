"""Tokens, good and bad, against the authenticator itself."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

pytest.importorskip("jwt", reason="PyJWT is not installed: the extra `auth`")

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from clarion.auth import AuthenticationFailed, Jwks, JwtAuthenticator, PublicKey, SharedSecret
from clarion.auth.identities import CallInfo
from support.issuer import AUDIENCE, ISSUER, b64, claims, finish, forge, jwk, mint, private_key

KINDS = [
    ("RSA", "RS256"),
    ("RSA", "RS512"),
    ("RSA", "PS256"),
    ("P-256", "ES256"),
    ("P-384", "ES384"),
    ("P-521", "ES512"),
    ("Ed25519", "EdDSA"),
]
SECRET = b"an unguessable secret of 32 bytes or more"


def public_pem(key: Any) -> bytes:
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def authenticator(keys: Any = None, **options: Any) -> JwtAuthenticator:
    if keys is None:
        keys = Jwks({"keys": [jwk(private_key("RSA"), kid="1")]})
    return JwtAuthenticator(keys, **{"issuer": ISSUER, "audience": AUDIENCE, **options})


def verify(token: str, keys: Any = None, **options: Any) -> Any:
    return finish(authenticator(keys, **options).verify(token))


def refusal(token: str, keys: Any = None, **options: Any) -> str:
    with pytest.raises(AuthenticationFailed) as caught:
        verify(token, keys, **options)
    # Neither what it says nor what it came from may quote the token.
    for part in token.split("."):
        assert len(part) < 8 or part not in f"{caught.value!r} {caught.value.__cause__!r}"
    return caught.value.reason


@pytest.mark.parametrize(("kind", "algorithm"), KINDS)
def test_signatures_of_all_kinds_hold(kind: str, algorithm: str) -> None:
    key = private_key(kind)
    token = mint(key, algorithm)
    for keys in (Jwks({"keys": [jwk(key, kid="1")]}), PublicKey(public_pem(key))):
        identity = verify(token, keys)
        assert (identity.method, identity.subject, identity.issuer) == ("jwt", "alice", ISSUER)
    head, body, signature = token.split(".")
    other = "A" if signature[0] != "A" else "B"
    tampered = f"{head}.{body}.{other}{signature[1:]}"
    assert refusal(tampered, keys) == "the token's signature does not hold"
    changed = f"{head}.{b64(json.dumps(claims(sub='root')).encode())}.{signature}"
    assert refusal(changed, keys) == "the token's signature does not hold"
    another = private_key(kind, 1)
    assert refusal(mint(another, algorithm), keys) == "the token's signature does not hold"


def test_an_identity_says_what_the_token_says() -> None:
    token = mint(
        private_key("RSA"), scope="a b", roles=None, realm={"roles": ["admin", 7]}, list=[{"a": 1}]
    )
    identity = verify(token, roles_claim=("realm", "roles"))
    assert identity.scopes == {"a", "b"}
    assert identity.roles == {"admin"}
    assert identity.principals == (f"jwt:{ISSUER}#alice",)
    assert identity.expires_at == identity.claims["exp"]
    assert identity.claims["list"][0]["a"] == 1
    with pytest.raises(TypeError):
        identity.claims["sub"] = "root"
    with pytest.raises(TypeError):
        identity.claims["list"][0]["a"] = 2
    assert "admin" not in repr(identity.claims["list"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": time.time() - 3600}, "the token has expired"),
        ({"exp": 0}, "the token has expired"),
        ({"exp": None}, "the token has no expiry"),
        ({"exp": "2999"}, "the token's claim exp is no time"),
        ({"exp": True}, "the token's claim exp is no time"),
        ({"exp": 10**400}, "the token's claim exp is no time"),
        ({"nbf": time.time() + 3600}, "the token is not valid yet"),
        ({"iat": time.time() + 3600}, "the token is not valid yet"),
        ({"nbf": [1]}, "the token's claim nbf is no time"),
        ({"aud": "another"}, "the token is for another audience"),
        ({"aud": ["another", "third"]}, "the token is for another audience"),
        ({"aud": None}, "the token is for another audience"),
        ({"aud": {"greeter": 1}}, "the token is for another audience"),
        ({"aud": AUDIENCE.upper()}, "the token is for another audience"),
        ({"iss": "https://evil.test"}, "the token comes from another issuer"),
        ({"iss": ISSUER + "/"}, "the token comes from another issuer"),
        ({"iss": None}, "the token comes from another issuer"),
        ({"iss": [ISSUER]}, "the token comes from another issuer"),
        ({"sub": None}, "the token lacks the claim sub"),
        ({"sub": ""}, "the token does not say whose it is"),
        ({"sub": "a\r\nb"}, "the token does not say whose it is"),
        ({"sub": "\ud800"}, "the token does not say whose it is"),
    ],
)
def test_claims_that_do_not_do(changes: dict[str, Any], reason: str) -> None:
    key = private_key("RSA")
    import jwt

    token = jwt.PyJWS().encode(
        json.dumps(claims(**changes)).encode(), key, "RS256", {"kid": "1", "typ": "JWT"}
    )
    assert refusal(token) == reason


def test_several_audiences_and_issuers() -> None:
    token = mint(private_key("RSA"), aud=["another", AUDIENCE])
    assert verify(token, issuer=["https://other.test", ISSUER]).subject == "alice"
    assert verify(token, audience=["x", "another"]).subject == "alice"


def test_a_token_can_be_replayed_until_its_expiry_and_leeway_only() -> None:
    now = 1_000_000.0
    key = private_key("RSA")
    token = mint(key, iat=now, nbf=now, exp=now + 60)
    for at, good in [(now - 31, 0), (now - 29, 1), (now + 60, 1), (now + 89.9, 1), (now + 90, 0)]:
        if good:
            assert verify(token, clock=lambda at=at: at, leeway=30).subject == "alice"
        else:
            assert "expired" in (r := refusal(token, clock=lambda at=at: at)) or "yet" in r


def test_tokens_that_hold_for_too_long() -> None:
    key = private_key("RSA")
    assert verify(mint(key), max_lifetime=300).subject == "alice"
    assert refusal(mint(key), max_lifetime=299) == "the token holds for too long"
    token = mint(key, iat=None)
    assert refusal(token, max_lifetime=300) == "the token does not say how long it holds"


def test_required_claims() -> None:
    token = mint(private_key("RSA"), jti="7")
    assert verify(token, required_claims=["jti"]).claims["jti"] == "7"
    assert refusal(token, required_claims=["email"]) == "the token lacks the claim email"


# Algorithms and keys


def test_none_is_no_algorithm() -> None:
    for name in ("none", "None", "NONE", "nOnE", "", None, 5, ["RS256"]):
        for token in (forge({"alg": name, "kid": "1"}), forge({"kid": "1"})):
            assert refusal(token) == "the token's algorithm is not allowed"
    unsigned = forge({"alg": "none"}).rpartition(".")[0] + "."
    assert refusal(unsigned) == "the token is malformed"


def test_a_public_key_is_no_shared_secret() -> None:
    key = private_key("RSA")
    pem = public_pem(key)
    for secret in (pem, pem.strip(), json.dumps(jwk(key)).encode(), b64(pem).encode()):
        token = forge({"alg": "HS256", "kid": "1", "typ": "JWT"}, secret=secret)
        assert refusal(token) == "the token's algorithm is not allowed"
        assert refusal(token, PublicKey(pem)) == "the token's algorithm is not allowed"
    with pytest.raises(ValueError, match="go with SharedSecret alone"):
        authenticator(algorithms=["RS256", "HS256"])
    with pytest.raises(ValueError, match="text of a key"):
        SharedSecret(pem)


def test_shared_secrets() -> None:
    token = forge({"alg": "HS256", "typ": "JWT"}, secret=SECRET)
    assert verify(token, SharedSecret(SECRET)).subject == "alice"
    other = SharedSecret(b"y" * 32)
    assert refusal(token, other) == "the token's signature does not hold"
    assert refusal(mint(private_key("RSA")), other) == "the token's algorithm is not allowed"
    with pytest.raises(ValueError, match="at least 32"):
        SharedSecret(b"short")
    with pytest.raises(TypeError):
        SharedSecret("x" * 40)  # type: ignore[arg-type]


def test_an_algorithm_goes_with_its_kind_of_key() -> None:
    rsa, ec = private_key("RSA"), private_key("P-256")
    keys = Jwks({"keys": [jwk(rsa, kid="1", alg="RS256"), jwk(ec, kid="2")]})
    assert verify(mint(rsa), keys).subject == "alice"
    for token in (
        mint(ec, "ES256"),
        mint(rsa, headers={"kid": "2"}),
        mint(rsa, "PS256"),
        mint(private_key("P-384"), "ES384", {"kid": "2"}),
    ):
        assert refusal(token, keys) == "the token is signed with an unknown key"
    only = {"algorithms": ["ES256"]}
    assert refusal(mint(rsa), keys, **only) == "the token's algorithm is not allowed"
    with pytest.raises(ValueError, match="do not go with"):
        authenticator(PublicKey(public_pem(rsa)), algorithms=["ES256"])


@pytest.mark.parametrize(
    "kid", ["../../dev/null", "/etc/passwd", "1' OR '1'='1", "1\0", "http://evil.test/k", ""]
)
def test_key_names_are_only_compared(kid: str) -> None:
    token = mint(private_key("RSA"), headers={"kid": kid})
    assert refusal(token) == "the token is signed with an unknown key"


@pytest.mark.parametrize("kid", [7, ["1"], {"1": 1}, True, "k" * 257])
def test_key_names_are_texts(kid: Any) -> None:
    assert refusal(forge({"alg": "RS256", "kid": kid})) == "the token is malformed"


def test_headers_that_bring_keys_are_not_looked_at() -> None:
    mine, theirs = private_key("RSA"), private_key("RSA", 1)
    brought = {
        "jwk": jwk(theirs),
        "jku": "https://evil.test/keys",
        "x5u": "file:///x",
        "x5c": ["x"],
    }
    token = mint(theirs, headers=brought)
    assert refusal(token) == "the token's signature does not hold"
    assert verify(mint(mine, headers=brought)).subject == "alice"


def test_without_a_name_only_a_single_key_counts() -> None:
    import jwt

    key = private_key("RSA")
    token = jwt.encode(claims(), key, "RS256")
    one = jwk(key, kid="1")
    assert verify(token, Jwks({"keys": [one]})).subject == "alice"
    two = Jwks({"keys": [one, jwk(private_key("RSA", 1), kid="2")]})
    assert refusal(token, two) == "the token is signed with an unknown key"


def test_keys_that_are_not_for_signatures() -> None:
    key = private_key("RSA")
    private = json.loads(json.dumps(jwk(key, kid="1", d="AQAB")))
    secret = {"kty": "oct", "k": b64(SECRET), "kid": "1"}
    for entry in (
        jwk(key, kid="1", use="enc"),
        jwk(key, kid="1", key_ops=["sign"]),
        private,
        secret,
        "text",
        {"kty": 7},
    ):
        with pytest.raises(ValueError, match="no usable public key"):
            Jwks({"keys": [entry]})
    for document in ("[]", "{}", "{", '{"keys": {}}', '{"keys": [], "keys": []}'):
        with pytest.raises(ValueError):
            Jwks(document)
    with pytest.raises(ValueError, match="at most 100"):
        Jwks({"keys": [jwk(key)] * 101})


def test_keys_that_are_weak_or_broken(caplog: pytest.LogCaptureFixture) -> None:
    small = private_key("RSA-1024")
    broken = {"kty": "RSA", "kid": "2", "n": "!", "e": "AQAB"}
    keys = Jwks({"keys": [jwk(small, kid="1"), broken]})
    assert refusal(mint(small), keys) == "the token is signed with an unknown key"
    token = mint(private_key("RSA"), headers={"kid": "2"})
    assert refusal(token, keys) == "the token is signed with an unknown key"
    assert "2048" in caplog.text
    with pytest.raises(ValueError, match="2048"):
        PublicKey(public_pem(small))
    pem = private_key("RSA").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for text in (pem, b"", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"):
        with pytest.raises(ValueError, match="no public key"):
            PublicKey(text)


# The form


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "a.b.c.d.e",
        "!!.??.##",
        forge(b"{", {}),
        forge(b"[]", {}),
        forge(b"null", {}),
        forge(b'{"alg":"RS256","alg":"none"}', {}),
        forge(b'{"alg":"RS256","x":NaN}', {}),
        forge(b'{"alg":"RS256","x":1e999}', {}),
        forge(b"[" * 1500, {}),
        forge(b'\xff\xfe{"alg":"RS256"}', {}),
        forge({"alg": "RS256"}, b"x").replace(".", ".=", 1),
        forge({"alg": "RS256"}) + "\n",
        forge({"alg": "RS256"}).replace(".", ". ", 1),
    ],
)
def test_malformed_tokens(token: str) -> None:
    assert refusal(token) == "the token is malformed"


@pytest.mark.parametrize(
    "payload", [b"{", b"[1]", b'"x"', b'{"sub":"a","sub":"b"}', b"\xff", b"[" * 3000]
)
def test_malformed_claims_that_are_signed(payload: bytes) -> None:
    import jwt

    token = jwt.PyJWS().encode(payload, private_key("RSA"), "RS256", {"kid": "1"})
    assert refusal(token) == "the token is malformed"


def test_oversized_tokens() -> None:
    assert refusal("a" * 9000 + ".b.c") == "the token is too long"
    assert refusal(forge({"alg": "RS256", "x": "y" * 3000})) == "the token's header is too long"
    token = mint(private_key("RSA"), note="x" * 4000)
    assert verify(token).subject == "alice"
    assert refusal(token, max_token_size=4000) == "the token is too long"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"crit": ["exp"]}, "the token's header has extensions that are not supported"),
        ({"crit": []}, "the token's header has extensions that are not supported"),
        ({"b64": False}, "the token's header has extensions that are not supported"),
        ({"enc": "A128GCM"}, "the token's header has extensions that are not supported"),
        ({"cty": "JWT"}, "the token has another token within"),
        ({"typ": "logout+jwt"}, "the token is of another type"),
        ({"typ": 7}, "the token is of another type"),
    ],
)
def test_headers_that_ask_for_more(header: dict[str, Any], reason: str) -> None:
    assert refusal(forge({"alg": "RS256", "kid": "1", **header})) == reason


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+JWT"])
def test_types_of_tokens(kind: str) -> None:
    token = mint(private_key("RSA"), headers={"typ": kind})
    assert verify(token).subject == "alice"
    assert refusal(token, token_types=["other"]) == "the token is of another type"


# The authorization entry


def refused_call(*values: str | bytes, key: str = "authorization") -> str:
    call = CallInfo("/a/b", [(key, value) for value in values])
    with pytest.raises(AuthenticationFailed) as caught:
        finish(authenticator().authenticate(call))
    return caught.value.reason


def test_where_the_token_is() -> None:
    token = mint(private_key("RSA"))
    for value in (f"Bearer {token}", f"bearer {token}", f"BEARER {token}"):
        call = CallInfo("/a/b", [("other", "x"), ("authorization", value)])
        assert finish(authenticator().authenticate(call)).subject == "alice"
        assert token not in repr(call)
    for metadata in ([], [("authorization-bin", b"Bearer x")], [("x-authorization", "Bearer x")]):
        assert finish(authenticator().authenticate(CallInfo("/a/b", metadata))) is None


def test_authorizations_that_are_none() -> None:
    token = mint(private_key("RSA"))
    good = f"Bearer {token}"
    assert refused_call(good, good) == "the call has more than one authorization"
    assert refused_call("Basic eA==", good) == "the call has more than one authorization"
    for value in ("", "Basic eA==", "Bearer", token, b"Bearer x"):
        assert refused_call(value) == "the call's authorization is no bearer token"
    for value in ("Bearer ", f"Bearer  {token}", f"{good}, {good}", f"{good} x", "Bearer a\tb"):
        assert refused_call(value) == "the token is malformed"
    assert refused_call("Bearer " + "a" * 8193) == "the token is too long"


def test_arguments_that_would_let_too_much_pass() -> None:
    for options in ({"issuer": ""}, {"issuer": []}, {"audience": ""}, {"audience": [""]}):
        with pytest.raises(ValueError, match="must not be empty"):
            authenticator(**options)
    with pytest.raises(ValueError, match="fragment"):
        authenticator(issuer="https://issuer.test#x")
    with pytest.raises(TypeError):
        authenticator(audience=[b"x"])
    with pytest.raises(TypeError):
        authenticator(algorithms="RS256")
    with pytest.raises(ValueError, match="must not be empty"):
        authenticator(algorithms=[])
    assert SECRET.decode() not in repr(authenticator(SharedSecret(SECRET))) + repr(
        SharedSecret(SECRET)
    )
