"""Hedged calls between one state and the next: what is sent meanwhile, what is throttled, what is told to whom."""

from __future__ import annotations

import json
from typing import Any

from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode
from support.channels import ONE, answer, serve
from support.http2 import DATA, HEADERS, RESPONSE, RST, frame, headers, settings
from support.wire import Network, RawFar, begin, message

REFUSED = (7).to_bytes(4, "big")


def hedging(
    network: Network,
    *more: tuple[str, Any],
    codes: tuple[str, ...] = ("UNAVAILABLE",),
    **top: Any,
) -> Any:
    policy = {"maxAttempts": 3, "hedgingDelay": "1s", "nonFatalStatusCodes": codes}
    config = {"methodConfig": [{"name": [{}], "hedgingPolicy": policy}], **top}
    return network.channel(options=[("grpc.service_config", json.dumps(config)), *more])


def fail(far: RawFar, sid: int, *more: tuple[bytes, bytes]) -> None:
    far.send(headers(sid, (*RESPONSE, (b"grpc-status", b"14"), *more), end=True))


def sent(far: RawFar, sid: int) -> list[tuple[bytes, int]]:
    return [
        (each.payload, each.flags) for each in far.received if each.kind == DATA and each.sid == sid
    ]


def test_what_decides_a_call_is_written(network: Network) -> None:
    """A message that is too much to be kept leaves, although no other follows."""
    [fars, core] = serve(network), hedging(network, ("grpc.per_rpc_retry_buffer_size", 10))
    call = begin(network, core, None)
    network.run()
    before = network.links[0].flushes
    assert call.send(call.pack(b"a long one"))
    network.run()
    assert call.attempt is not None
    assert network.links[0].flushes > before
    assert sent(fars[0], 1) == [(message(b"a long one"), 0)]


def test_good_calls_give_tokens_back(network: Network) -> None:
    throttling = {"maxTokens": 4, "tokenRatio": 1}
    [fars, core] = serve(network), hedging(network, retryThrottling=throttling)
    begin(network, core)
    network.run()
    for sid in (1, 3):
        fail(fars[0], sid)
        network.run()
    assert core.throttle is not None
    assert not core.throttle.allows
    for sid in (5, 7, 9):
        begin(network, core)
        network.run()
        answer(fars[0], sid)
        network.run()
    assert core.throttle.allows


def test_a_cancelled_call_costs_no_token(network: Network) -> None:
    throttling = {"maxTokens": 2, "tokenRatio": 1}
    fars = serve(network)
    core = hedging(network, codes=("CANCELLED",), retryThrottling=throttling)
    call = begin(network, core)
    network.run()
    fars[0].send(headers(1, RESPONSE))
    network.run()
    call.end(Outcome(StatusCode.CANCELLED))
    assert core.throttle is not None
    assert core.throttle.allows


def test_throttled_when_the_server_wants_the_next(network: Network) -> None:
    """The call has no try then, and there will be none."""
    throttling = {"maxTokens": 4, "tokenRatio": 0.1}
    [fars, core] = serve(network), hedging(network, retryThrottling=throttling)
    call = begin(network, core)
    network.run()
    fail(fars[0], 1, (b"grpc-message", b"busy"), (b"grpc-retry-pushback-ms", b"5000"))
    network.run()
    assert call.outcome is None
    core.throttle.failed()
    network.advance(5)
    assert (call.code, call.details) == (StatusCode.UNAVAILABLE, "busy")


def test_the_last_failure_says_where(network: Network) -> None:
    [fars, core] = serve(network), hedging(network)
    call = begin(network, core)
    network.run()
    for sid in (1, 3, 5):
        fail(fars[0], sid)
        network.run()
    assert call.outcome is not None
    assert "peer ipv4:1.1.1.1:1" in call.outcome.debug


