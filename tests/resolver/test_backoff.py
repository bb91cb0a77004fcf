"""The waits between attempts to connect."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.resolver.backoff import Backoff


def test_it_grows_up_to_the_maximum() -> None:
    backoff = Backoff(1.0, 5.0, lambda: 0.5)
    assert [round(backoff.next(), 3) for _ in range(6)] == [1.0, 1.6, 2.56, 4.096, 5.0, 5.0]


def test_it_starts_anew() -> None:
    backoff = Backoff(1.0, 5.0, lambda: 0.5)
    backoff.next()
    backoff.next()
    backoff.reset()
    assert backoff.next() == 1.0


@pytest.mark.parametrize(("random", "factor"), [(0.0, 0.8), (0.5, 1.0), (1.0, 1.2)])
def test_jitter(random: float, factor: float) -> None:
    backoff = Backoff(10.0, 100.0, lambda: random)
    assert backoff.next() == pytest.approx(10 * factor)
    assert backoff.next() == pytest.approx(16 * factor)


def test_a_maximum_below_the_beginning() -> None:
    backoff = Backoff(10.0, 2.0, lambda: 0.5)
    assert [backoff.next(), backoff.next()] == [2.0, 2.0]


@given(st.floats(0.001, 100), st.floats(0.001, 1000), st.floats(0, 1), st.integers(1, 30))
@settings(max_examples=200, deadline=None)
def test_it_stays_within_its_bounds(
    initial: float, maximum: float, random: float, count: int
) -> None:
    backoff = Backoff(initial, maximum, lambda: random)
    for _ in range(count):
        assert 0 < backoff.next() <= maximum * 1.2000001
