"""Authentication and authorization on real servers, of both front ends."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest

import clarion.auth
from clarion.auth import (
    AuthenticationFailed,
    Authenticator,
    CallInfo,
    Evidence,
    Identity,
    Policy,
    TlsAuthenticator,
    TokenAuthenticator,
    UnixAuthenticator,
)
from clarion.auth.authenticator import Pending, Steps
from clarion.hpack import Decoder
from support.auth import TOKENS, authenticate, authorize, bearer, rig
from support.credentials import certificate, client_tls, server_tls
from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.http2 import HEADERS, REQUEST, RST, headers
from support.libraries import LIMIT, PATTERNS
from support.raw_peer import dial

patterns = pytest.mark.parametrize("pattern", PATTERNS)
ALICE, BOB = TOKENS
ANYBODY = {"name": "anybody"}


def tokens(front: FrontEnd, **options: Any) -> Any:
    return authenticate(front, TokenAuthenticator(TOKENS), **options)


def policy(*allow: dict[str, Any], deny: tuple[dict[str, Any], ...] = (), **more: Any) -> Policy:
    return Policy(json.dumps({"name": "test", "allow_rules": allow, "deny_rules": deny, **more}))


@patterns
def test_a_caller_is_known_before_the_handler_runs(front: FrontEnd, pattern: str) -> None:
    called, caller = rig(front, tokens(front))
    outcome = called.call(pattern, [b"x"], metadata=bearer(ALICE))
    assert (outcome.code, outcome.responses) == ("OK", [b"answer"])
    assert caller.identity.subject == "alice"
    assert caller.identity.scopes == {"read", "write"}
    assert caller.auth["identity_subject"] == [b"alice"]
    assert caller.auth["identity_method"] == [b"token"]
    assert caller.auth["transport_security_type"] == [b"insecure"]
    assert called.call(pattern, [b"x"], metadata=bearer(BOB)).code == "OK"
    assert caller.identity.principals == ("token:bob",)


@patterns
def test_a_caller_that_is_not_known_never_gets_to_the_handler(
    front: FrontEnd, pattern: str
) -> None:
    called, caller = rig(front, tokens(front))
    for metadata, reason in (
        (None, "the call has no credentials that this server takes"),
        (bearer("alice-and-her-secreT"), "the token is not known"),
        (bearer(ALICE) * 2, "the call has more than one authorization"),
        ([("authorization", "Basic eDp5")], "the call's authorization is no bearer token"),
        ([("authorization-bin", b"Bearer " + ALICE.encode())], "the call has no credentials"),
        (bearer("x" * 9000), "the token is too long"),
    ):
        outcome = called.call(pattern, [b"x"], metadata=metadata)
        assert outcome.code == "UNAUTHENTICATED"
        assert outcome.details.startswith(reason)
    assert caller.calls == 0


@patterns
def test_a_refusal_does_not_wait_for_requests(front: FrontEnd, pattern: str) -> None:
    if not pattern.startswith("stream"):
        pytest.skip("the request comes with the call")
    called, caller = rig(front, tokens(front))
    call = called.open(pattern, metadata=bearer("somebody else's"))
    assert call.finish().code == "UNAUTHENTICATED"
    assert caller.calls == 0


def test_methods_that_are_exempt_and_calls_without_credentials(front: FrontEnd) -> None:
    called, caller = rig(front, tokens(front, exempt=[SERVICE + "UnaryUnary", "/other/*"]))
    assert called.call("unary_unary", [b"x"], metadata=bearer("bad")).code == "OK"
    assert caller.identity is None
    assert called.call("unary_stream", [b"x"]).code == "UNAUTHENTICATED"
    called, caller = rig(front, tokens(front, optional=True))
    assert called.call("unary_unary", [b"x"]).code == "OK"
    assert caller.identity is None
    assert "identity_subject" not in caller.auth
    assert called.call("unary_unary", [b"x"], metadata=bearer("bad")).code == "UNAUTHENTICATED"
    assert caller.calls == 1


def test_interceptors_say_what_they_cannot_use(front: FrontEnd) -> None:
    with pytest.raises(ValueError, match="needs an authenticator"):
        authenticate(front)
    with pytest.raises(TypeError, match="authenticators must be"):
        authenticate(front, TokenAuthenticator)
    with pytest.raises(TypeError, match="write a list"):
        tokens(front, exempt="/a/b")
    with pytest.raises(TypeError, match="Policy or PolicyFile"):
        authorize(front, "{}")


# Authenticators of one's own


class Waiting(Authenticator):
    """Waits for a test's answer."""

    def __init__(self) -> None:
        self.future: futures.Future[None] = futures.Future()
        self.future.set_running_or_notify_cancel()
        self.asked: futures.Future[CallInfo] = futures.Future()

    def authenticate(self, call: CallInfo) -> Steps:
        self.asked.set_result(call)
        yield Pending(self.future, LIMIT)
        return Identity(method="waiting", subject="carol")


