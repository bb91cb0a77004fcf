"""Authorization policies (gRFC A43), without servers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clarion.auth import (
    AuthenticationFailed,
    CallInfo,
    Identity,
    InvalidPolicy,
    Policy,
    TlsAuthenticator,
    TokenAuthenticator,
)
from clarion.auth.connection import RESERVED, principals_of_connection
from clarion.auth.patterns import Pattern
from clarion.auth.policy import Decision

ADMIN = b"spiffe://foo.com/sa/admin1"
EXAMPLE = {
    "name": "example-policy",
    "allow_rules": [
        {
            "name": "admin-access",
            "source": {"principals": ["spiffe://foo.com/sa/admin1", "spiffe://foo.com/sa/admin2"]},
            "request": {"paths": ["/pkg.service/*"]},
        },
        {
            "name": "dev-access",
            "source": {"principals": ["*", ""]},
            "request": {
                "paths": ["/pkg.service/foo", "/pkg.service/bar"],
                "headers": [{"key": "dev-path", "values": ["/dev/path/*"]}],
            },
        },
    ],
    "deny_rules": [{"name": "deny-access", "request": {"paths": ["*/secret"]}}],
}
"""The policy that gRFC A43 explains itself with."""


def certificate(**names: list[bytes]) -> dict[str, list[bytes]]:
    return {"transport_security_type": [b"ssl"], "x509_pem_cert": [b"PEM"], **names}


TLS: dict[str, list[bytes]] = {"transport_security_type": [b"ssl"]}
PLAIN: dict[str, list[bytes]] = {"transport_security_type": [b"insecure"]}
DEV = [("dev-path", "/dev/path/x")]


@pytest.mark.parametrize(
    ("path", "auth", "metadata", "rule", "authorized"),
    [
        ("/pkg.service/any", certificate(peer_uri=[ADMIN]), [], "admin-access", True),
        ("/pkg.service/secret", certificate(peer_uri=[ADMIN]), [], "deny-access", False),
        ("/other/any", certificate(peer_uri=[ADMIN]), [], "", False),
        ("/pkg.service/foo", certificate(peer_dns=[b"x"]), DEV, "dev-access", True),
        ("/pkg.service/foo", certificate(peer_dns=[b"x"]), [], "", False),
        ("/pkg.service/baz", certificate(peer_dns=[b"x"]), DEV, "", False),
        ("/pkg.service/bar", TLS, DEV, "dev-access", True),
        ("/pkg.service/bar", PLAIN, DEV, "", False),
        ("/pkg.service/any", PLAIN, [], "", False),
        ("", PLAIN, [], "", False),
    ],
)
def test_the_example_of_the_grfc(
    path: str, auth: Any, metadata: Any, rule: str, authorized: bool
) -> None:
    decision = Policy(json.dumps(EXAMPLE)).decide(CallInfo(path, metadata, auth))
    assert decision == Decision(authorized, rule)


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("abc", ["abc"], ["", "abcd", "xabc", "ABC"]),
        ("abc*", ["abc", "abcd"], ["", "xabc", "ab"]),
        ("*abc", ["abc", "xabc"], ["", "abcd"]),
        ("*", ["a", "*"], [""]),
        ("", [""], ["a"]),
        ("a*c", ["a*c"], ["abc"]),
        ("*a*", ["*a", "*ab"], ["a", "xa"]),
        ("**", ["*", "*x"], ["", "x"]),
    ],
)
def test_patterns(pattern: str, matching: list[str], others: list[str]) -> None:
    assert [each for each in [*matching, *others] if Pattern(pattern).matches(each)] == matching
    assert pattern in repr(Pattern(pattern))


def test_principals_in_their_order() -> None:
    auth = certificate(peer_uri=[b"u1", b"u2"], peer_dns=[b"d"], x509_subject=[b"CN=s"])
    assert principals_of_connection(auth) == ["u1", "u2"]
    # gRFC A41: a kind counts where there is none before it.
    del auth["peer_uri"]
    assert principals_of_connection(auth) == ["d"]
    del auth["peer_dns"]
    assert principals_of_connection(auth) == ["CN=s"]
    # ... even if what is there can be no principal.
    auth["peer_dns"] = [b"token:alice"]
    assert principals_of_connection(auth) == []
    assert principals_of_connection(TLS) == [""]
    assert principals_of_connection(PLAIN) == []
    local = {"transport_security_type": [b"local"]}
    assert principals_of_connection(local) == []
    unix = {**local, "unix_uid": [b"7"], "unix_gid": [b"8"], "unix_pid": [b"9"]}
    assert principals_of_connection(unix) == ["unix:uid:7", "unix:gid:8"]


@pytest.mark.parametrize("prefix", RESERVED)
def test_certificates_cannot_have_the_names_of_others(prefix: str) -> None:
    names = [prefix.encode() + b"uid:0", prefix.upper().encode() + b"x", b"fine"]
    assert principals_of_connection(certificate(peer_uri=names)) == ["fine"]


def test_what_plain_text_says_of_itself_counts_for_nothing() -> None:
    auth = {**PLAIN, "peer_uri": [ADMIN], "unix_uid": [b"0"], "x509_pem_cert": [b"PEM"]}
    assert principals_of_connection(auth) == []


def test_names_of_callers() -> None:
    """What authenticators make of connections, where servers in tests have none that are like that."""
    auth = certificate(x509_common_name=[b"c"], peer_dns=[b"d"])
    identity = TlsAuthenticator().authenticate(CallInfo("/a/b", (), auth))
    assert identity is not None
    assert (identity.subject, identity.principals) == ("d", ("d",))
    with pytest.raises(AuthenticationFailed, match="has no name"):
        TlsAuthenticator().authenticate(CallInfo("/a/b", (), certificate()))
    with pytest.raises(AuthenticationFailed, match="another trust domain"):
        TlsAuthenticator(["d"]).authenticate(CallInfo("/a/b", (), auth))
    with pytest.raises(TypeError, match="write a list"):
        TlsAuthenticator("d")
    with pytest.raises(ValueError, match="can be guessed"):
        TokenAuthenticator({"short": "x"})
    assert repr(Policy(json.dumps(EXAMPLE))) == "<clarion.auth.Policy 'example-policy'>"


def rule(name: str = "r", **request: Any) -> dict[str, Any]:
    return {"name": name, "request": request}


def policy(*allow: Any, **more: Any) -> str:
    return json.dumps({"name": "p", "allow_rules": allow or [{"name": "all"}], **more})


def test_identities_are_principals_too() -> None:
    text = policy({"name": "r", "source": {"principals": ["jwt:https://i#alice"]}})
    alice = Identity(method="jwt", subject="alice", principals=("jwt:https://i#alice",))
    assert Policy(text).decide(CallInfo("/a/b", identity=alice)).authorized
    bob = Identity(method="jwt", subject="bob", principals=("jwt:https://i#bob",))
    assert not Policy(text).decide(CallInfo("/a/b", identity=bob)).authorized
    forged = certificate(peer_uri=[b"jwt:https://i#alice"])
    assert not Policy(text).decide(CallInfo("/a/b", (), forged)).authorized


def test_headers_are_all_asked_for_and_joined() -> None:
    both = [{"key": "A", "values": ["1", "2"]}, {"key": "b", "values": ["x,y"]}]
    found = Policy(policy(rule(headers=both)))
    for metadata, allowed in [
        ([("a", "2"), ("b", "x"), ("b", "y")], True),
        ([("a", "2"), ("b", "y"), ("b", "x")], False),
        ([("a", "1"), ("a", "2"), ("b", "x,y")], False),
        ([("a", "1")], False),
        ([("a", b"1"), ("b", "x,y")], False),
    ]:
        assert found.decide(CallInfo("/a/b", metadata)).authorized is allowed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        ("[]", "no JSON object"),
        ('{"name": "p", "name": "q"}', "comes twice"),
        ('{"allow_rules": [{"name": "r"}]}', "name is missing"),
        ('{"name": 7, "allow_rules": [{"name": "r"}]}', "name must be text"),
        ('{"name": "p"}', "allow_rules must have a rule"),
        (policy(allow_rules=[]), "allow_rules must have a rule"),
        (policy(allow_rules={}), "allow_rules must be a list"),
        (policy("r"), "must be an object"),
        (policy({}), r"allow_rules\[0\]: name is missing"),
        (policy({"name": ""}), "name is missing"),
        (policy({"name": "r"}, {"name": "r"}), "two allow_rules have the same name"),
        (policy(deny_rules=[{"name": "d"}, {"name": "d"}]), "two deny_rules"),
        (policy(more=1), "'more' is not known"),
        (policy({"name": "r", "sources": {}}), "'sources' is not known"),
        (policy({"name": "r", "source": {"principal": []}}), "'principal' is not known"),
        (policy({"name": "r", "source": []}), "source must be an object"),
        (policy({"name": "r", "source": {"principals": "x"}}), "principals must be a list"),
        (policy({"name": "r", "source": {"principals": [7]}}), "principals must be texts"),
        (policy(rule(path=["/a"])), "'path' is not known"),
        (policy(rule(headers=[{"key": "a"}])), "values is missing"),
        (policy(rule(headers=[{"values": ["a"]}])), "key is missing"),
        (policy(rule(headers=[{"key": "a", "values": ["a"], "x": 1}])), "'x' is not known"),
        *(
            (policy(rule(headers=[{"key": key, "values": ["*"]}])), "cannot be matched")
            for key in (":path", "grpc-timeout", "Host", "TE", "Connection", "upgrade")
        ),
        (policy(rule(headers=[{"key": "x-bin", "values": ["*"]}])), "not text that policies see"),
        (policy(audit_logging_options={"audit_condition": "X"}), "must be one of NONE"),
        (policy(audit_logging_options={"x": 1}), "'x' is not known"),
        (policy(audit_logging_options={"audit_loggers": [{"name": "no"}]}), "called 'no'"),
        (policy(audit_logging_options={"audit_loggers": [{}]}), "name is missing"),
    ],
)
def test_policies_that_cannot_be_used(text: str, message: str) -> None:
    with pytest.raises(InvalidPolicy, match=message):
        Policy(text)


unhurried = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

words = st.sampled_from(["", "a", "b", "ab", "*", "a*", "*b"])
rules = st.lists(
    st.tuples(st.lists(words, max_size=2), st.lists(words, max_size=2)), min_size=0, max_size=3
)


def _rules(given_rules: Any) -> list[dict[str, Any]]:
    return [
        {"name": f"{i}", "source": {"principals": principals}, "request": {"paths": paths}}
        for i, (principals, paths) in enumerate(given_rules)
    ]


@unhurried
@given(rules.filter(bool), rules, st.sampled_from(["a", "b", "ab"]), st.sampled_from(["a", "ab"]))
def test_deny_comes_first_and_nothing_is_allowed_by_default(
    allow: Any, deny: Any, path: str, name: str
) -> None:
    def matches(one: Any) -> bool:
        principals, paths = one
        return all(
            not patterns or any(Pattern(each).matches(value) for each in patterns)
            for patterns, value in ((principals, name), (paths, path))
        )

    text = json.dumps({"name": "p", "allow_rules": _rules(allow), "deny_rules": _rules(deny)})
    call = CallInfo(path, (), certificate(peer_uri=[name.encode()]))
    decision = Policy(text).decide(call)
    assert decision.authorized == (not any(map(matches, deny)) and any(map(matches, allow)))
    assert bool(decision.rule) == (any(map(matches, deny)) or any(map(matches, allow)))


@unhurried
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["name", "allow_rules", "deny_rules", "source", "request", "x"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_a_policy_or_says_why_not(value: Any) -> None:
    try:
        policy = Policy(json.dumps(value))
    except InvalidPolicy:
        return
    assert policy.name == value["name"]
