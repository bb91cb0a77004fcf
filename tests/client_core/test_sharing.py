"""Channels that share their connections."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from clarion.client_core import ChannelOptions
from clarion.client_core.sharing import Pool, SharingChannelCore, pool_of
from clarion.protocol.outcome import Outcome
from clarion.resolver.registry import target_of
from clarion.status import StatusCode
from support.channels import CONNECTING, FAILED, IDLE, ONE, READY, answer, serve, states
from support.http2 import GOAWAY, RST, frame, settings
from support.wire import Network, RawFar, begin

ROUND_ROBIN = ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}')


class Sharers:
    """Channels of one pool."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.pool = Pool(network)

    def channel(
        self, *options: tuple[str, Any], target: str = "ipv4:1.1.1.1:1", credentials: Any = None
    ) -> SharingChannelCore:
        read = ChannelOptions.read([*options, ("grpc.use_local_subchannel_pool", 0)])
        return SharingChannelCore(
            self._network, target_of(target), read, None, self.pool, credentials
        )


@pytest.fixture
def sharers(network: Network) -> Sharers:
    return Sharers(network)


def goaway(last: int, code: int = 0, debug: bytes = b"") -> bytes:
    return frame(GOAWAY, 0, 0, last.to_bytes(4, "big") + code.to_bytes(4, "big") + debug)


def pair(network: Network, sharers: Sharers, *options: Any) -> tuple[list[RawFar], Any, Any]:
    """Two channels that are connected."""
    fars = serve(network)
    one, two = sharers.channel(*options), sharers.channel(*options)
    one.connect()
    two.connect()
    network.run()
    assert (one.state, two.state) == (READY, READY)
    return fars, one, two


def test_one_connection_for_both(network: Network, sharers: Sharers) -> None:
    fars, one, two = pair(network, sharers)
    calls = [begin(network, core) for core in (one, two)]
    network.run()
    assert len(fars) == 1
    assert fars[0].requests() == [1, 3]
    answer(fars[0], 3)
    answer(fars[0], 1)
    network.run()
    assert [call.code for call in calls] == [StatusCode.OK] * 2


def test_who_comes_later_finds_it(network: Network, sharers: Sharers) -> None:
    fars, one = serve(network), sharers.channel()
    one.connect()
    network.run()
    two = sharers.channel()
    seen = states(two)
    begin(network, two)
    network.run()
    assert seen == [CONNECTING, READY]
    assert len(fars) == 1
    assert fars[0].requests() == [1]


@pytest.mark.parametrize(
    ("options", "credentials"),
    [
        ([("grpc.keepalive_time_ms", 1000)], None),
        ([("my.own", 1)], None),
        ([("my.own", object)], None),
        ([], "other"),
    ],
)
def test_what_makes_connections_different(
    network: Network, sharers: Sharers, options: list[Any], credentials: Any
) -> None:
    options = [(name, 7 if value is object else value) for name, value in options]
    fars = serve(network)
    for core in (sharers.channel(), sharers.channel(*options, credentials=credentials)):
        core.connect()
    network.run()
    assert len(fars) == 2


@pytest.mark.parametrize(
    "option", [("grpc.max_receive_message_length", 1), ROUND_ROBIN, ("grpc.enable_retries", 0)]
)
def test_what_does_not(network: Network, sharers: Sharers, option: Any) -> None:
    fars = serve(network)
    for core in (sharers.channel(), sharers.channel(option)):
        core.connect()
    network.run()
    assert len(fars) == 1


def test_limits_of_messages_are_each_channels_own(network: Network, sharers: Sharers) -> None:
    fars = serve(network)
    cores = [sharers.channel(("grpc.max_receive_message_length", size)) for size in (1, 100)]
    calls = [begin(network, core) for core in cores]
    network.run()
    for sid in (1, 3):
        answer(fars[0], sid, b"response")
    network.run()
    assert [call.code for call in calls] == [StatusCode.RESOURCE_EXHAUSTED, StatusCode.OK]


# Leaving


def test_closing_a_channel_ends_its_own_calls(network: Network, sharers: Sharers) -> None:
    fars, one, two = pair(network, sharers)
    mine, other = begin(network, one), begin(network, two)
    network.run()
    one.close()
    network.run()
    assert mine.code is StatusCode.CANCELLED
    assert mine.details == "Channel closed!"
    assert [each.kind for each in fars[0].received].count(RST) == 1
    assert other.outcome is None
    answer(fars[0], 3)
    network.run()
    assert other.code is StatusCode.OK
    assert not fars[0].closed
    two.close()
    network.run()
    assert fars[0].closed
    assert sharers.pool.links == {}


