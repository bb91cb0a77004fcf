"""A channel's states, with a clock and a network that tests move."""

from __future__ import annotations

import gc
import weakref

import pytest

from clarion.client_core import ChannelCore
from clarion.connectivity import ChannelConnectivity
from clarion.http2 import Abort
from clarion.protocol.outcome import Outcome
from clarion.resolver.target import HostPort
from clarion.status import StatusCode
from support.http2 import RESPONSE, TRAILERS, data, goaway, headers, settings
from support.wire import Call, Network, RawFar, begin, message

IDLE = ChannelConnectivity.IDLE
CONNECTING = ChannelConnectivity.CONNECTING
READY = ChannelConnectivity.READY
FAILED = ChannelConnectivity.TRANSIENT_FAILURE
SHUTDOWN = ChannelConnectivity.SHUTDOWN

ONE = HostPort("1.1.1.1", 1)
TWO = HostPort("2.2.2.2", 2)
BOTH = "ipv4:1.1.1.1:1,2.2.2.2:2"


@pytest.fixture(params=[False, True], ids=["told at once", "told later"])
def network(request: pytest.FixtureRequest) -> Network:
    network = Network()
    network.posts = bool(request.param)
    return network


def serve(network: Network, address: HostPort = ONE, *greeting: bytes) -> list[RawFar]:
    """Let `address` answer; return the far ends that it makes."""
    made: list[RawFar] = []

    def far() -> RawFar:
        made.append(RawFar(*(greeting or (settings(),))))
        return made[-1]

    network.answers[address] = far
    return made


def answer(far: RawFar, sid: int, payload: bytes = b"response") -> None:
    far.send(headers(sid, RESPONSE), data(sid, message(payload)), headers(sid, TRAILERS, end=True))


def states(core: ChannelCore) -> list[ChannelConnectivity]:
    seen: list[ChannelConnectivity] = []
    core.watch(seen.append)
    return seen


# Connecting


def test_it_is_idle_until_somebody_calls(network: Network) -> None:
    core = network.channel()
    network.advance(1000)
    assert core.state is IDLE
    assert network.attempts == []
    assert network.timers == []


def test_the_first_call_connects(network: Network) -> None:
    [fars, core] = serve(network), network.channel()
    seen = states(core)
    call = begin(network, core)
    network.run()
    assert seen == [CONNECTING, READY]
    # What looks whether the connection is in use; none of connecting is left.
    assert network.timers == [450.0]
    assert fars[0].requests() == [1]
    answer(fars[0], 1)
    network.run()
    assert call.code is StatusCode.OK
    assert call.response == b"response"


def test_calls_share_the_connection(network: Network) -> None:
    fars, core = serve(network), network.channel()
    calls = [begin(network, core) for _ in range(3)]
    network.run()
    calls.append(begin(network, core))
    network.run()
    assert fars[0].requests() == [1, 3, 5, 7]
    assert len(network.attempts) == 1


def test_connect_leaves_idle_only(network: Network) -> None:
    serve(network)
    core = network.channel()
    core.connect()
    core.connect()
    network.run()
    core.connect()
    assert core.state is READY
    assert len(network.attempts) == 1


def test_bytes_may_come_before_the_news_of_the_connection(network: Network) -> None:
    network.early = True
    fars, core = serve(network), network.channel()
    begin(network, core)
    network.run()
    assert core.state is READY
    assert fars[0].requests() == [1]


def test_every_address_is_tried(network: Network) -> None:
    network.answers[ONE] = "Connection refused"
    fars, core = serve(network, TWO), network.channel(BOTH)
    seen = states(core)
    begin(network, core)
    network.run()
    assert [address for address, _ in network.attempts] == [ONE, TWO]
    assert seen == [CONNECTING, READY]
    assert fars[0].requests() == [1]


def test_every_address_is_named_in_the_error(network: Network) -> None:
    network.answers[ONE] = "Connection refused"
    network.answers[TWO] = "No route to host"
    core = network.channel(BOTH)
    call = begin(network, core)
    network.run()
    assert call.code is StatusCode.UNAVAILABLE
    assert call.details == (
        "failed to connect to all addresses; last error: "
        "1.1.1.1:1: Connection refused; 2.2.2.2:2: No route to host"
    )
    assert call.outcome is not None
    assert call.outcome.unprocessed
    assert "1.1.1.1:1" in call.outcome.debug