@patterns
def test_an_authenticator_may_wait(front: FrontEnd, pattern: str) -> None:
    waiting = Waiting()
    called, caller = rig(front, authenticate(front, waiting))
    call = called.open(pattern, [b"x"], metadata=[("a", "1"), ("a", "2")])
    info = waiting.asked.result(LIMIT)
    assert caller.calls == 0
    assert info.method.startswith(SERVICE)
    assert [pair for pair in info.metadata if pair[0] == "a"] == [("a", "1"), ("a", "2")]
    assert info.peer.startswith("ipv4:127.0.0.1:")
    waiting.future.set_result(None)
    assert call.finish().code == "OK"
    assert caller.identity.subject == "carol"


def test_a_caller_that_goes_while_an_authenticator_waits(front: FrontEnd) -> None:
    waiting = Waiting()
    called, _ = rig(front, authenticate(front, waiting))
    call = called.open("unary_unary", [b"x"])
    waiting.asked.result(LIMIT)
    call.cancel()
    assert call.finish().code == "CANCELLED"
    waiting.future.set_result(None)
    other, _ = rig(front, tokens(front))
    assert other.call("unary_unary", [b"x"], metadata=bearer(ALICE)).code == "OK"


class Broken(Authenticator):
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def authenticate(self, call: CallInfo) -> Any:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize("answer", [ValueError(f"bad {ALICE}"), "alice", True])
def test_an_authenticator_that_fails_lets_nobody_pass(
    front: FrontEnd, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    called, caller = rig(front, authenticate(front, Broken(answer), optional=True))
    outcome = called.call("unary_unary", [b"x"], metadata=bearer(ALICE))
    assert outcome.code == "INTERNAL"
    assert outcome.details == "the server could not authenticate the call"
    assert caller.calls == 0
    assert ALICE not in caplog.text
    assert "an authenticator raised" in caplog.text


class Connection(Authenticator):
    evidence = Evidence.CONNECTION

    def authenticate(self, call: CallInfo) -> Identity:
        return Identity(method="connection", subject="somebody")


def test_a_connection_does_not_vouch_for_a_bad_token(front: FrontEnd) -> None:
    called, caller = rig(front, authenticate(front, TokenAuthenticator(TOKENS), Connection()))
    assert called.call("unary_unary", [b"x"], metadata=bearer("bad")).code == "UNAUTHENTICATED"
    assert called.call("unary_unary", [b"x"], metadata=bearer(BOB)).code == "OK"
    assert caller.identity.subject == "bob"
    assert called.call("unary_unary", [b"x"]).code == "OK"
    assert caller.identity.subject == "somebody"


def test_a_token_that_one_authenticator_refuses_another_may_take(front: FrontEnd) -> None:
    first = TokenAuthenticator({"another-token-of-16-characters": "carol"})
    called, caller = rig(front, authenticate(front, first, TokenAuthenticator(TOKENS)))
    assert called.call("unary_unary", [b"x"], metadata=bearer(BOB)).code == "OK"
    assert caller.identity.subject == "bob"
    outcome = called.call("unary_unary", [b"x"], metadata=bearer("neither"))
    assert outcome.details == "the token is not known"


# Policies


def test_who_is_not_allowed_is_denied(front: FrontEnd) -> None:
    rules = policy(
        {"name": "bob", "source": {"principals": ["token:bob"]}},
        {"name": "open", "request": {"paths": [SERVICE + "UnaryUnary"]}},
        deny=({"name": "no-streams", "request": {"paths": ["*StreamStream"]}},),
    )
    called, caller = rig(front, tokens(front, optional=True), authorize(front, rules))
    for pattern in PATTERNS:
        for token, allowed in (
            (BOB, pattern != "stream_stream"),
            (ALICE, pattern == "unary_unary"),
            (None, pattern == "unary_unary"),
        ):
            metadata = None if token is None else bearer(token)
            caller.calls = 0
            outcome = called.call(pattern, [b"x"], metadata=metadata)
            if allowed:
                assert outcome.code == "OK"
            else:
                assert outcome.code == "PERMISSION_DENIED"
                assert (
                    outcome.details == "the server's authorization policy does not allow this call"
                )
            assert caller.calls == allowed


def test_headers_of_a_policy(front: FrontEnd) -> None:
    header = {"key": "X-Env", "values": ["dev*", "a,b"]}
    rules = policy({"name": "dev", "request": {"headers": [header]}})
    called, _ = rig(front, authorize(front, rules))
    for values, code in (
        (["dev"], "OK"),
        (["development"], "OK"),
        (["a", "b"], "OK"),
        (["prod", "dev"], "PERMISSION_DENIED"),
        (["DEV"], "PERMISSION_DENIED"),
        ([], "PERMISSION_DENIED"),
    ):
        metadata: Any = [("x-env", value) for value in values]
        assert called.call("unary_unary", [b"x"], metadata=metadata).code == code


def test_principals_of_certificates(front: FrontEnd) -> None:
    secure = {
        "credentials": server_tls(front.library, roots="ca", require=True),
        "client_credentials": client_tls(front.library, "client"),
    }
    for principal, code in (
        ("spiffe://clarion.test/client", "OK"),
        ("spiffe://clarion.test/*", "OK"),
        ("*", "OK"),
        # A DNS name counts where there is no URI.
        ("client.clarion.test", "PERMISSION_DENIED"),
        ("spiffe://clarion.test/other", "PERMISSION_DENIED"),
        ("", "PERMISSION_DENIED"),
        ("client@clarion.test", "PERMISSION_DENIED"),
    ):
        rules = policy({"name": "one", "source": {"principals": [principal]}})
        called, _ = rig(front, authorize(front, rules), **secure)
        client = front.connect(
            f"localhost:{called.server.ports[0]}", credentials=secure["client_credentials"]
        )
        outcome = client.call(SERVICE + "UnaryUnary", "unary_unary", [b"x"])
        assert outcome.code == code, (principal, outcome)


def test_tls_without_a_certificate_has_the_empty_principal(front: FrontEnd) -> None:
    rules = policy({"name": "tls", "source": {"principals": [""]}})
    called, _ = rig(front, authorize(front, rules), credentials=server_tls(front.library))
    client = front.connect(
        f"localhost:{called.server.ports[0]}", credentials=client_tls(front.library)
    )
    assert client.call(SERVICE + "UnaryUnary", "unary_unary", [b"x"]).code == "OK"
    plain, _ = rig(front, authorize(front, rules))
    assert plain.call("unary_unary", [b"x"]).code == "PERMISSION_DENIED"


def test_a_certificate_is_an_identity(front: FrontEnd) -> None:
    secure = {
        "credentials": server_tls(front.library, roots="ca", require=True),
        "client_credentials": client_tls(front.library, "client"),
    }
    for domains, code in ((None, "OK"), (["clarion.test"], "OK"), (["x"], "UNAUTHENTICATED")):
        called, caller = rig(front, authenticate(front, TlsAuthenticator(domains)), **secure)
        client = front.connect(
            f"localhost:{called.server.ports[0]}", credentials=secure["client_credentials"]
        )
        outcome = client.call(SERVICE + "UnaryUnary", "unary_unary", [b"x"])
        assert outcome.code == code
        if code == "OK":
            assert caller.identity.method == "tls"
            assert caller.identity.subject == "spiffe://clarion.test/client"
            assert caller.auth["x509_pem_cert"][0].strip() in certificate("client")
    plain, _ = rig(front, authenticate(front, TlsAuthenticator()))
    assert plain.call("unary_unary", [b"x"]).code == "UNAUTHENTICATED"


# Unix sockets


@pytest.mark.skipif(sys.platform != "linux", reason="SO_PEERCRED is Linux's")
def test_users_of_unix_sockets(front: FrontEnd, tmp_path: Path) -> None:
    import os

    root = front.library.root
    uid, gid = os.getuid(), os.getgid()
    address = f"unix:{tmp_path}/s"
    secure = {
        "addresses": [address],
        "credentials": root.local_server_credentials(root.LocalConnectionType.UDS),
    }
    own = root.local_channel_credentials(root.LocalConnectionType.UDS)

    def call() -> Any:
        client = front.connect(address, credentials=own)
        return client.call(SERVICE + "UnaryUnary", "unary_unary", [b"x"])

    allowed = policy({"name": "me", "source": {"principals": [f"unix:uid:{uid}"]}})
    called, caller = rig(
        front, authenticate(front, UnixAuthenticator([uid])), authorize(front, allowed), **secure
    )
    assert call().code == "OK"
    assert (caller.identity.method, caller.identity.subject) == ("unix", str(uid))
    for name, number in (("uid", uid), ("gid", gid), ("pid", os.getpid())):
        assert caller.auth[f"unix_{name}"] == [b"%d" % number]
    assert caller.auth["transport_security_type"] == [b"local"]
    called.server.close()

    other, _ = rig(front, authenticate(front, UnixAuthenticator([uid + 1])), **secure)
    assert call().details == "this user of the machine is not taken"
    other.server.close()

    denied = policy({"name": "other", "source": {"principals": [f"unix:uid:{uid + 1}"]}})
    third, _ = rig(front, authorize(front, denied), **secure)
    assert call().code == "PERMISSION_DENIED"
    third.server.close()
    plain, _ = rig(front, authenticate(front, UnixAuthenticator()))
    assert plain.call("unary_unary", [b"x"]).code == "UNAUTHENTICATED"


# grpcio as the client


@patterns
def test_grpcio_brings_a_token(front: FrontEnd, pattern: str) -> None:
    grpc = pytest.importorskip("grpc", reason="grpcio is not installed")
    rules = policy({"name": "bob", "source": {"principals": ["token:bob"]}})
    called, caller = rig(
        front, tokens(front), authorize(front, rules), credentials=server_tls(front.library)
    )
    for token, code in ((BOB, None), (ALICE, "PERMISSION_DENIED"), ("bad", "UNAUTHENTICATED")):
        credentials = grpc.composite_channel_credentials(
            grpc.ssl_channel_credentials(certificate("ca")),
            grpc.access_token_call_credentials(token),
        )
        target = f"localhost:{called.server.ports[0]}"
        with grpc.secure_channel(target, credentials) as channel:
            invoke = getattr(channel, pattern)(SERVICE + camel(pattern))
            argument = iter([b"x"]) if pattern.startswith("stream") else b"x"
            refusal: Any = (
                contextlib.nullcontext() if code is None else pytest.raises(grpc.RpcError)
            )
            with refusal as refused:
                answer = invoke(argument, timeout=LIMIT)
                answers = list(answer) if pattern.endswith("stream") else [answer]
                assert answers == [b"answer"]
            if refused is not None:
                assert refused.value.code().name == code
    assert caller.calls == 1
    assert caller.identity.subject == "bob"


# Metadata that is smuggled


def status(block: bytes) -> bytes | None:
    fields = dict(Decoder().decode(block).fields)
    return fields.get(b"grpc-status", None if fields[b":status"] == b"200" else fields[b":status"])


@pytest.mark.parametrize(
    "extra",
    [
        ((b"Authorization", b"Bearer " + ALICE.encode()),),
        ((b"authorization", b"Bearer " + ALICE.encode() + b"\r\nx-role: admin"),),
        ((b"authorization", b"Bearer " + ALICE.encode() + b"\0"),),
        ((b"authorization ", b"Bearer " + ALICE.encode()),),
        ((b"authorization", b"Bearer " + ALICE.encode()), (b":authority", b"other")),
        ((b"authorization", b"Bearer " + ALICE.encode()), (b":path", b"/other/Method")),
    ],
    ids=["upper case", "CR LF", "NUL", "space", "second authority", "second path"],
)
def test_malformed_metadata_never_gets_to_a_handler(front: FrontEnd, extra: Any) -> None:
    called, caller = rig(front, tokens(front))
    path = (SERVICE + "StreamStream").encode()
    fields = tuple((k, path if k == b":path" else v) for k, v in REQUEST)
    with dial(called.server.ports[0]) as peer:
        peer.send(headers(1, fields + extra, end=True))
        answer = peer.next(RST, HEADERS)
        if answer.kind == HEADERS:
            assert status(answer.payload) not in (b"0", None)
        peer.settle()
    assert caller.calls == 0
    assert called.call("stream_stream", [b"x"], metadata=bearer(ALICE)).code == "OK"


def test_two_authorizations_of_which_one_is_good(front: FrontEnd) -> None:
    called, caller = rig(front, tokens(front))
    path = (SERVICE + "StreamStream").encode()
    fields = tuple((k, path if k == b":path" else v) for k, v in REQUEST)
    good, bad = f"Bearer {ALICE}".encode(), b"Bearer some other token"
    for pair in ((good, bad), (bad, good), (good, good)):
        with dial(called.server.ports[0]) as peer:
            peer.send(
                headers(1, fields + tuple((b"authorization", each) for each in pair), end=True)
            )
            assert status(peer.next(HEADERS).payload) == b"16"
            peer.settle()
    assert caller.calls == 0


# Secrets


def test_secrets_are_in_no_log_repr_or_error(
    front: FrontEnd, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    audit = {"audit_condition": "ON_DENY_AND_ALLOW", "audit_loggers": [{"name": "stdout_logger"}]}
    rules = policy(
        {"name": "bob", "source": {"principals": ["token:bob"]}}, audit_logging_options=audit
    )
    authenticator = TokenAuthenticator(TOKENS)
    interceptors = (authenticate(front, authenticator), authorize(front, rules))
    called, caller = rig(front, *interceptors)
    wrong = "a-token-that-nobody-knows"
    seen = [
        called.call("unary_unary", [b"x"], metadata=bearer(token)) for token in (ALICE, BOB, wrong)
    ]
    assert [each.code for each in seen] == ["PERMISSION_DENIED", "OK", "UNAUTHENTICATED"]
    info = CallInfo("/a/b", bearer(ALICE))
    error = AuthenticationFailed("the token is not known")
    shown = "".join(
        [
            caplog.text,
            *capfd.readouterr(),
            *map(repr, interceptors),
            *map(repr, (seen, info, authenticator, caller.identity, error, caller.auth)),
        ]
    )
    assert "refused" in shown
    assert "grpc_audit_log" in shown
    for secret in (ALICE, BOB, wrong):
        assert secret not in shown


def test_an_identity_is_asked_of_a_context() -> None:
    with pytest.raises(TypeError, match="ServicerContext expected"):
        clarion.auth.identity(object())
