"""Calls that are tried again (gRFC A6)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode
from support.channels import BOTH, ONE, TWO, answer, serve
from support.http2 import DATA, HEADERS, RESPONSE, RST, TRAILERS, data, frame, headers
from support.wire import Network, RawFar, begin, message

RETRY = {
    "maxAttempts": 4,
    "initialBackoff": "1s",
    "maxBackoff": "3s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


def retrying(
    network: Network, *more: tuple[str, Any], target: str = "ipv4:1.1.1.1:1", **top: Any
) -> Any:
    config = {"methodConfig": [{"name": [{}], "retryPolicy": RETRY}], **top}
    return network.channel(target, [("grpc.service_config", json.dumps(config)), *more])


def fail(far: RawFar, sid: int, code: int = 14, *more: tuple[bytes, bytes]) -> None:
    """End a call with Trailers-Only."""
    far.send(headers(sid, (*RESPONSE, (b"grpc-status", b"%d" % code), *more), end=True))


def previous_attempts(far: RawFar) -> list[str | None]:
    """What each request said of attempts before it."""
    heads = [far.heads.read(each.payload) for each in far.received if each.kind == HEADERS]
    return [head.get("grpc-previous-rpc-attempts") for head in heads]


def test_until_it_works(network: Network) -> None:
    [fars, core] = serve(network), retrying(network)
    call = begin(network, core)
    network.run()
    for sid, wait in ((1, 1), (3, 2), (5, 3)):
        fail(fars[0], sid)
        network.advance(wait - 0.1)
        assert len(fars[0].received) == sid + 1
        network.advance(0.2)
    assert previous_attempts(fars[0]) == [None, "1", "2", "3"]
    answer(fars[0], 7)
    network.run()
    assert call.code is StatusCode.OK
    assert call.response == b"response"
    assert call.events.count("detached") == 3


def test_no_more_often_than_that(network: Network) -> None:
    [fars, core] = serve(network), retrying(network)
    call = begin(network, core)
    network.run()
    for sid in (1, 3, 5, 7):
        fail(fars[0], sid, 14, (b"grpc-message", b"attempt %d" % sid))
        network.advance(5)
    assert call.code is StatusCode.UNAVAILABLE
    assert call.details == "attempt 7"
    assert len(fars[0].requests()) == 4
    assert call.outcome is not None
    assert [attempt.details for attempt in call.outcome.attempts] == [
        "attempt 1",
        "attempt 3",
        "attempt 5",
    ]
    assert "attempt 2: UNAVAILABLE at ipv4:1.1.1.1:1: attempt 3" in call.outcome.describe()


@pytest.mark.parametrize(("jitter", "wait"), [(0.0, 0.8), (1.0, 1.2)])
def test_the_backoff_has_jitter(network: Network, jitter: float, wait: float) -> None:
    [fars, core] = serve(network), retrying(network)
    begin(network, core)
    network.run()
    network.jitter = jitter
    fail(fars[0], 1)
    network.run()
    assert network.timers[0] == pytest.approx(wait)


def test_another_status_ends_it(network: Network) -> None:
    [fars, core] = serve(network), retrying(network)
    call = begin(network, core)
    network.run()
    fail(fars[0], 1, 5)
    network.run()
    assert call.code is StatusCode.NOT_FOUND


def test_retries_can_be_switched_off(network: Network) -> None:
    [fars, core] = serve(network), retrying(network, ("grpc.enable_retries", 0))
    call = begin(network, core)
    network.run()
    fail(fars[0], 1)
    network.run()
    assert call.code is StatusCode.UNAVAILABLE


def test_response_headers_commit_it(network: Network) -> None:
    [fars, core] = serve(network), retrying(network)
    call = begin(network, core)
    network.run()
    fars[0].send(headers(1, RESPONSE))
    fars[0].send(headers(1, ((b"grpc-status", b"14"),), end=True))
    network.run()
    assert call.code is StatusCode.UNAVAILABLE


def test_the_server_says_when(network: Network) -> None:
    [fars, core] = serve(network), retrying(network)
    call = begin(network, core)
    network.run()
    fail(fars[0], 1)
    network.advance(1)
    fail(fars[0], 3, 14, (b"grpc-retry-pushback-ms", b"20000"))
    network.advance(19)
    assert len(fars[0].received) == 4
    network.advance(1)
    fail(fars[0], 5)
    # The backoff began anew.
    network.advance(1)
    assert len(fars[0].requests()) == 4
    assert call.outcome is None


@pytest.mark.parametrize("value", [b"-1", b"soon", b"1.5", b"9999999999"])
def test_the_server_says_never(network: Network, value: bytes) -> None:
    [fars, core] = serve(network), retrying(network)
    call = begin(network, core)
    network.run()
    fail(fars[0], 1, 14, (b"grpc-retry-pushback-ms", value))
    network.run()
    assert call.code is StatusCode.UNAVAILABLE


def test_throttling(network: Network) -> None:
    """Four failures leave less than half of the tokens, and successes give some back."""
    fars = serve(network)
    core = retrying(network, retryThrottling={"maxTokens": 6, "tokenRatio": 1})

    def attempt(sid: int, code: int | None) -> Any:
        call = begin(network, core)
        network.run()
        if code is None:
            answer(fars[0], sid)
        else:
            fail(fars[0], sid, code)
        network.run()
        return call

    calls = [attempt(sid, 14) for sid in (1, 3)]
    assert [call.outcome for call in calls] == [None, None]
    for call in calls:
        call.end(Outcome(StatusCode.CANCELLED))
    third = attempt(5, 14)
    assert third.code is StatusCode.UNAVAILABLE
    # This is nobody's success.
    assert attempt(7, 5).code is StatusCode.NOT_FOUND
    assert core.throttle._tokens == 3
    for sid in (9, 11):
        assert attempt(sid, None).code is StatusCode.OK
    fourth = attempt(13, 14)
    assert fourth.outcome is None
    network.advance(10)
    assert fars[0].requests()[-1] == 15


def test_a_new_service_config_begins_with_all_tokens(network: Network) -> None:
    core = retrying(network, retryThrottling={"maxTokens": 6, "tokenRatio": 1})
    core.connect()
    network.run()
    assert core.throttle is not None
    assert core.throttle.allows


def test_a_connection_that_is_lost(network: Network) -> None:
    """The server may have acted on the call, so it is the policy's to say."""
    [fars, core] = serve(network), retrying(network)
    call = begin(network, core)
    network.run()
    fars[0].close()
    network.advance(1)
    assert fars[1].requests() == [1]
    answer(fars[1], 1)
    network.run()
    assert call.code is StatusCode.OK


