"""How calls end badly: the status, its details and its metadata reach the client whole."""

from __future__ import annotations

import pytest

from support.libraries import PATTERNS, Metadata
from support.peers import Pair, expected, requests_for, script

DETAILS = "na\u00efve \u2603 \U0001f600 100% of\n\u201clines\u201d %41"


@pytest.mark.parametrize("abort", [False, True], ids=["set", "abort"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_an_error_status_with_details_and_metadata(pair: Pair, pattern: str, abort: bool) -> None:
    requests = requests_for(pattern, b"a", b"b")
    steps = script(echo=True, code="FAILED_PRECONDITION", details=DETAILS, abort=abort)
    extra: Metadata = [("t-reason", "because"), ("t-proof-bin", b"\x00\xff")]
    outcome = pair.call(pattern, requests, steps, *extra)
    assert outcome.code == "FAILED_PRECONDITION"
    assert outcome.details == DETAILS
    assert [each for each in outcome.trailing if each[0][:2] == "t-"] == extra
    # Responses that were sent before the failure are not lost.
    sent = expected(pattern, requests) if pattern.endswith("stream") else []
    assert outcome.responses == sent


@pytest.mark.parametrize(
    "code",
    [
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ],
)
def test_every_code_arrives_as_itself(pair: Pair, code: str) -> None:
    outcome = pair.call("unary_unary", [b"x"], script(code=code, details=f"says {code}"))
    assert (outcome.code, outcome.details) == (code, f"says {code}")


@pytest.mark.parametrize("details", [" a", "a ", " "])
def test_details_with_a_space_at_an_end(pair: Pair, details: str) -> None:
    outcome = pair.call("unary_unary", [b"x"], script(code="ABORTED", details=details))
    assert outcome.code == "ABORTED"
    # PROTOCOL-HTTP2 lets a receiver strip spaces of a value that was sent as it is.
    assert outcome.details.strip() == details.strip()


def test_metadata_with_a_space_at_an_end(pair: Pair) -> None:
    outcome = pair.call("unary_unary", [b"x"], script(echo=True), ("t-spaced", " v "))
    assert outcome.code == "OK"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_an_exception_in_the_handler_is_unknown(pair: Pair, pattern: str) -> None:
    steps = script(**{"raise": "the handler broke"})
    outcome = pair.call(pattern, requests_for(pattern, b"x"), steps)
    assert outcome.code == "UNKNOWN"
    # Clarion's servers tell the client nothing more unless they are asked to (docs/migrating.md).
    told = "the handler broke" in outcome.details
    assert told is not pair.server_kind.startswith("clarion")


@pytest.mark.parametrize("path", ["/peers.Echo/Missing", "/peers.Missing/UnaryUnary"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_an_unknown_method_is_unimplemented(pair: Pair, pattern: str, path: str) -> None:
    # No request in a stream: grpc.aio reports INTERNAL if the answer overtakes one.
    requests = None if pattern.startswith("stream") else [b"x"]
    outcome = pair.client.open(path, pattern, requests).finish()
    assert outcome.code == "UNIMPLEMENTED"
    assert outcome.responses == []
