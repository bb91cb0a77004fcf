"""No object that has a secret shows it: not by `repr` or `str`, not in errors, logs, or what channelz tells."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import clarion
import clarion.tls
from clarion import oauth2
from clarion.auth import (
    AuthenticationFailed,
    CallInfo,
    IntrospectionAuthenticator,
    TokenAuthenticator,
)
from clarion.channelz_data import CHANNEL, SERVER, SOCKET, SUBCHANNEL, nodes
from clarion.credentials.channel import kind_of_channel
from clarion.security.client import TlsClient
from clarion.security.server import server_security
from support.auth import authenticate, bearer, rig
from support.credentials import CERTIFICATES, certificate, client_tls, key, server_tls
from support.front_end import FrontEnd
from support.issuer import ISSUER, Issuer, finish

SECRET = "s3cret-of-many-characters-that-nobody-else-says"
URL = "https://issuer.test/token"
# Of PEM keys, lines that are in no certificate.
KEYS = [key(name).splitlines()[2].decode() for name in ("server", "rsa")]


def _shows(value: str) -> bool:
    return any(each in value for each in (SECRET, "PRIVATE KEY", *KEYS))


def _everything(thing: Any) -> str:
    """What the thing, and what it holds, say of themselves."""
    said = [repr(thing), str(thing), f"{thing}"]
    seen, left = {id(thing)}, [(thing, 0)]
    while left:
        each, depth = left.pop()
        names = [*getattr(each, "__dict__", {}), *getattr(type(each), "__slots__", ())]
        for name in names:
            held = getattr(each, name, None)
            if id(held) in seen or isinstance(held, (str, bytes, int, float, list, tuple, dict)):
                # Values themselves have to be somewhere.
                continue
            seen.add(id(held))
            said.append(repr(held))
            if depth < 2 and type(held).__module__.startswith("clarion"):
                left.append((held, depth + 1))
    return "\n".join(said)


def _introspection(way: Any) -> IntrospectionAuthenticator:
    return IntrospectionAuthenticator(
        URL, client_id="me", client_secret=SECRET, client_authentication=way
    )


OBJECTS: dict[str, Callable[[], Any]] = {
    "token authenticator": lambda: TokenAuthenticator({SECRET: "me"}),
    "introspection, basic": lambda: _introspection("basic"),
    "introspection, post": lambda: _introspection("post"),
    "call info": lambda: CallInfo("/a/b", bearer(SECRET)),
    "client credentials": lambda: oauth2.client_credentials(URL, "me", SECRET),
    "refresh token": lambda: oauth2.refresh_token(
        URL, SECRET, client_id="me", client_secret=SECRET
    ),
    "token exchange": lambda: oauth2.token_exchange(URL, subject_token=SECRET),
    "access token": lambda: clarion.access_token_call_credentials(SECRET),
    "token": lambda: oauth2.AccessToken(SECRET, 60.0),
    "channel": lambda: clarion.ssl_channel_credentials(
        certificate("ca"), key("server"), certificate("server")
    ),
    "server": lambda: clarion.ssl_server_credentials([(key("server"), certificate("server"))]),
    "configuration": lambda: clarion.ssl_server_certificate_configuration(
        [(key("server"), certificate("server"))]
    ),
    "channel with files": lambda: clarion.tls.channel_credentials(
        private_key=CERTIFICATES / "server.key", certificate_chain=CERTIFICATES / "server.pem"
    ),
    "server with files": lambda: clarion.tls.server_credentials(
        private_key=CERTIFICATES / "server.key", certificate_chain=CERTIFICATES / "server.pem"
    ),
    "composite": lambda: clarion.composite_channel_credentials(
        clarion.ssl_channel_credentials(certificate("ca"), key("server"), certificate("server")),
        clarion.access_token_call_credentials(SECRET),
    ),
    "a channel's TLS": lambda: TlsClient(
        kind_of_channel(
            clarion.ssl_channel_credentials(certificate("ca"), key("server"), certificate("server"))
        ),
        "localhost",
        None,
    ),
    "a port's TLS": lambda: server_security(
        clarion.ssl_server_credentials([(key("server"), certificate("server"))])._credentials
    ),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_do_not_show_secrets(name: str) -> None:
    made = OBJECTS[name]()
    said = _everything(made)
    assert said
    assert not _shows(said)


def test_objects_for_signatures_do_not_show_secrets(tmp_path: Path) -> None:
    pytest.importorskip("jwt", reason="PyJWT is not installed: the extra `auth`")
    from clarion.auth import JwtAuthenticator, PublicKey, ReplayCache, SharedSecret

    pem = key("server")
    shared = SharedSecret(SECRET.encode())
    cache = ReplayCache()
    cache.first_use(ISSUER, SECRET, 10.0, 0.0)
    account = {
        "type": "service_account",
        "client_email": "a@b.test",
        "private_key": key("rsa").decode(),
        "private_key_id": "1",
        "token_uri": URL,
    }
    for made in (
        shared,
        cache,
        JwtAuthenticator(shared, issuer=ISSUER, audience="a", replays=cache),
        PublicKey(certificate("server")),
        oauth2.signed_jwt(pem, issuer="me", algorithm="ES256"),
        oauth2.service_account(account),
    ):
        assert not _shows(_everything(made))
    for wrong in (
        lambda: PublicKey(pem),
        lambda: SharedSecret(pem),
        lambda: oauth2.signed_jwt(pem[:80], issuer="me", algorithm="ES256"),
        lambda: oauth2.service_account({**account, "private_key": SECRET}),
    ):
        with pytest.raises(ValueError, match=r"\w") as caught:
            wrong()
        assert not _shows(f"{caught.value!r} {caught.value.__cause__!r}")


def test_answers_of_an_issuer_do_not_get_into_logs(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for status, body in (
        (500, SECRET.encode()),
        (302, b""),
        (200, SECRET.encode()),
        (200, json.dumps({"active": SECRET}).encode()),
        (400, json.dumps({"error": SECRET}).encode()),
    ):
        issuer.status, issuer.body = status, body
        issuer.headers = {"Location": f"http://localhost/{SECRET}"} if status == 302 else {}
        verifier = IntrospectionAuthenticator(
            issuer.url("/introspect"), client_id="me", client_secret=SECRET
        )
        with pytest.raises(AuthenticationFailed) as caught:
            finish(verifier.authenticate(CallInfo("/a/b", bearer(SECRET))))
        assert not _shows(f"{caught.value!r} {caught.value.__cause__!r}")
    assert not _shows(caplog.text)


def test_calls_with_tokens_leave_none_behind(
    front: FrontEnd, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    library = front.library
    called, _ = rig(
        front,
        authenticate(front, TokenAuthenticator({SECRET: "me"})),
        credentials=server_tls(library),
    )
    client = front.connect(f"localhost:{called.server.ports[0]}", credentials=client_tls(library))
    outcomes = []
    for token in (SECRET, SECRET + "x", SECRET + "\n"):
        credentials = library.root.access_token_call_credentials(token)
        outcome = client.call(
            "/test.Service/UnaryUnary", "unary_unary", [b"x"], credentials=credentials
        )
        outcomes.append((outcome.code, outcome.details))
    assert [code for code, _ in outcomes] == ["OK", "UNAUTHENTICATED", "UNAVAILABLE"]
    kinds = (CHANNEL, SUBCHANNEL, SERVER, SOCKET)
    events = [event.text for kind in kinds for node in nodes(kind) for event in node.events]
    assert events
    assert not _shows(caplog.text + repr(outcomes) + "\n".join(events))