def test_closing_a_channel_ends_its_own_waiting_calls(network: Network, sharers: Sharers) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    one, two = sharers.channel(), sharers.channel()
    first = begin(network, two)
    network.run()
    mine, other = begin(network, one), begin(network, two)
    network.run()
    one.close()
    network.run()
    assert mine.code is StatusCode.CANCELLED
    answer(fars[0], 1)
    network.run()
    assert first.code is StatusCode.OK
    assert fars[0].requests() == [1, 3]
    answer(fars[0], 3)
    network.run()
    assert other.code is StatusCode.OK


def test_closing_in_good_order_waits_for_its_own_calls(network: Network, sharers: Sharers) -> None:
    fars, one, two = pair(network, sharers)
    mine, other = begin(network, one), begin(network, two)
    network.run()
    over: list[bool] = []
    assert one.when_idle(lambda: over.append(True))
    network.advance(1)
    assert over == []
    answer(fars[0], 1)
    network.advance(0.1)
    assert over == [True]
    assert mine.code is StatusCode.OK
    one.close()
    network.run()
    assert other.outcome is None
    assert not fars[0].closed


def test_the_last_one_closes_in_good_order(network: Network, sharers: Sharers) -> None:
    fars, one, two = pair(network, sharers)
    mine = begin(network, two)
    network.run()
    one.close()
    assert two.when_idle(lambda: None)
    answer(fars[0], 1)
    network.advance(0.1)
    assert mine.code is StatusCode.OK
    assert fars[0].closed


def test_both_close_in_good_order_at_the_same_time(network: Network, sharers: Sharers) -> None:
    fars, one, two = pair(network, sharers)
    calls = [begin(network, core) for core in (one, two)]
    network.run()
    over: list[int] = []
    assert one.when_idle(lambda: over.append(1))
    assert two.when_idle(lambda: over.append(2))
    answer(fars[0], 1)
    answer(fars[0], 3)
    network.advance(1)
    assert sorted(over) == [1, 2]
    assert [call.code for call in calls] == [StatusCode.OK] * 2
    assert fars[0].closed


def test_each_is_idle_by_itself(network: Network, sharers: Sharers) -> None:
    fars = serve(network)
    idle = ("grpc.client_idle_timeout_ms", 4000)
    one, two = sharers.channel(idle), sharers.channel(idle)
    begin(network, one)
    for turn in range(8):
        call = begin(network, two)
        network.run()
        if not turn:
            answer(fars[0], 1)
        answer(fars[0], 3 + 2 * turn)
        network.advance(1)
        assert call.code is StatusCode.OK
    assert (one.state, two.state) == (IDLE, READY)
    begin(network, one)
    network.run()
    assert one.state is READY
    assert len(fars) == 1
    network.advance(60)
    # A call is in progress there.
    assert (one.state, two.state) == (READY, IDLE)


# What becomes of the connection


def test_a_lost_connection_is_lost_to_all(network: Network, sharers: Sharers) -> None:
    fars, one, two = pair(network, sharers)
    calls = [begin(network, core) for core in (one, two)]
    network.run()
    fars[0].close()
    network.run()
    assert [call.code for call in calls] == [StatusCode.UNAVAILABLE] * 2
    assert (one.state, two.state) == (IDLE, IDLE)
    assert one.links == two.links == set()
    for core in (one, two):
        begin(network, core)
    network.run()
    assert len(fars) == 2
    assert fars[1].requests() == [1, 3]


def test_goaway(network: Network, sharers: Sharers) -> None:
    fars, one, two = pair(network, sharers)
    calls = [begin(network, core) for core in (one, two)]
    network.run()
    fars[0].send(goaway(3))
    network.run()
    assert (one.state, two.state) == (IDLE, IDLE)
    calls += [begin(network, core) for core in (one, two)]
    network.run()
    for far, sid in ((fars[0], 1), (fars[0], 3), (fars[1], 1), (fars[1], 3)):
        answer(far, sid)
    network.run()
    assert [call.code for call in calls] == [StatusCode.OK] * 4


def test_those_that_wait_for_a_stream_stay_their_channels(
    network: Network, sharers: Sharers
) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    one, two = sharers.channel(), sharers.channel()
    calls = [begin(network, core) for core in (one, one, two)]
    network.run()
    fars[0].send(goaway(1))
    network.run()
    assert fars[1].requests() == [1]
    one.close()
    network.run()
    assert [call.outcome is None for call in calls] == [False, False, True]
    assert fars[1].requests() == [3]
    two.close()


def test_all_ping_less(network: Network, sharers: Sharers) -> None:
    fars, one, two = pair(network, sharers, ("grpc.keepalive_time_ms", 1000))
    fars[0].send(goaway(0, 11, b"too_many_pings"))
    network.run()
    assert one.http2.keepalive.time == two.http2.keepalive.time == 2.0


