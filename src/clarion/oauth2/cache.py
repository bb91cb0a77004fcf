"""When a token is fetched, and what a call gets meanwhile. Times are seconds on one clock; nothing here waits.

The rules, which are those of gRFC A97 for every kind of token:

- A token is used until a while before it expires (`skew`), for clocks differ and a call takes time.
- One fetch at a time. It begins when a call asks, never by itself: an idle program fetches nothing.
- Within a last part of a token's time (`early`), the first call starts a fetch, and calls go on with the old token.
- After a failure there is no fetch for a while, which doubles or so with each one (gRPC's connection backoff). Calls
  without a token fail meanwhile, as that fetch did.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["AccessToken", "Answer", "TokenCache"]

_T = TypeVar("_T")

_FIRST_BACKOFF = 1.0
_FACTOR = 1.6
_JITTER = 0.2
_LONGEST_BACKOFF = 120.0


@dataclasses.dataclass(frozen=True, slots=True)
class AccessToken:
    """A token, which its `repr` does not show.

    Attributes:
        value: the token.
        expires_at: when it expires, in seconds since the epoch; None: never.
    """

    value: str = dataclasses.field(repr=False)
    expires_at: float | None


Answer = AccessToken | Exception


class TokenCache(Generic[_T]):
    """One token, and who waits for it.

    Args:
        random: a number from 0 up to 1, for the jitter of the backoff.
        skew: how many seconds before its end a token is no longer used.
        early: how many seconds before that it is fetched anew; at most half of a token's time.
    """

    def __init__(
        self, random: Callable[[], float], *, skew: float = 30.0, early: float = 60.0
    ) -> None:
        self._random = random
        self._skew = skew
        self._early = early
        self._token: AccessToken | None = None
        self._end: float | None = None
        self._renew: float | None = None
        self._fetching = False
        self._waiting: list[_T] = []
        self._failure: Exception | None = None
        self._failures = 0
        self._not_before = 0.0

    def ask(self, now: float, waiter: _T) -> tuple[Answer | None, bool]:
        """A call needs the token.

        Args:
            now: the time.
            waiter: for whom; `arrived` or `failed` hands it back if there is no answer now.

        Returns:
            The answer, or None for later; and whether to fetch now.
        """
        token = self._token
        if token is not None and (self._end is None or now < self._end):
            due = self._renew is not None and now >= self._renew
            return token, due and self._may_fetch(now)
        if not self._fetching and self._failure is not None and now < self._not_before:
            return self._failure, False
        self._waiting.append(waiter)
        return None, self._may_fetch(now)

    def arrived(self, now: float, token: AccessToken) -> list[_T]:
        """The fetch brought a token; returns who waited for it."""
        self._token, self._end, self._renew = token, None, None
        if token.expires_at is not None:
            # One that lives shorter than the skew is good for who waits for it now.
            self._end = max(token.expires_at - self._skew, now)
            self._renew = self._end - min(self._early, (self._end - now) / 2)
        self._failure, self._failures = None, 0
        return self._over()

    def failed(self, now: float, why: Exception) -> list[_T]:
        """The fetch failed; returns who waited for it."""
        delay = min(_FIRST_BACKOFF * _FACTOR**self._failures, _LONGEST_BACKOFF)
        self._failures = min(self._failures + 1, 20)
        self._not_before = now + delay * (1 + _JITTER * (2 * self._random() - 1))
        self._failure = why
        return self._over()

    def _may_fetch(self, now: float) -> bool:
        if self._fetching or (self._failure is not None and now < self._not_before):
            return False
        self._fetching = True
        return True

    def _over(self) -> list[_T]:
        self._fetching = False
        waiting, self._waiting = self._waiting, []
        return waiting
