"""TLS with other implementations: both sides prove who they are, and say why not if they cannot."""

from __future__ import annotations

import pytest

from support.credentials import CLIENT_NAMES, client_tls
from support.libraries import PATTERNS
from support.peers import Pair, expected, requests_for, script


@pytest.fixture(autouse=True)
def _python_only(pair: Pair) -> None:
    if "js" in (pair.client_kind, pair.server_kind):
        pytest.skip("the grpc-js programs have no certificates")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_calls_of_every_pattern(pair: Pair, pattern: str) -> None:
    client = pair.connect(variant="tls", credentials=client_tls)
    requests = requests_for(pattern, b"one", b"two", b"three")
    outcome = pair.call(pattern, requests, client=client)
    assert outcome.code == "OK", outcome
    assert outcome.responses == expected(pattern, requests)


def test_messages_of_many_records(pair: Pair) -> None:
    client = pair.connect(variant="tls", credentials=client_tls)
    requests = [bytes([number]) * 500_000 for number in range(6)]
    outcome = pair.call("stream_stream", requests, client=client)
    assert outcome.code == "OK", outcome
    assert outcome.responses == requests


def test_many_calls_at_the_same_time(pair: Pair) -> None:
    client = pair.connect(variant="tls", credentials=client_tls)
    meet = script(meet=[pair.key(), 30])
    calls = [pair.open("unary_unary", [b"%d" % n], meet, client=client) for n in range(30)]
    assert [call.finish().responses for call in calls] == [[b"%d" % n] for n in range(30)]


def test_client_certificates(pair: Pair) -> None:
    client = pair.connect(variant="mtls", credentials=lambda library: client_tls(library, "client"))
    key = pair.key()
    assert pair.call("unary_unary", [b"x"], script(witness=key), client=client).code == "OK"
    assert pair.recorded(key) == {
        "key": "x509_subject_alternative_name",
        "identities": [name.decode() for name in CLIENT_NAMES],
        "security": "ssl",
        "authorization": None,
    }


def test_call_credentials(pair: Pair) -> None:
    client = pair.connect(
        variant="tls",
        credentials=lambda library: library.root.composite_channel_credentials(
            client_tls(library), library.root.access_token_call_credentials("tok")
        ),
    )
    key = pair.key()
    assert pair.call("unary_unary", [b"x"], script(witness=key), client=client).code == "OK"
    assert pair.recorded(key)["authorization"] == "Bearer tok"


@pytest.mark.parametrize("name", [None, "other-client"])
def test_a_client_that_is_not_trusted(pair: Pair, name: str | None) -> None:
    client = pair.connect(variant="mtls", credentials=lambda library: client_tls(library, name))
    outcome = pair.call("unary_unary", [b"x"], client=client)
    assert outcome.code == "UNAVAILABLE", outcome


def test_a_server_that_is_not_trusted(pair: Pair) -> None:
    client = pair.connect(
        variant="tls", credentials=lambda library: client_tls(library, roots="other-ca")
    )
    outcome = pair.call("unary_unary", [b"x"], client=client)
    assert outcome.code == "UNAVAILABLE", outcome
    assert "unable to get local issuer certificate" in outcome.details


def test_neither_side_takes_plain_text_for_tls(pair: Pair) -> None:
    plain = pair.connect(variant="tls")
    assert pair.call("unary_unary", [b"x"], client=plain).code == "UNAVAILABLE"
    secure = pair.connect(credentials=client_tls)
    assert pair.call("unary_unary", [b"x"], client=secure).code == "UNAVAILABLE"