def test_a_thousand_addresses_that_fail_at_once(network: Network) -> None:
    addresses = [HostPort(f"1.1.{n // 250}.{n % 250}", 1) for n in range(1000)]
    network.answers.update(dict.fromkeys(addresses, "Network is unreachable"))
    core = network.channel("ipv4:" + ",".join(map(str, addresses)))
    call = begin(network, core)
    network.run()
    assert call.code is StatusCode.UNAVAILABLE
    assert len(network.attempts) == 1000


def test_an_address_that_does_not_answer(network: Network) -> None:
    serve(network, TWO)
    core = network.channel(BOTH)
    begin(network, core)
    network.advance(19.9)
    assert core.state is CONNECTING
    network.advance(0.2)
    assert core.state is READY
    assert [when - 1000 for _, when in network.attempts] == [0, 20]


def test_an_answer_that_comes_too_late_is_closed(network: Network) -> None:
    serve(network, TWO)
    core = network.channel(BOTH)
    begin(network, core)
    network.advance(21)
    late = RawFar(settings())
    network.late[0](late)
    network.run()
    assert late.closed
    assert core.state is READY
    assert len(core.links) == 1


def test_a_refusal_that_comes_too_late_says_nothing(network: Network) -> None:
    serve(network, TWO)
    core = network.channel(BOTH)
    begin(network, core)
    network.advance(21)
    network.late[0]("Connection refused")
    network.run()
    assert core.state is READY
    assert core.last_failure == ""


def test_a_server_that_never_sends_settings(network: Network) -> None:
    fars = serve(network, ONE, b"")
    core = network.channel(options=[("grpc.min_reconnect_backoff_ms", 5000)])
    call = begin(network, core)
    network.advance(4.9)
    assert core.state is CONNECTING
    network.advance(0.2)
    assert call.details.endswith("1.1.1.1:1: no answer within 5 s")
    assert fars[0].closed
    # The next attempt began at once, because this one took longer than the backoff.
    assert [link.far for link in core.links] == fars[1:]  # type: ignore[attr-defined]


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize(
    ("greeting", "text"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak HTTP/2"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP/1.1"),
        (b"\x15\x03\x01\0\2\2\x16\0\0", "TLS"),
        (b"", "closed the connection"),
        (b"220", "closed the connection"),
    ],
)
def test_what_is_no_http2_server(network: Network, greeting: bytes, text: str, early: bool) -> None:
    network.early = early

    def far() -> RawFar:
        far = RawFar(greeting)
        far.close()
        return far

    network.answers[ONE] = far
    call = begin(network, network.channel())
    network.run()
    assert call.code is StatusCode.UNAVAILABLE
    assert "last error: 1.1.1.1:1: connected, but " in call.details
    assert text in call.details
    assert "NO_ERROR" not in call.details


def test_a_server_that_says_goodbye_at_once_is_no_success() -> None:
    """Else the attempts would follow each other without backoff, for as long as calls wait."""
    network = Network()
    network.posts = True
    serve(network, ONE, settings(), goaway(0, 11, b"go away"))
    core = network.channel()
    call = begin(network, core)
    waiting = begin(network, core, wait_for_ready=True)
    network.run()
    assert core.state is FAILED
    assert call.details.endswith(
        "1.1.1.1:1: connected, but the server sent GOAWAY ENHANCE_YOUR_CALM (go away)"
    )
    assert waiting.outcome is None
    assert core.links == set()
    assert len(network.attempts) == 1
    network.advance(1)
    assert len(network.attempts) == 2


def test_a_goodbye_without_words(network: Network) -> None:
    network.posts = True
    serve(network, ONE, settings(), goaway(0))
    call = begin(network, network.channel())
    network.run()
    assert call.details.endswith("the server sent GOAWAY NO_ERROR")


def test_a_goodbye_before_the_news_of_the_connection(network: Network) -> None:
    network.early = True
    serve(network, ONE, settings(), goaway(0))
    core = network.channel()
    call = begin(network, core)
    network.run()
    assert core.state is FAILED
    assert call.code is StatusCode.UNAVAILABLE


# Names


def test_a_name_is_looked_up(network: Network) -> None:
    network.names["host"] = [ONE, TWO]
    network.answers[ONE] = "Connection refused"
    serve(network, TWO)
    core = network.channel("host:5")
    begin(network, core)
    network.run()
    assert network.lookups == [("host", 1000.0)]
    assert [address for address, _ in network.attempts] == [ONE, TWO]
    assert core.state is READY


