"""A channel's connections: backoff, their end, and calls that wait for a stream."""

from __future__ import annotations

import pytest

from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode
from support.channels import CONNECTING, FAILED, IDLE, ONE, READY, answer, serve, states
from support.http2 import goaway, settings
from support.wire import Network, RawFar, begin, message

# How long until the channel looks for the first time whether it is in use.
IDLE_LOOK = 450.0

# Backoff


def test_backoff(network: Network) -> None:
    network.answers[ONE] = "Connection refused"
    core = network.channel(options=[("grpc.max_reconnect_backoff_ms", 3000)])
    seen = states(core)
    core.connect()
    network.advance(11)
    times = [round(when - 1000, 3) for _, when in network.attempts]
    assert times == [0, 1, 2.6, 5.16, 8.16]
    # gRFC A62: it stays so until it is READY.
    assert seen == [CONNECTING, FAILED]


@pytest.mark.parametrize(("jitter", "wait"), [(0.0, 0.8), (1.0, 1.2)])
def test_backoff_has_jitter(network: Network, jitter: float, wait: float) -> None:
    network.answers[ONE] = "Connection refused"
    network.jitter = jitter
    network.channel().connect()
    network.run()
    assert network.timers[0] == pytest.approx(wait)


def test_backoff_counts_from_the_beginning_of_the_attempt(network: Network) -> None:
    core = network.channel(options=[("grpc.initial_reconnect_backoff_ms", 30_000)])
    core.connect()
    network.advance(20)
    assert core.state is FAILED
    assert network.timers[0] == pytest.approx(10)


def test_an_attempt_that_took_longer_than_the_backoff(network: Network) -> None:
    core = network.channel()
    core.connect()
    network.advance(20)
    assert [when - 1000 for _, when in network.attempts] == [0, 20]


def test_a_connection_ends_the_backoff(network: Network) -> None:
    network.answers[ONE] = "Connection refused"
    core = network.channel()
    core.connect()
    network.advance(5)
    fars = serve(network)
    network.advance(5)
    assert core.state is READY
    fars[0].close()
    network.run()
    assert core.state is IDLE
    network.answers[ONE] = "Connection refused"
    core.connect()
    network.run()
    assert network.timers[0] == pytest.approx(1)


def test_calls_fail_at_once_during_the_backoff(network: Network) -> None:
    network.answers[ONE] = "Connection refused"
    core = network.channel()
    core.connect()
    network.run()
    call = begin(network, core)
    assert call.code is StatusCode.UNAVAILABLE
    assert "Connection refused" in call.details
    assert len(network.attempts) == 1


def test_wait_for_ready(network: Network) -> None:
    network.answers[ONE] = "Connection refused"
    core = network.channel()
    early = begin(network, core, wait_for_ready=True)
    network.run()
    late = begin(network, core, wait_for_ready=True)
    network.advance(3)
    assert early.outcome is None
    assert late.outcome is None
    [far] = [serve(network)]
    network.advance(3)
    assert far[0].requests() == [1, 3]


def test_wait_for_ready_until_the_deadline(network: Network) -> None:
    network.answers[ONE] = "Connection refused"
    core = network.channel()
    call = begin(network, core, wait_for_ready=True, timeout=5)
    network.advance(5)
    assert call.code is StatusCode.DEADLINE_EXCEEDED
    assert "while waiting for a connection" in call.details
    assert "1.1.1.1:1: Connection refused" in call.details


# The connection ends


def test_a_lost_connection_leads_to_idle(network: Network) -> None:
    fars, core = serve(network), network.channel()
    seen = states(core)
    call = begin(network, core)
    network.run()
    fars[0].close()
    network.run()
    assert call.code is StatusCode.UNAVAILABLE
    assert seen == [CONNECTING, READY, IDLE]
    assert core.links == set()
    assert network.timers == [IDLE_LOOK]
    begin(network, core)
    network.run()
    assert core.state is READY
    assert len(fars) == 2


def test_goaway_moves_new_calls_to_a_new_connection(network: Network) -> None:
    fars, core = serve(network), network.channel()
    old = begin(network, core)
    network.run()
    fars[0].send(goaway(1))
    network.run()
    assert core.state is IDLE
    new = begin(network, core)
    network.run()
    assert len(core.links) == 2
    assert fars[1].requests() == [1]
    answer(fars[0], 1, b"old")
    answer(fars[1], 1, b"new")
    network.run()
    assert (old.response, new.response) == (b"old", b"new")
    assert len(core.links) == 1
    assert core.state is READY