def test_requests_are_not_lost_on_streams_that_are_refused(network: Network) -> None:
    """The last of them ends the call; it is not tried once more without the requests."""
    [fars, core] = serve(network), hedging(network, codes=())
    call = begin(network, core, None)
    network.run()
    assert call.send(call.pack(b"one"))
    assert call.half_close()
    network.run()
    for sid in (1, 3):
        fars[0].send(frame(RST, 0, sid, REFUSED))
        network.run()
    assert call.code is StatusCode.UNAVAILABLE
    opened = [each.sid for each in fars[0].received if each.kind == HEADERS]
    assert opened == [1, 3]
    assert sent(fars[0], 3) == sent(fars[0], 1) == [(message(b"one"), 0), (b"", 1)]


def test_the_end_of_requests_before_there_is_a_connection(network: Network) -> None:
    [fars, core] = serve(network), hedging(network)
    call = begin(network, core, None)
    assert call.half_close()
    network.run()
    assert sent(fars[0], 1) == [(b"", 1)]


def test_the_end_of_requests_once_it_is_decided(network: Network) -> None:
    [fars, core] = serve(network), hedging(network)
    call = begin(network, core, None)
    network.run()
    hedges = call.hedging
    fars[0].send(headers(1, RESPONSE))
    network.run()
    assert hedges is not None
    # Who asks the tries, because there was no attempt yet, hears that it has to ask again.
    assert not hedges.half_close()
    assert not hedges.offer(call.pack(b"late"))
    assert call.half_close()
    network.run()
    assert sent(fars[0], 1) == [(b"", 1)]


def test_the_call_ends_while_a_try_becomes_its_attempt(network: Network) -> None:
    """As another thread sees it: there is an attempt, and hedging is over."""
    [fars, core] = serve(network), hedging(network)
    call = begin(network, core, None)
    network.run()
    hedges = call.hedging
    fars[0].send(headers(1, RESPONSE))
    network.run()
    attempt = call.attempt
    call.attempt, call.hedging = None, hedges
    call.end(Outcome(StatusCode.CANCELLED))
    assert call.outcome is None
    call.attempt, call.hedging = attempt, None
    network.run()
    assert call.code is StatusCode.CANCELLED
    assert [each.kind for each in fars[0].received][-1] == RST


def test_half_closed_while_a_try_becomes_its_attempt(network: Network) -> None:
    [fars, core] = serve(network), hedging(network)
    call = begin(network, core, None)
    network.run()
    fars[0].send(headers(1, RESPONSE))
    hedges = call.hedging
    network.run()
    attempt = call.attempt
    call.attempt, call.hedging = None, hedges
    assert not call.half_close()
    call.attempt, call.hedging = attempt, None
    assert call.half_close()


def test_a_try_that_waits_for_a_stream_and_moves(network: Network) -> None:
    """Each answer of a picker comes to an end."""
    fars = serve(network, ONE, settings({3: 1}))
    core = hedging(network, loadBalancingConfig=[{"least_request_experimental": {}}])
    first = begin(network, core)
    network.run()
    second = begin(network, core)
    network.run()
    fars[0].close()
    network.run()
    for _ in range(3):
        for sid in (1, 3, 5):
            answer(fars[-1], sid)
        network.advance(1)
    assert first.outcome is not None
    assert second.outcome is not None
    [(counter, _)] = core._selector.picker._servers
    assert counter.active == 0


def test_no_cycles(network: Network) -> None:
    [fars, core] = serve(network), hedging(network)
    call = begin(network, core)
    network.advance(1)
    hedges = call.hedging
    assert hedges is not None
    tries = list(hedges._tries)
    answer(fars[0], 3)
    network.run()
    assert call.code is StatusCode.OK
    assert [this.attempt for this in tries] == [None, None]


def test_out_of_time(network: Network) -> None:
    """What it waited for is said where no server had it."""
    network.answers[ONE] = "Connection refused"
    core = hedging(network)
    waits = begin(network, core, wait_for_ready=True, timeout=1)
    network.advance(1)
    assert waits.details == (
        "Deadline Exceeded while waiting for a connection; "
        "last error: 1.1.1.1:1: Connection refused"
    )
    serve(network)
    network.advance(5)
    has_one = begin(network, core, timeout=1)
    network.advance(1)
    assert has_one.details == "Deadline Exceeded"
