"""Messages of every awkward size, and the limits on them."""

from __future__ import annotations

import pytest

from support.libraries import PATTERNS
from support.peers import Pair, expected, requests_for, script

KIB = 1024
MIB = 1024 * KIB
RECEIVE = "grpc.max_receive_message_length"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_sizes_around_frame_and_window_boundaries(pair: Pair, pattern: str) -> None:
    sizes = (0, 1, 16383, 16384, 16385, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1)
    messages = [(b"%d;" % size * size)[:size] for size in sizes]
    for message in messages:
        requests = requests_for(pattern, message)
        outcome = pair.call(pattern, requests)
        assert outcome.code == "OK", (len(message), outcome.code, outcome.details)
        assert outcome.responses == expected(pattern, requests), len(message)
    if pattern == "stream_stream":
        assert pair.call(pattern, messages).responses == messages


@pytest.mark.parametrize("pattern", PATTERNS)
def test_just_under_four_mebibytes_pass(pair: Pair, pattern: str) -> None:
    requests = requests_for(pattern, bytes(range(256)) * (4 * MIB // 256 - 1))
    outcome = pair.call(pattern, requests, script(count=1))
    assert outcome.code == "OK", outcome.details
    assert outcome.responses == expected(pattern, requests, count=1)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_request_over_the_limit_is_refused(pair: Pair, pattern: str) -> None:
    outcome = pair.call(pattern, requests_for(pattern, bytes(4 * MIB + 1)))
    assert outcome.code == "RESOURCE_EXHAUSTED"
    assert str(4 * MIB) in outcome.details
    assert outcome.responses == []
    assert pair.call("unary_unary", [b"the channel lives"]).code == "OK"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_response_over_the_limit_is_refused(pair: Pair, pattern: str) -> None:
    outcome = pair.call(pattern, requests_for(pattern, b"x"), script(size=4 * MIB + 1))
    assert outcome.code == "RESOURCE_EXHAUSTED"
    assert str(4 * MIB) in outcome.details
    assert outcome.responses == []
    assert pair.call("unary_unary", [b"the channel lives"]).code == "OK"


def test_limits_can_be_raised(pair: Pair) -> None:
    client = pair.connect(variant="roomy", options=[(RECEIVE, 16 * MIB)])
    message = bytes(6 * MIB)
    outcome = pair.call("unary_unary", [message], client=client)
    assert outcome.code == "OK", outcome.details
    assert outcome.responses == [message]


def test_limits_can_be_lowered(pair: Pair) -> None:
    client = pair.connect(options=[(RECEIVE, 100)])
    assert pair.call("unary_unary", [bytes(100)], client=client).code == "OK"
    outcome = pair.call("unary_unary", [bytes(101)], client=client)
    assert outcome.code == "RESOURCE_EXHAUSTED"


def test_a_limit_of_minus_one_is_none(pair: Pair) -> None:
    client = pair.connect(options=[(RECEIVE, -1)])
    outcome = pair.call("unary_unary", [b"x"], script(size=5 * MIB), client=client)
    assert outcome.code == "OK", outcome.details
    assert [len(each) for each in outcome.responses] == [5 * MIB]