def test_no_connection(network: Network) -> None:
    network.answers[ONE] = "Connection refused"
    core = retrying(network)
    call = begin(network, core)
    network.run()
    assert call.outcome is None
    fars = serve(network)
    network.advance(4)
    assert fars[0].requests() == [1]
    answer(fars[0], 1)
    network.run()
    assert call.code is StatusCode.OK


def test_the_deadline_ends_the_wait(network: Network) -> None:
    [fars, core] = serve(network), retrying(network)
    call = begin(network, core, timeout=0.5)
    network.run()
    fail(fars[0], 1)
    network.advance(0.5)
    assert call.code is StatusCode.DEADLINE_EXCEEDED
    assert call.details == (
        "Deadline Exceeded while waiting for its next attempt; "
        "last error: UNAVAILABLE at ipv4:1.1.1.1:1: "
    )
    network.advance(5)
    assert fars[0].requests() == [1]


def test_a_call_that_ended_leaves_no_timer(network: Network) -> None:
    """A server may ask for a wait of days, and the call is gone before."""
    [fars, core] = serve(network), retrying(network)
    call = begin(network, core)
    network.run()
    before = len(network.timers)
    fail(fars[0], 1, 14, (b"grpc-retry-pushback-ms", b"900000000"))
    network.run()
    assert len(network.timers) == before + 1
    call.end(Outcome(StatusCode.CANCELLED))
    assert len(network.timers) == before


def test_the_channel_is_closed_during_the_wait(network: Network) -> None:
    [fars, core] = serve(network), retrying(network)
    call = begin(network, core)
    network.run()
    fail(fars[0], 1)
    network.run()
    core.close()
    network.run()
    assert call.code is StatusCode.CANCELLED


