"""Small versions of the simulations, and what has to hold whatever their size."""

from __future__ import annotations

import pytest

from simulation.plots import chart
from simulation.scenarios import POLICIES, balance, eject, herd, rebalance, remap, storm

SMALL = {"backends": 40, "channels": 1, "seconds": 8.0, "warm": 3.0}


@pytest.mark.parametrize("policy", ["round_robin", "weighted_target", "priority"])
def test_one_channel_that_goes_round_is_even_within_one(policy: str) -> None:
    calls = balance(policy, **SMALL).calls  # type: ignore[arg-type]
    assert max(calls) - min(calls) <= 1
    assert sum(calls) > 20 * len(calls) / 2


@pytest.mark.parametrize("policy", POLICIES)
def test_no_policy_loses_calls(policy: str) -> None:
    assert balance(policy, backends=20, channels=2, seconds=4.0, warm=1.0).failed == 0


def test_who_looks_at_the_load_spares_the_slow() -> None:
    """A fifth of the servers is three times as slow."""
    figures = {
        policy: balance(policy, backends=100, channels=1, seconds=16.0, warm=8.0)
        for policy in ("round_robin", "weighted_round_robin", "least_request")
    }
    # In the long run: all others' speed allows 138 % of what the slow ones can do.
    assert figures["round_robin"].busiest > 1.2
    assert figures["least_request"].busiest < figures["round_robin"].busiest
    assert figures["least_request"].tail < figures["round_robin"].tail
    assert figures["weighted_round_robin"].tail < figures["round_robin"].tail
    # Two chances each: more than the mean by far is out of reach.
    assert figures["least_request"].ratio < 2


@pytest.mark.parametrize("policy", ["round_robin", "least_request", "ring_hash"])
def test_the_dead_get_no_calls_and_the_revived_do(policy: str) -> None:
    found = rebalance(policy, backends=40, channels=2, rate=300.0)
    share = dict(zip(found.times, found.share, strict=True))
    failed = dict(zip(found.times, found.failed, strict=True))
    assert share[3.0] > 0.7
    for at in (5.0, 6.0, 7.0, 8.0, 9.0):
        assert share[at] == 0
        assert failed[at] == 0
    # The third pause of the backoff, with its jitter, is the longest that can be under way.
    assert found.settled is not None
    assert found.settled <= 2.56 * 1.2 + 4


def test_keys_stay_where_they_are() -> None:
    """Of those whose server stays, few move: with ten servers less each has no more places on the ring."""
    assert remap(backends=100, keys=500, lost=5) <= 0.05


def test_sick_servers_are_ejected() -> None:
    found = eject(backends=40, channels=2, rate=300.0, end=10.0)
    assert min(found.without[8:]) > 0.01
    assert max(found.detected[-4:]) < 0.005


def test_throttling_bounds_a_retry_storm() -> None:
    sizes = {"clients": 200, "every": 2.0, "end": 30.0}
    plain = storm(retries=False, throttling=False, **sizes)  # type: ignore[arg-type]
    wild = storm(retries=True, throttling=False, **sizes)  # type: ignore[arg-type]
    tame = storm(retries=True, throttling=True, **sizes)  # type: ignore[arg-type]
    assert plain.amplification == 1
    assert 3 < wild.amplification <= 4.5
    # A client has 10 tokens, and retries while it has more than 5: so many failures of 5 calls in the time.
    assert tame.amplification <= 2.2
    assert tame.attempts[-1] <= 1.1
    # What the retries are to the service: without throttling it does not get up again.
    assert wild.recovered is None
    assert plain.recovered is not None
    assert tame.recovered is not None
    assert tame.recovered <= plain.recovered + 2


def test_jitter_takes_a_herd_apart() -> None:
    clients = 200
    without = herd(jitter=False, clients=clients, end=30.0)
    with_it = herd(jitter=True, clients=clients, end=30.0)
    assert without.peak == clients
    # A pause of 1 s is from 0.8 s to 1.2 s: four tenths.
    assert with_it.peak <= 0.4 * clients
    assert max(with_it.attempts[30:150]) <= 0.25 * clients
    assert with_it.back < 15


def test_the_same_seed_gives_the_same_figures() -> None:
    sizes = {"backends": 20, "channels": 2, "rate": 150.0, "end": 11.0}
    one = rebalance("least_request", **sizes)  # type: ignore[arg-type]
    assert one == rebalance("least_request", **sizes)  # type: ignore[arg-type]
    assert one != rebalance("least_request", seed=9, **sizes)  # type: ignore[arg-type]


def test_a_chart() -> None:
    svg = chart("A < B", "seconds", "share", [1.0, 2.0], {"one": [0.0, 1.0]}, {1.5: "here"})
    assert svg.startswith("<svg")
    assert "A &lt; B" in svg
    assert svg.count("<polyline") == 1