def test_another_connection_when_it_is_full(network: Network, sharers: Sharers) -> None:
    scaling = ("grpc.service_config", '{"connectionScaling": {"maxConnectionsPerSubchannel": 2}}')
    fars = serve(network, ONE, settings({3: 1}))
    one, two = sharers.channel(scaling), sharers.channel(scaling)
    calls = [begin(network, core) for core in (one, two)]
    network.run()
    assert [far.requests() for far in fars] == [[1], [1]]
    for far in fars:
        answer(far, 1)
    network.run()
    assert [call.code for call in calls] == [StatusCode.OK] * 2
    one.close()
    two.close()
    network.run()
    assert all(far.closed for far in fars)


# Connecting


def test_all_wait_for_one_attempt(network: Network, sharers: Sharers) -> None:
    one, two = sharers.channel(), sharers.channel()
    for core in (one, two):
        core.connect()
    network.run()
    assert len(network.attempts) == 1
    one.close()
    [done] = network.late
    far = RawFar(settings())
    done(far)
    network.run()
    assert two.state is READY
    two.close()
    network.run()
    assert far.closed


def test_nobody_waits_any_more(network: Network, sharers: Sharers) -> None:
    core = sharers.channel()
    core.connect()
    network.run()
    core.close()
    [done] = network.late
    far = RawFar(settings())
    done(far)
    network.run()
    assert far.closed
    assert sharers.pool.links == {}


def test_nobody_waits_any_more_for_the_settings(network: Network, sharers: Sharers) -> None:
    fars, core = serve(network, ONE, b""), sharers.channel()
    core.connect()
    network.run()
    assert core.state is CONNECTING
    late = sharers.channel()
    late.connect()
    network.run()
    core.close()
    network.run()
    assert len(fars) == 1
    assert not fars[0].closed
    late.close()
    network.run()
    assert fars[0].closed


def test_a_failure_is_everybodys(network: Network, sharers: Sharers) -> None:
    network.answers[ONE] = "Connection refused"
    one, two = sharers.channel(ROUND_ROBIN), sharers.channel(ROUND_ROBIN)
    one.connect()
    network.advance(0.5)
    two.connect()
    network.run()
    assert (one.state, two.state) == (FAILED, FAILED)
    assert two.last_failure == "1.1.1.1:1: Connection refused"
    assert len(network.attempts) == 1
    # 1 s, then 1.6 s, and so on, for both together.
    network.advance(0.6)
    assert len(network.attempts) == 2
    network.advance(1.6)
    assert len(network.attempts) == 3
    fars = serve(network)
    network.advance(2.6)
    assert (one.state, two.state) == (READY, READY)
    assert len(fars) == 1


def test_nobody_answers(network: Network, sharers: Sharers) -> None:
    one, two = sharers.channel(ROUND_ROBIN), sharers.channel(ROUND_ROBIN)
    one.connect()
    network.advance(5)
    two.connect()
    network.advance(21)
    assert (one.state, two.state) == (FAILED, FAILED)
    assert one.last_failure == "1.1.1.1:1: no answer within 20 s"
    assert len(network.attempts) <= 2


def test_a_connection_that_dies_before_it_is_ready(network: Network, sharers: Sharers) -> None:
    def far() -> RawFar:
        far = RawFar()
        far.close()
        return far

    network.answers[ONE] = far
    one, two = sharers.channel(), sharers.channel()
    for core in (one, two):
        core.connect()
    network.run()
    assert (one.state, two.state) == (FAILED, FAILED)
    assert "connected, but the peer closed the connection" in one.last_failure
    assert len(network.attempts) == 1


def test_news_before_there_is_a_link(network: Network, sharers: Sharers) -> None:
    network.early = True
    _, one, two = pair(network, sharers)
    assert one.links == two.links != set()


def test_a_call_that_ends_while_it_waits(network: Network, sharers: Sharers) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    one, two = sharers.channel(), sharers.channel()
    calls = [begin(network, core) for core in (two, one, two)]
    network.run()
    calls[1].end(Outcome(StatusCode.CANCELLED))
    answer(fars[0], 1)
    network.run()
    answer(fars[0], 3)
    network.run()
    assert [call.code for call in calls] == [
        StatusCode.OK,
        StatusCode.CANCELLED,
        StatusCode.OK,
    ]


# The pool


def test_places_are_forgotten(network: Network, sharers: Sharers) -> None:
    for port in range(1, 400):
        core = sharers.channel(target=f"ipv4:9.9.9.9:{port}")
        core.connect()
        core.close()
        network.advance(5)
    assert len(sharers.pool._places) <= 200


def test_a_pool_lives_as_long_as_its_channels() -> None:
    class Loop:
        pass

    loop, network = Loop(), Network()
    pool = pool_of(loop, lambda: network)
    assert pool_of(loop, lambda: network) is pool
    assert pool_of(Loop(), lambda: network) is not pool
    del pool
    gc.collect()
    assert pool_of(loop, lambda: Network()).runtime is not network