def test_the_channel_is_closed_as_the_wait_begins(network: Network) -> None:
    [fars, core] = serve(network), retrying(network)
    call = begin(network, core)
    network.run()
    link = network.links[0]
    fail(fars[0], 1)
    link.connection.receive_data(fars[0].take())
    # The wait itself begins on the runtime, which closes the channel first.
    core.close()
    network.run()
    assert call.code is StatusCode.CANCELLED


# Streams of requests


def payloads(far: RawFar, sid: int) -> list[tuple[bytes, int]]:
    return [
        (each.payload, each.flags) for each in far.received if each.kind == DATA and each.sid == sid
    ]


def test_requests_are_sent_again(network: Network) -> None:
    [fars, core] = serve(network), retrying(network)
    call = begin(network, core, None)
    network.run()
    for each in (b"one", b"two"):
        assert call.send(call.pack(each))
    network.run()
    fail(fars[0], 1)
    network.run()
    # Between the attempts there is nowhere to send them.
    assert not call.send(call.pack(b"three"))
    network.advance(1)
    assert payloads(fars[0], 3) == [(message(b"one"), 0), (message(b"two"), 0)]
    assert call.send(call.pack(b"three"))
    assert call.half_close()
    network.run()
    assert payloads(fars[0], 3)[2:] == [(message(b"three"), 0), (b"", 1)]
    fail(fars[0], 3)
    network.advance(2)
    assert payloads(fars[0], 5) == [
        (message(b"one"), 0),
        (message(b"two"), 0),
        (message(b"three"), 0),
        (b"", 1),
    ]
    answer(fars[0], 5)
    network.run()
    assert call.code is StatusCode.OK


def test_nothing_is_kept_of_a_committed_call(network: Network) -> None:
    """Long streams do not fill the buffer."""
    [fars, core] = serve(network), retrying(network)
    call = begin(network, core, None)
    network.run()
    assert call.send(call.pack(b"one"))
    fars[0].send(headers(1, RESPONSE))
    network.run()
    assert call.send(call.pack(b"two"))
    assert call._retry is not None
    assert call._retry.kept == []


def test_the_end_of_requests_is_sent_again(network: Network) -> None:
    [fars, core] = serve(network), retrying(network)
    call = begin(network, core, None)
    network.run()
    call.half_close()
    network.run()
    fail(fars[0], 1)
    network.advance(1)
    [head] = [each for each in fars[0].received if each.kind == HEADERS and each.sid == 3]
    assert head.flags & 1


def test_more_than_can_be_kept_commits_it(network: Network) -> None:
    [fars, core] = serve(network), retrying(network, ("grpc.per_rpc_retry_buffer_size", 20))
    call = begin(network, core, None)
    network.run()
    for _ in range(3):
        assert call.send(call.pack(b"12345"))
    network.run()
    fail(fars[0], 1)
    network.run()
    assert call.code is StatusCode.UNAVAILABLE


def test_a_request_that_cannot_be_kept(network: Network) -> None:
    [fars, core] = serve(network), retrying(network, ("grpc.per_rpc_retry_buffer_size", 20))
    call = begin(network, core, bytes(16))
    network.run()
    fail(fars[0], 1)
    network.run()
    assert call.code is StatusCode.UNAVAILABLE


def test_refused_streams_do_not_count(network: Network) -> None:
    """A try that no server acted on is repeated at once, once."""
    [fars, core] = serve(network), retrying(network)
    begin(network, core)
    network.run()
    fars[0].send(frame(RST, 0, 1, (7).to_bytes(4, "big")))
    network.run()
    assert fars[0].requests() == [1, 3]
    fars[0].send(frame(RST, 0, 3, (7).to_bytes(4, "big")))
    network.run()
    assert fars[0].requests() == []
    network.advance(1)
    assert fars[0].requests() == [5]


# Hedging


def hedging(
    network: Network, *more: tuple[str, Any], delay: str = "1s", attempts: int = 3, **top: Any
) -> Any:
    policy = {
        "maxAttempts": attempts,
        "hedgingDelay": delay,
        "nonFatalStatusCodes": ["UNAVAILABLE"],
    }
    config = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [{"name": [{}], "hedgingPolicy": policy}],
        **top,
    }
    core = network.channel(BOTH, [("grpc.service_config", json.dumps(config)), *more])
    core.connect()
    network.run()
    return core