def test_calls_that_wait_for_a_stream_move_at_goaway(network: Network) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    core = network.channel()
    calls = [begin(network, core) for _ in range(2)]
    network.run()
    assert fars[0].requests() == [1]
    fars[0].send(goaway(1))
    network.run()
    assert fars[1].requests() == [1]
    answer(fars[0], 1)
    answer(fars[1], 1)
    network.run()
    assert [call.code for call in calls] == [StatusCode.OK] * 2


def test_a_call_meets_a_connection_that_the_channel_does_not_know_to_be_over() -> None:
    network = Network()
    network.posts = True
    fars, core = serve(network), network.channel()
    core.connect()
    network.run()
    assert core.link is not None
    core.link.connection.connection_lost("gone")
    call = begin(network, core)
    network.run()
    assert fars[1].requests() == [1]
    answer(fars[1], 1)
    network.run()
    assert call.code is StatusCode.OK


def test_a_connection_that_dies_with_the_settings() -> None:
    network = Network()
    network.posts = True

    def far() -> RawFar:
        far = RawFar(settings())
        far.close()
        return far

    network.answers[ONE] = far
    core = network.channel()
    call = begin(network, core)
    network.run()
    assert core.state is FAILED
    assert "1.1.1.1:1: connected, but the peer closed the connection" in call.details


# More calls than streams


def test_calls_queue_for_streams(network: Network) -> None:
    fars = serve(network, ONE, settings({3: 2}))
    core = network.channel()
    calls = [begin(network, core, bytes([n])) for n in range(5)]
    network.run()
    assert fars[0].requests() == [1, 3]
    answer(fars[0], 3)
    network.run()
    assert fars[0].requests() == [5]
    answer(fars[0], 1)
    answer(fars[0], 5)
    network.run()
    assert fars[0].requests() == [7, 9]
    answer(fars[0], 7)
    answer(fars[0], 9)
    network.run()
    assert [call.code for call in calls] == [StatusCode.OK] * 5
    bodies = [each.payload for each in fars[0].received if each.kind == 0]
    assert bodies == [message(bytes([n])) for n in range(5)]


def test_calls_wait_until_streams_are_allowed_at_all(network: Network) -> None:
    fars = serve(network, ONE, settings({3: 0}))
    core = network.channel()
    begin(network, core)
    network.run()
    assert core.state is READY
    assert fars[0].requests() == []
    fars[0].send(settings({3: 1}))
    network.run()
    assert fars[0].requests() == [1]


def test_a_call_that_waits_for_a_stream_can_be_given_up(network: Network) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    core = network.channel()
    begin(network, core)
    cancelled = begin(network, core)
    late = begin(network, core, timeout=2)
    last = begin(network, core)
    network.run()
    cancelled.end(Outcome(StatusCode.CANCELLED))
    network.advance(2)
    assert late.code is StatusCode.DEADLINE_EXCEEDED
    answer(fars[0], 1)
    network.run()
    assert fars[0].requests() == [1, 3]
    answer(fars[0], 3)
    network.run()
    assert last.code is StatusCode.OK


def test_a_lost_connection_takes_those_that_wait_along_to_the_next(network: Network) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    core = network.channel()
    first, second = begin(network, core), begin(network, core)
    network.run()
    fars[0].close()
    network.run()
    assert first.code is StatusCode.UNAVAILABLE
    assert fars[1].requests() == [1]
    assert second.outcome is None


