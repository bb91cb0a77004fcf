"""The four patterns: what is sent arrives, in order, however the two sides take turns."""

from __future__ import annotations

import pytest
from google.protobuf import struct_pb2

from support.echo import STRUCT, camel
from support.libraries import PATTERNS
from support.peers import Pair, expected, requests_for, script


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_plain_call(pair: Pair, pattern: str) -> None:
    requests = requests_for(pattern, b"one", b"two", b"three")
    outcome = pair.call(pattern, requests)
    assert outcome.code == "OK"
    assert outcome.details == ("OK" if (pair.client_kind, pair.server_kind) == ("js", "js") else "")
    assert outcome.responses == expected(pattern, requests)


@pytest.mark.parametrize("pattern", ["stream_unary", "stream_stream"])
def test_a_stream_of_no_requests(pair: Pair, pattern: str) -> None:
    outcome = pair.call(pattern, [])
    assert outcome.code == "OK"
    assert outcome.responses == expected(pattern, [])


def test_a_stream_of_no_responses(pair: Pair) -> None:
    outcome = pair.call("unary_stream", [b"x"], script(count=0))
    assert (outcome.code, outcome.responses) == ("OK", [])


def test_protobuf_messages(pair: Pair) -> None:
    if "js" in (pair.client_kind, pair.server_kind):
        pytest.skip("the grpc-js programs handle bytes only")
    requests = []
    for value in (1.0, 2.0):
        requests.append(struct_pb2.Struct())
        requests[-1]["value"] = value
    answers = {
        "unary_unary": [2.0],
        "unary_stream": [2.0, 2.0, 2.0],
        "stream_unary": [3.0],
        "stream_stream": [2.0, 4.0],
    }
    for pattern in PATTERNS:
        outcome = pair.client.call(
            STRUCT + camel(pattern),
            pattern,
            requests if pattern.startswith("stream") else requests[:1],
            serializer=struct_pb2.Struct.SerializeToString,
            deserializer=struct_pb2.Struct.FromString,
        )
        assert outcome.code == "OK", (pattern, outcome)
        assert [each["value"] for each in outcome.responses] == answers[pattern]


def test_a_conversation_takes_turns(pair: Pair) -> None:
    call = pair.open("stream_stream", None)
    for turn in range(10):
        message = b"turn %d" % turn
        call.write(message)
        assert call.read() == message
    call.done_writing()
    assert call.read() is None
    assert call.finish().code == "OK"


def test_a_thousand_messages_each_way_keep_their_order(pair: Pair) -> None:
    requests = [b"%d" % number for number in range(1000)]
    outcome = pair.call("stream_stream", requests)
    assert outcome.code == "OK"
    assert outcome.responses == requests


def test_the_server_goes_on_after_the_client_ended(pair: Pair) -> None:
    outcome = pair.call("stream_stream", [b"a", b"b"], script(after=True))
    assert outcome.code == "OK"
    assert outcome.responses == [b"a", b"b", b"after"]


@pytest.mark.parametrize("pattern", ["stream_unary", "stream_stream"])
def test_the_server_ends_while_the_client_still_sends(pair: Pair, pattern: str) -> None:
    call = pair.open(pattern, None, script(early=1))
    call.write(b"only")
    outcome = call.finish()
    assert outcome.code == "OK"
    assert outcome.responses == [b"only"]


def test_fifty_concurrent_calls_on_one_channel(pair: Pair) -> None:
    meet = script(meet=[pair.key(), 50])
    calls = [pair.open("unary_unary", [b"%d" % number], meet) for number in range(50)]
    outcomes = [call.finish() for call in calls]
    assert {outcome.code for outcome in outcomes} == {"OK"}
    assert [outcome.responses for outcome in outcomes] == [[b"%d" % n] for n in range(50)]