def opened(*fars: list[RawFar]) -> list[int]:
    """How many requests each server got."""
    return [sum(each.kind == HEADERS for far in made for each in far.received) for made in fars]


def resets(made: list[RawFar]) -> list[bytes]:
    return [each.payload for far in made for each in far.received if each.kind == RST]


def test_hedges_come_after_the_delay(network: Network) -> None:
    ones, twos = serve(network, ONE), serve(network, TWO)
    call = begin(network, hedging(network))
    network.run()
    assert sum(opened(ones, twos)) == 1
    network.advance(1)
    assert opened(ones, twos) == [1, 1]
    network.advance(1)
    assert sum(opened(ones, twos)) == 3
    network.advance(5)
    assert sum(opened(ones, twos)) == 3
    said = previous_attempts(ones[0]) + previous_attempts(twos[0])
    assert sorted(said, key=str) == ["1", "2", None]
    answer(twos[0], 1)
    network.run()
    assert call.code is StatusCode.OK
    assert call.response == b"response"
    assert len(resets(ones)) + len(resets(twos)) == 2
    assert resets(ones)[0] == (8).to_bytes(4, "big")


def test_all_at_once(network: Network) -> None:
    ones, twos = serve(network, ONE), serve(network, TWO)
    begin(network, hedging(network, delay="0s", attempts=2))
    network.advance(0)
    assert opened(ones, twos) == [1, 1]


def test_a_fast_answer_makes_hedges_needless(network: Network) -> None:
    ones, twos = serve(network, ONE), serve(network, TWO)
    call = begin(network, hedging(network))
    network.run()
    answer((ones + twos)[0] if opened(ones) == [1] else twos[0], 1)
    network.run()
    assert call.code is StatusCode.OK
    network.advance(10)
    assert sum(opened(ones, twos)) == 1


def test_a_harmless_failure_brings_the_next(network: Network) -> None:
    ones, twos = serve(network, ONE), serve(network, TWO)
    call = begin(network, hedging(network))
    network.run()
    first, second = (ones, twos) if opened(ones) == [1] else (twos, ones)
    fail(first[0], 1)
    network.run()
    assert opened(second) == [1]
    fail(second[0], 1)
    network.run()
    fail(first[0], 3, 14, (b"grpc-message", b"the last"))
    network.run()
    assert call.code is StatusCode.UNAVAILABLE
    assert call.details == "the last"


def test_a_serious_failure_ends_it(network: Network) -> None:
    ones, twos = serve(network, ONE), serve(network, TWO)
    call = begin(network, hedging(network))
    network.advance(1)
    fail(ones[0], 1, 5)
    network.run()
    assert call.code is StatusCode.NOT_FOUND
    assert len(resets(twos)) == 1


def test_hedges_when_the_server_says_so(network: Network) -> None:
    ones, twos = serve(network, ONE), serve(network, TWO)
    begin(network, hedging(network))
    network.run()
    first, second = (ones, twos) if opened(ones) == [1] else (twos, ones)
    fail(first[0], 1, 14, (b"grpc-retry-pushback-ms", b"5000"))
    network.advance(4.9)
    assert opened(second) == [0]
    network.advance(0.2)
    assert opened(second) == [1]


def test_no_hedges_when_the_server_says_so(network: Network) -> None:
    ones, twos = serve(network, ONE), serve(network, TWO)
    call = begin(network, hedging(network))
    network.run()
    first = ones if opened(ones) == [1] else twos
    fail(first[0], 1, 14, (b"grpc-retry-pushback-ms", b"-1"))
    network.run()
    assert call.code is StatusCode.UNAVAILABLE


def test_hedges_are_throttled(network: Network) -> None:
    ones, twos = serve(network, ONE), serve(network, TWO)
    core = hedging(network, retryThrottling={"maxTokens": 1, "tokenRatio": 0.1})
    call = begin(network, core)
    network.run()
    first = ones if opened(ones) == [1] else twos
    fail(first[0], 1)
    network.run()
    assert call.code is StatusCode.UNAVAILABLE
    assert sum(opened(ones, twos)) == 1


def test_cancelling_cancels_all(network: Network) -> None:
    ones, twos = serve(network, ONE), serve(network, TWO)
    core = hedging(network)
    call = begin(network, core)
    network.advance(1)
    call.end(Outcome(StatusCode.CANCELLED))
    network.run()
    assert (len(resets(ones)), len(resets(twos))) == (1, 1)
    network.advance(10)
    assert sum(opened(ones, twos)) == 2
    assert not core._held