def test_connections_that_do_not_last(network: Network) -> None:
    """The first ones are replaced at once, as after a restart; then with backoff."""
    fars = serve(network)
    core = network.channel(
        options=[("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}')]
    )
    core.connect()
    network.run()
    for count in (1, 2, 3):
        assert len(fars) == count
        fars[-1].close()
        network.run()
    assert len(fars) == 3
    assert core.state is FAILED
    assert core.last_failure == "1.1.1.1:1: each connection was closed soon after it was made"
    network.advance(1)
    assert core.state is READY
    fars[-1].close()
    network.advance(1.5)
    assert len(fars) == 4
    network.advance(0.1)
    assert len(fars) == 5
    network.advance(60)
    fars[-1].close()
    network.run()
    assert len(fars) == 6


# Several connections to one address (gRFC A105)

SCALING = [("grpc.service_config", '{"connectionScaling": {"maxConnectionsPerSubchannel": 2}}')]


def test_a_second_connection_when_the_first_is_full(network: Network) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    core = network.channel(options=SCALING)
    calls = [begin(network, core) for _ in range(3)]
    network.run()
    assert [far.requests() for far in fars] == [[1], [1]]
    assert core.state is READY
    answer(fars[0], 1)
    answer(fars[1], 1)
    network.run()
    assert [far.requests() for far in fars] == [[], [3]]
    answer(fars[1], 3)
    network.run()
    assert [call.code for call in calls] == [StatusCode.OK] * 3
    # The next ones fill both again.
    calls = [begin(network, core) for _ in range(2)]
    network.run()
    assert sum(len(far.requests()) for far in fars) == 2


def test_there_are_no_more_than_allowed(network: Network) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    core = network.channel(options=SCALING)
    for _ in range(9):
        begin(network, core)
    network.advance(10)
    assert len(fars) == 2


def test_a_second_connection_that_fails(network: Network) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    core = network.channel(options=SCALING)
    calls = [begin(network, core)]
    network.run()
    network.answers[ONE] = "Connection refused"
    calls.append(begin(network, core))
    network.run()
    assert core.state is READY
    calls.append(begin(network, core))
    network.advance(0.5)
    assert len(network.attempts) == 2
    answer(fars[0], 1)
    network.run()
    assert fars[0].requests()[-1] == 3
    assert calls[1].outcome is None


def test_a_second_connection_is_tried_again(network: Network) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    core = network.channel(options=SCALING)
    begin(network, core)
    network.run()
    refuse = network.answers.pop(ONE)
    network.answers[ONE] = "Connection refused"
    begin(network, core)
    network.run()
    network.answers[ONE] = refuse
    network.advance(1)
    assert [far.requests() for far in fars] == [[1], [1]]


def test_the_first_is_lost_while_the_second_waits_to_be_tried_again(network: Network) -> None:
    """gRFC A105: the wait is over when it is over."""
    fars = serve(network, ONE, settings({3: 1}))
    core = network.channel(options=SCALING)
    begin(network, core)
    network.run()
    network.answers[ONE] = "Connection refused"
    waits = begin(network, core)
    network.run()
    fars[0].close()
    network.run()
    assert core.state is FAILED
    assert "Connection refused" in waits.details
    assert len(network.attempts) == 2
    serve(network)
    network.advance(1)
    assert core.state is READY
    assert len(network.attempts) == 3


def test_the_first_is_lost_while_the_second_is_being_made(network: Network) -> None:
    """gRFC A105: then that is the next one."""
    fars = serve(network, ONE, settings({3: 1}))
    core = network.channel(options=SCALING)
    begin(network, core)
    network.run()
    del network.answers[ONE]
    waits = begin(network, core)
    network.run()
    fars[0].close()
    network.run()
    assert core.state is CONNECTING
    [done] = network.late
    far = RawFar(settings())
    done(far)
    network.run()
    assert core.state is READY
    assert len(network.attempts) == 2
    answer(far, 1)
    network.run()
    assert waits.code is StatusCode.OK


@pytest.mark.parametrize(("cap", "most"), [(None, 10), (2, 2), (20, 12)])
def test_the_application_has_a_say_in_how_many(
    network: Network, cap: int | None, most: int
) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    scaling = '{"connectionScaling": {"maxConnectionsPerSubchannel": 12}}'
    arguments = [("grpc.max_connections_per_subchannel_cap", cap)] if cap else []
    core = network.channel(options=[("grpc.service_config", scaling), *arguments])
    for _ in range(20):
        begin(network, core)
    network.advance(10)
    assert len(fars) == most


def test_out_of_time_while_all_streams_are_taken(network: Network) -> None:
    serve(network, ONE, settings({3: 1}))
    core = network.channel()
    begin(network, core)
    network.run()
    call = begin(network, core, timeout=1)
    network.advance(1)
    assert call.details == (
        "Deadline Exceeded while waiting for a free stream: ipv4:1.1.1.1:1 takes 1 at a time"
    )


def test_one_of_two_connections_is_lost(network: Network) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    core = network.channel(options=SCALING)
    calls = [begin(network, core) for _ in range(2)]
    network.run()
    fars[1].close()
    network.run()
    assert core.state is READY
    assert calls[1].code is StatusCode.UNAVAILABLE
    answer(fars[0], 1)
    network.run()
    begin(network, core)
    network.run()
    assert fars[0].requests() == [1, 3]
    fars[0].close()
    network.run()
    assert core.state is IDLE