@pytest.mark.parametrize(
    ("answer", "text"), [("Name not known", "Name not known"), ([], "no addresses")]
)
def test_a_name_that_is_not_known(network: Network, answer: str, text: str) -> None:
    network.names["host"] = answer
    call = begin(network, network.channel("host:5"))
    network.run()
    assert call.code is StatusCode.UNAVAILABLE
    assert call.details.endswith(f"DNS lookup of host:5 failed: {text}")


def test_a_name_server_that_does_not_answer(network: Network) -> None:
    core = network.channel("host:5")
    call = begin(network, core)
    network.advance(20)
    assert call.details.endswith("DNS lookup of host:5 failed: no answer within 20 s")
    first, second = network.late
    first([ONE], "")
    network.run()
    assert network.attempts == []
    assert core.state is CONNECTING
    second([ONE], "")
    network.run()
    assert [address for address, _ in network.attempts] == [ONE]


def test_a_name_is_looked_up_again_for_each_attempt(network: Network) -> None:
    network.names["host"] = [ONE]
    network.answers[ONE] = "Connection refused"
    core = network.channel("host:5")
    core.connect()
    network.advance(1)
    assert network.lookups == [("host", 1000.0), ("host", 1001.0)]


def test_the_answer_to_a_look_up_can_be_kept_for_a_while(network: Network) -> None:
    network.names["host"] = [ONE]
    network.answers[ONE] = "Connection refused"
    core = network.channel("host:5", [("grpc.dns_min_time_between_resolutions_ms", 3000)])
    core.connect()
    network.advance(6)
    # Attempts are at 0, 1, 2.6 and 5.16 seconds.
    assert [address for address, _ in network.attempts] == [ONE] * 4
    assert [round(when - 1000, 2) for _, when in network.lookups] == [0, 5.16]


def test_a_look_up_can_be_given_less_time(network: Network) -> None:
    core = network.channel(
        "host:5",
        [("grpc.dns_ares_query_timeout", 3000), ("grpc.initial_reconnect_backoff_ms", 9000)],
    )
    core.connect()
    network.advance(2)
    assert core.state is CONNECTING
    network.advance(1)
    assert core.state is FAILED
    assert "no answer within 3 s" in core.last_failure


# Idleness


def test_an_unused_connection_is_closed(network: Network) -> None:
    [fars, core] = (
        serve(network),
        network.channel(options=[("grpc.client_idle_timeout_ms", 100_000)]),
    )
    begin(network, core)
    network.run()
    answer(fars[0], 1)
    network.run()
    seen = states(core)
    network.advance(99)
    assert seen == []
    network.advance(60)
    assert seen == [IDLE]
    assert core.links == set()
    assert network.timers == []
    begin(network, core)
    network.run()
    assert core.state is READY
    assert len(fars) == 2


def test_a_connection_in_use_is_not(network: Network) -> None:
    [fars, core] = (
        serve(network),
        network.channel(options=[("grpc.client_idle_timeout_ms", 100_000)]),
    )
    begin(network, core)
    network.advance(1000)
    assert core.state is READY
    answer(fars[0], 1)
    network.run()


def test_the_idle_timeout_of_a_connection_that_is_lost(network: Network) -> None:
    [fars, core] = (
        serve(network),
        network.channel(options=[("grpc.client_idle_timeout_ms", 100_000)]),
    )
    core.connect()
    network.run()
    fars[0].close()
    network.run()
    assert core.state is IDLE
    assert network.timers == []


# Keepalive


def test_too_many_pings_double_the_interval(network: Network) -> None:
    [fars, core] = serve(network), network.channel(options=[("grpc.keepalive_time_ms", 10_000)])
    for seconds in (10, 20, 40):
        core.connect()
        network.run()
        assert network.links[-1].connection.config.keepalive.time == seconds
        fars[-1].send(goaway(0, 11, b"too_many_pings"))
        network.run()


def test_another_goaway_does_not(network: Network) -> None:
    [fars, core] = serve(network), network.channel(options=[("grpc.keepalive_time_ms", 10_000)])
    for _ in range(2):
        core.connect()
        network.run()
        assert network.links[-1].connection.config.keepalive.time == 10
        fars[-1].send(goaway(0, 11, b"calm down"))
        network.run()


# Backoff


