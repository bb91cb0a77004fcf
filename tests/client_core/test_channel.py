"""A channel's way to READY, with a clock and a network that tests move."""

from __future__ import annotations

import pytest

from clarion.resolver.target import HostPort
from clarion.status import StatusCode
from support.channels import BOTH, CONNECTING, FAILED, IDLE, ONE, READY, TWO, answer, serve, states
from support.http2 import goaway, settings
from support.wire import Network, RawFar, begin

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
    network.advance(0.2)
    assert core.state is CONNECTING
    network.advance(0.1)
    assert core.state is READY
    # RFC 8305: the next one does not wait until the first has failed.
    assert [when - 1000 for _, when in network.attempts] == [0, 0.25]


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
    assert [link.far for link in network.links] == fars
    assert len(fars) == 2


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
    network.advance(1)
    first, second = network.late
    first([ONE], "")
    network.run()
    assert network.attempts == []
    assert core.state is FAILED
    second([ONE], "")
    network.run()
    assert [address for address, _ in network.attempts] == [ONE]


def test_a_name_is_looked_up_again_for_each_attempt(network: Network) -> None:
    network.names["host"] = [ONE]
    network.answers[ONE] = "Connection refused"
    core = network.channel("host:5")
    core.connect()
    network.advance(0.5)
    # Once to begin with, and once because the address failed.
    assert network.lookups == [("host", 1000.0), ("host", 1000.0)]
    network.advance(0.5)
    assert [when for _, when in network.lookups] == [1000.0, 1000.0, 1001.0]


def test_the_answer_to_a_look_up_can_be_kept_for_a_while(network: Network) -> None:
    network.names["host"] = [ONE]
    network.answers[ONE] = "Connection refused"
    core = network.channel("host:5", [("grpc.dns_min_time_between_resolutions_ms", 3000)])
    core.connect()
    network.advance(6)
    # Attempts are at 0, 1, 2.6 and 5.16 seconds.
    assert [address for address, _ in network.attempts] == [ONE] * 4
    assert [round(when - 1000, 2) for _, when in network.lookups] == [0, 3, 6]


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
    network.advance(200)
    # The policy went with the idle timeout, and with it what it had set.
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