def test_the_channel_is_closed(network: Network) -> None:
    serve(network, ONE), serve(network, TWO)
    core = hedging(network)
    call = begin(network, core)
    network.advance(1)
    core.close()
    network.run()
    assert call.code is StatusCode.CANCELLED
    assert network.timers == []


def test_hedged_streams_of_requests(network: Network) -> None:
    ones, twos = serve(network, ONE), serve(network, TWO)
    call = begin(network, hedging(network), None)
    network.run()
    assert call.send(call.pack(b"one"))
    network.advance(1)
    assert call.send(call.pack(b"two"))
    network.run()
    assert (
        payloads(ones[0], 1)
        == payloads(twos[0], 1)
        == [
            (message(b"one"), 0),
            (message(b"two"), 0),
        ]
    )
    ones[0].send(headers(1, RESPONSE))
    network.run()
    assert len(resets(twos)) == 1
    assert call.send(call.pack(b"three"))
    assert call.half_close()
    network.run()
    assert payloads(ones[0], 1)[2:] == [(message(b"three"), 0), (b"", 1)]
    ones[0].send(data(1, message(b"response")), headers(1, TRAILERS, end=True))
    network.run()
    assert call.code is StatusCode.OK


def test_the_end_of_requests_goes_to_every_hedge(network: Network) -> None:
    ones, twos = serve(network, ONE), serve(network, TWO)
    call = begin(network, hedging(network), None)
    network.run()
    assert call.send(call.pack(b"one"))
    assert call.half_close()
    network.advance(1)
    expected = [(message(b"one"), 0), (b"", 1)]
    assert payloads(ones[0], 1) == payloads(twos[0], 1) == expected


def test_more_than_can_be_kept_decides_it(network: Network) -> None:
    ones, twos = serve(network, ONE), serve(network, TWO)
    core = hedging(network, ("grpc.per_rpc_retry_buffer_size", 12))
    call = begin(network, core, None)
    network.advance(1)
    for each in (b"one", b"two"):
        assert call.send(call.pack(each))
    network.run()
    assert call.attempt is not None
    assert len(resets(ones)) + len(resets(twos)) == 1
    assert call.send(call.pack(b"three"))
    network.run()
    winner = ones if not resets(ones) else twos
    assert [payload for payload, _ in payloads(winner[0], 1)] == [
        message(b"one"),
        message(b"two"),
        message(b"three"),
    ]


def test_more_than_can_be_kept_before_there_is_a_stream(network: Network) -> None:
    serve(network, ONE)
    network.answers[TWO] = "Connection refused"
    core = network.channel(
        BOTH,
        [
            ("grpc.per_rpc_retry_buffer_size", 12),
            (
                "grpc.service_config",
                json.dumps(
                    {
                        "methodConfig": [
                            {
                                "name": [{}],
                                "hedgingPolicy": {"maxAttempts": 2, "hedgingDelay": "1s"},
                            }
                        ]
                    }
                ),
            ),
        ],
    )
    core.connect()
    network.run()
    core.link = None
    call = begin(network, core, None)
    assert call.send(call.pack(b"one"))
    assert call.send(call.pack(b"two"))
    network.run()
    assert call.attempt is not None


def test_a_hedge_that_no_server_acted_on(network: Network) -> None:
    ones, twos = serve(network, ONE), serve(network, TWO)
    begin(network, hedging(network, attempts=2))
    network.run()
    first = ones if opened(ones) == [1] else twos
    first[0].send(frame(RST, 0, 1, (7).to_bytes(4, "big")))
    network.run()
    assert sum(opened(ones, twos)) == 2
    network.advance(1)
    assert sum(opened(ones, twos)) == 3


def test_no_connection_for_any_hedge(network: Network) -> None:
    network.answers[ONE] = network.answers[TWO] = "Connection refused"
    core = hedging(network)
    call = begin(network, core)
    network.advance(5)
    assert call.code is StatusCode.UNAVAILABLE
    assert "Connection refused" in call.details
    assert call.outcome is not None
    assert [attempt.peer for attempt in call.outcome.attempts] == ["", ""]
