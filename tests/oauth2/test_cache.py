"""When tokens are fetched, kept and given up, on a clock that the tests turn."""

from __future__ import annotations

import pytest

from clarion.oauth2.cache import AccessToken, TokenCache

A, B = AccessToken("a", 1000.0), AccessToken("b", 2000.0)


@pytest.fixture
def cache() -> TokenCache[int]:
    return TokenCache(lambda: 0.5)


def test_the_first_call_fetches_and_all_wait(cache: TokenCache[int]) -> None:
    assert cache.ask(0, 1) == (None, True)
    assert cache.ask(0, 2) == (None, False)
    assert cache.arrived(1, A) == [1, 2]
    assert cache.ask(2, 3) == (A, False)


def test_a_token_is_renewed_early_by_one_and_used_meanwhile(cache: TokenCache[int]) -> None:
    cache.ask(0, 1)
    cache.arrived(0, A)
    # It is used for 30 seconds less than it lives, and renewed 60 seconds before that.
    assert cache.ask(909, 2) == (A, False)
    assert cache.ask(910, 3) == (A, True)
    assert cache.ask(911, 4) == (A, False)
    assert cache.arrived(912, B) == []
    assert cache.ask(913, 5) == (B, False)


def test_a_token_is_not_used_to_its_very_end(cache: TokenCache[int]) -> None:
    cache.ask(0, 1)
    cache.arrived(0, A)
    assert cache.ask(969.9, 2) == (A, True)
    assert cache.ask(970, 3) == (None, False)
    assert cache.arrived(971, B) == [3]


def test_a_renewal_that_fails_leaves_the_old_token_and_rests(cache: TokenCache[int]) -> None:
    cache.ask(0, 1)
    cache.arrived(0, A)
    assert cache.ask(920, 2) == (A, True)
    assert cache.failed(920, OSError("away")) == []
    assert cache.ask(920.9, 3) == (A, False)
    assert cache.ask(921, 4) == (A, True)


def test_calls_without_a_token_fail_while_it_rests(cache: TokenCache[int]) -> None:
    why = OSError("away")
    cache.ask(0, 1)
    assert cache.failed(0, why) == [1]
    assert cache.ask(0.9, 2) == (why, False)
    # Nobody fetches until a call asks, however late.
    assert cache.ask(50, 3) == (None, True)
    assert cache.ask(50, 4) == (None, False)
    assert cache.failed(50, why) == [3, 4]
    assert cache.ask(51.5, 5) == (why, False)
    assert cache.ask(51.6, 6) == (None, True)
    assert cache.arrived(52, A) == [6]
    # It begins with a short rest again.
    cache.ask(971, 7)
    cache.failed(971, why)
    assert cache.ask(972, 8) == (None, True)


@pytest.mark.parametrize(("random", "rest"), [(0.0, 0.8), (0.5, 1.0), (1.0, 1.2)])
def test_the_jitter_of_the_rest(random: float, rest: float) -> None:
    cache: TokenCache[int] = TokenCache(lambda: random)
    why = OSError()
    cache.ask(0, 1)
    cache.failed(0, why)
    assert cache.ask(rest - 0.01, 2) == (why, False)
    assert cache.ask(rest + 0.01, 2) == (None, True)


def test_the_longest_rest(cache: TokenCache[int]) -> None:
    why = OSError()
    now = 0.0
    for _ in range(40):
        assert cache.ask(now, 1) == (None, True)
        cache.failed(now, why)
        now += 1000
    cache.ask(now, 1)
    cache.failed(now, why)
    assert cache.ask(now + 119.9, 2) == (why, False)
    assert cache.ask(now + 120, 2) == (None, True)


def test_a_short_lived_token_is_renewed_in_its_second_half(cache: TokenCache[int]) -> None:
    cache.ask(0, 1)
    cache.arrived(0, AccessToken("s", 70.0))
    assert cache.ask(19, 2)[1] is False
    assert cache.ask(20, 3)[1] is True


def test_a_token_that_is_over_serves_those_who_wait_and_nobody_else(
    cache: TokenCache[int],
) -> None:
    cache.ask(100, 1)
    assert cache.arrived(100, AccessToken("old", 50.0)) == [1]
    assert cache.ask(100, 2) == (None, True)


def test_a_token_without_an_end(cache: TokenCache[int]) -> None:
    forever = AccessToken("f", None)
    cache.ask(0, 1)
    cache.arrived(0, forever)
    assert cache.ask(1e12, 2) == (forever, False)


def test_a_token_does_not_show_itself() -> None:
    assert "secret" not in repr(AccessToken("secret", 1.0))