def test_backoff(network: Network) -> None:
    network.answers[ONE] = "Connection refused"
    core = network.channel(options=[("grpc.max_reconnect_backoff_ms", 3000)])
    seen = states(core)
    core.connect()
    network.advance(11)
    times = [round(when - 1000, 3) for _, when in network.attempts]
    assert times == [0, 1, 2.6, 5.16, 8.16]
    assert seen == [CONNECTING, FAILED] * 5


@pytest.mark.parametrize(("jitter", "wait"), [(0.0, 0.8), (1.0, 1.2)])
def test_backoff_has_jitter(network: Network, jitter: float, wait: float) -> None:
    network.answers[ONE] = "Connection refused"
    network.jitter = jitter
    network.channel().connect()
    network.run()
    assert network.timers == [pytest.approx(wait)]


def test_backoff_counts_from_the_beginning_of_the_attempt(network: Network) -> None:
    core = network.channel(options=[("grpc.initial_reconnect_backoff_ms", 30_000)])
    core.connect()
    network.advance(20)
    assert core.state is FAILED
    assert network.timers == [pytest.approx(10)]


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
    assert network.timers == [pytest.approx(1)]


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
    assert network.timers == []
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


# Watching


def test_watching_ends(network: Network) -> None:
    serve(network)
    core = network.channel()
    seen: list[ChannelConnectivity] = []
    core.watch(seen.append)
    core.unwatch(seen.append)
    core.unwatch(seen.append)
    core.connect()
    network.run()
    assert seen == []


# Closing


def closed_in(network: Network, state: str) -> tuple[ChannelCore, list[Call]]:
    """A channel that is closed while in `state`, and the calls on it."""
    options = [("grpc.min_reconnect_backoff_ms", 5000)]
    target = "host:5" if state in ("resolving", "name unknown") else BOTH
    core = network.channel(target, options)
    calls: list[Call] = []
    if state == "shaking hands":
        serve(network, ONE, b"")
    elif state in ("backing off", "between addresses"):
        network.answers[ONE] = "Connection refused"
        if state == "backing off":
            network.answers[TWO] = "Connection refused"
    elif state in ("ready", "full", "draining"):
        fars = serve(network, ONE, settings({3: 1}) if state == "full" else settings())
    elif state == "name unknown":
        network.names["host"] = "unknown"
    if state != "idle":
        calls = [begin(network, core, wait_for_ready=True) for _ in range(2)]
    if state != "between addresses":
        network.run()
    if state == "draining":
        fars[0].send(goaway(3))
        network.run()
    core.close()
    core.close()
    return core, calls


STATES = [
    "idle",
    "resolving",
    "name unknown",
    "connecting",
    "between addresses",
    "shaking hands",
    "backing off",
    "ready",
    "full",
    "draining",
]


@pytest.mark.parametrize("state", STATES)
def test_close_in_every_state(network: Network, state: str) -> None:
    core, calls = closed_in(network, state)
    assert core.state is SHUTDOWN
    attempts = len(network.attempts)
    network.run()
    assert network.timers == []
    for call in calls:
        assert (call.code, call.details) == (StatusCode.CANCELLED, "Channel closed!")
    for late in network.late:
        try:
            late([ONE], "")
        except TypeError:
            late(RawFar(settings()))
    network.advance(100)
    assert core.state is SHUTDOWN
    assert len(network.attempts) == attempts
    assert all(link.connection.closed for link in network.links)
    assert core.links == set()
    assert core.link is None
    call = begin(network, core)
    assert (call.code, call.details) == (StatusCode.CANCELLED, "Channel closed!")
    assert network.timers == []


@pytest.mark.parametrize("state", STATES)
def test_a_closed_channel_leaves_nothing_behind(network: Network, state: str) -> None:
    core, calls = closed_in(network, state)
    core.watch(lambda state: None)
    network.run()
    network.late.clear()
    network.links.clear()
    network.answers.clear()
    network._timers.clear()
    calls.clear()
    ghost = weakref.ref(core)
    del core
    gc.collect()
    assert ghost() is None


def test_close_with_an_outcome_of_ones_own(network: Network) -> None:
    core = network.channel()
    call = begin(network, core)
    outcome = Outcome(StatusCode.UNAVAILABLE, "forked")
    core.close(outcome)
    assert call.outcome is outcome


