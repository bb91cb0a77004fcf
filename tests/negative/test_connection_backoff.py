"""When a channel connects again (doc/connection-backoff.md), with a clock that the test moves.

The flow is that of gRPC's connection-backoff interop test: a port that closes every connection, 540 seconds, and
about thirteen attempts whose distances the specification bounds.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest

from support.channels import ONE, TWO, serve
from support.wire import Network, RawFar, begin

INITIAL, MULTIPLIER, MAXIMUM, JITTER = 1.0, 1.6, 120.0, 0.2
MIN_CONNECT_TIMEOUT = 20.0
SECONDS = 540.0


@pytest.fixture(params=["told at once", "told later"])
def network(request: pytest.FixtureRequest) -> Network:
    network = Network()
    network.posts = request.param == "told later"
    return network


def distances(network: Network) -> list[float]:
    return [b - a for (_, a), (_, b) in pairwise(network.attempts)]


def expected(initial: float = INITIAL, maximum: float = MAXIMUM) -> list[float]:
    """The backoffs without jitter, more than enough of them."""
    waits = [min(initial, maximum)]
    while len(waits) < 200:
        waits.append(min(waits[-1] * MULTIPLIER, maximum))
    return waits


def check(waits: Sequence[float], nominal: Sequence[float]) -> None:
    for wait, middle in zip(waits, nominal, strict=False):
        assert middle * (1 - JITTER) <= wait + 1e-6
        assert wait - 1e-6 <= middle * (1 + JITTER)


def shut(network: Network) -> None:
    """Every connection is accepted and closed at once, as the interop test's server does."""

    def far() -> RawFar:
        made = RawFar()
        made.close()
        return made

    network.answers[ONE] = far


@pytest.mark.parametrize("refused", [True, False], ids=["refused", "closed"])
@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_nine_minutes(network: Network, refused: bool, jitter: float) -> None:
    network.jitter = jitter
    if refused:
        network.answers[ONE] = "Connection refused"
    else:
        shut(network)
    core = network.channel()
    call = begin(network, core, timeout=SECONDS, wait_for_ready=True)
    network.advance(SECONDS)
    waits = distances(network)
    check(waits, expected())
    assert waits == pytest.approx(
        [each * (1 + JITTER * (2 * jitter - 1)) for each in expected()[: len(waits)]]
    )
    # 13 attempts is what the description counts with its jitter; ours has the same bounds.
    assert 12 <= len(network.attempts) <= 15
    assert call.code.name == "DEADLINE_EXCEEDED"


def test_nine_minutes_with_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jitter is drawn anew for each wait, and channels that begin together part."""
    chance = random.Random(7)
    seconds = []
    for _ in range(20):
        network = Network()
        monkeypatch.setattr(network, "random", chance.random)
        network.answers[ONE] = "Connection refused"
        begin(network, network.channel(), timeout=SECONDS, wait_for_ready=True)
        network.advance(SECONDS)
        waits = distances(network)
        check(waits, expected())
        assert 12 <= len(network.attempts) <= 15
        ratios = [wait / middle for wait, middle in zip(waits, expected(), strict=False)]
        assert max(ratios) - min(ratios) > 0.1
        seconds.append(round(waits[0], 3))
    assert len(set(seconds)) > 15


def test_a_port_that_never_answers(network: Network) -> None:
    """An attempt has MIN_CONNECT_TIMEOUT; the backoff counts from its beginning, so the longer of both rules."""
    core = network.channel()
    begin(network, core, timeout=SECONDS, wait_for_ready=True)
    network.advance(SECONDS)
    assert distances(network) == pytest.approx(
        [max(MIN_CONNECT_TIMEOUT, each) for each in expected()[: len(network.attempts) - 1]]
    )


@pytest.mark.parametrize(
    ("options", "initial", "maximum"),
    [
        ([("grpc.initial_reconnect_backoff_ms", 3_000)], 3.0, MAXIMUM),
        ([("grpc.max_reconnect_backoff_ms", 5_000)], INITIAL, 5.0),
        (
            [
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 400),
            ],
            0.1,
            0.4,
        ),
    ],
)
def test_other_parameters(
    network: Network, options: list[tuple[str, int]], initial: float, maximum: float
) -> None:
    network.answers[ONE] = "Connection refused"
    core = network.channel(options=options)
    begin(network, core, timeout=60, wait_for_ready=True)
    network.advance(59)
    waits = distances(network)
    assert len(waits) >= 4
    assert waits == pytest.approx(expected(initial, maximum)[: len(waits)])


def test_a_connection_that_worked_resets_it(network: Network) -> None:
    """Only one whose SETTINGS came did: a port that accepts and closes does not reset anything."""
    network.answers[ONE] = "Connection refused"
    core = network.channel()
    begin(network, core, timeout=1_000, wait_for_ready=True)
    network.advance(100)
    before = distances(network)[-1]
    assert before > 10
    fars = serve(network)
    network.advance(MAXIMUM)
    assert len(fars) == 1
    network.answers[ONE] = "Connection refused"
    fars[0].close()
    network.run()
    network.attempts.clear()
    begin(network, core, timeout=SECONDS, wait_for_ready=True)
    network.advance(20)
    waits = distances(network)
    assert waits == pytest.approx(expected()[: len(waits)])
    assert len(waits) >= 4


def test_all_addresses_are_one_attempt(network: Network) -> None:
    """The backoff lies between rounds through the addresses, not between addresses."""
    network.answers[ONE] = network.answers[TWO] = "Connection refused"
    core = network.channel("ipv4:1.1.1.1:1,2.2.2.2:2")
    begin(network, core, timeout=SECONDS, wait_for_ready=True)
    network.advance(60)
    for address in (ONE, TWO):
        times = [when for each, when in network.attempts if each == address]
        waits = [b - a for a, b in pairwise(times)]
        assert waits == pytest.approx(expected()[: len(waits)])
        assert len(waits) >= 6