@pytest.mark.parametrize("state", [CONNECTING, READY, IDLE, FAILED])
def test_a_watcher_may_close_the_channel(network: Network, state: ChannelConnectivity) -> None:
    fars = serve(network)
    core = network.channel()

    def watcher(new: ChannelConnectivity) -> None:
        if new is state:
            core.close()

    if state is FAILED:
        network.answers[ONE] = "Connection refused"
    core.watch(watcher)
    waiting = begin(network, core, wait_for_ready=True)
    failing = begin(network, core)
    network.run()
    if state is IDLE:
        fars[0].close()
        network.run()
    network.advance(100)
    assert core.state is SHUTDOWN
    assert network.timers == []
    assert all(link.connection.closed for link in network.links)
    assert waiting.outcome is not None
    assert failing.outcome is not None
    assert len(network.attempts) == (0 if state is CONNECTING else 1)


# Closing in good order


def finish_all(network: Network, fars: list[RawFar]) -> None:
    for _ in range(20):
        for far in fars:
            for sid in far.requests():
                answer(far, sid)
        network.run()


def test_nothing_is_in_progress(network: Network) -> None:
    core = network.channel()
    assert core.when_idle(pytest.fail) is False
    network.run()


def test_a_connection_without_calls(network: Network) -> None:
    serve(network)
    core = network.channel()
    core.connect()
    network.run()
    told: list[bool] = []
    busy = core.when_idle(lambda: told.append(True))
    network.run()
    assert busy is bool(told)
    assert core.links == set()


def test_calls_in_progress_may_finish(network: Network) -> None:
    fars, core = serve(network), network.channel()
    call = begin(network, core)
    network.run()
    told: list[bool] = []
    assert core.when_idle(lambda: told.append(True)) is True
    network.run()
    assert told == []
    finish_all(network, fars)
    assert call.code is StatusCode.OK
    assert told == [True]
    core.close()
    network.run()
    assert told == [True]


def test_calls_that_wait_may_finish(network: Network) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    core = network.channel()
    calls = [begin(network, core) for _ in range(4)]
    told: list[bool] = []
    assert core.when_idle(lambda: told.append(True)) is True
    finish_all(network, fars)
    assert [call.code for call in calls] == [StatusCode.OK] * 4
    assert told == [True]
    assert core.links == set()


def test_calls_that_wait_for_a_stream_may_finish(network: Network) -> None:
    fars = serve(network, ONE, settings({3: 1}))
    core = network.channel()
    calls = [begin(network, core) for _ in range(3)]
    network.run()
    told: list[bool] = []
    assert core.when_idle(lambda: told.append(True)) is True
    finish_all(network, fars)
    assert [call.code for call in calls] == [StatusCode.OK] * 3
    assert told == [True]


@pytest.mark.parametrize("how", ["fails", "is cancelled", "is closed"])
def test_the_last_call_that_waited_is_gone(network: Network, how: str) -> None:
    core = network.channel()
    call = begin(network, core)
    network.run()
    told: list[bool] = []
    assert core.when_idle(lambda: told.append(True)) is True
    if how == "fails":
        network.advance(20)
        assert call.code is StatusCode.UNAVAILABLE
    elif how == "is cancelled":
        call.end(Outcome(StatusCode.CANCELLED))
    else:
        core.close()
    network.run()
    assert told == [True]


# Odd moments


def test_a_call_that_was_given_up_on_its_way_to_the_channel(network: Network) -> None:
    core = network.channel()
    call = begin(network, core, timeout=0)
    call.end(Outcome(StatusCode.CANCELLED))
    core.wait(call)
    core.close()
    network.run()
    fresh = network.channel()
    fresh.wait(call)
    assert fresh.state is IDLE


def test_news_of_links_that_were_given_up(network: Network) -> None:
    """They come while another attempt is on its way, and are nothing to it."""
    network.answers[ONE] = lambda: RawFar()
    core = network.channel("ipv4:1.1.1.1:1,2.2.2.2:2", [("grpc.min_reconnect_backoff_ms", 1000)])
    call = begin(network, core)
    network.advance(1)
    [old] = network.links
    assert core.state is CONNECTING
    core.link_ready(old)
    core.link_draining(old, 0, b"")
    assert core.state is CONNECTING
    network.late[0](RawFar(settings()))
    network.run()
    assert core.state is READY
    assert call.attempt is not None
    assert call.attempt.link is not old
    core.link_ready(old)
    core.link_draining(old, 0, b"")
    core.link_closed(old, Abort(0, "gone"))
    assert core.state is READY
    assert core.link is call.attempt.link
