"""Budgets against peers that make us work for nothing.

HTTP/2 has frames that cost the sender nothing and the receiver something: resets right after requests,
CONTINUATION trains, SETTINGS and PING to acknowledge, empty DATA. None of them is a violation by itself, and
each has honest uses in proportion to real work (a bandwidth probe per round trip, a cancelled call among
many good ones). So each kind has a token bucket that refills with time and with work done; a peer that
empties one is told ENHANCE_YOUR_CALM (RFC 9113 §10.5).
"""

from __future__ import annotations

from collections.abc import Callable

from clarion.http2.config import Budget, Config, PingRules
from clarion.http2.errors import ConnectionFault, ErrorCode

__all__ = ["Allowance", "Allowances", "PingPolicy"]

_FRAMES = {
    "resets": "streams reset by the peer before they got an answer",
    "induced_resets": "stream errors",
    "settings": "SETTINGS frames",
    "pings": "PING frames",
    "empty_data": "empty DATA frames",
    "control": "control frames",
}


class Allowance:
    """The budget of one kind of frame on one connection.

    Args:
        kind: the budget's name in `Config`.
        budget: size and refill rate.
        now: the clock, in seconds.
    """

    __slots__ = ("_budget", "_kind", "_now", "_refilled", "_tokens", "_work")

    def __init__(self, kind: str, budget: Budget, now: Callable[[], float]) -> None:
        self._kind = kind
        self._budget = budget
        self._now = now
        self._refilled = now()
        self._tokens = float(budget.burst)
        self._work = 0

    def spend(self, work: int) -> None:
        """Count one frame. `work` is the running total of useful things the peer paid with.

        Raises:
            ConnectionFault: the budget is used up (ENHANCE_YOUR_CALM).
        """
        budget = self._budget
        now = self._now()
        earned = (now - self._refilled) * budget.per_second + (work - self._work)
        self._refilled = now
        self._work = work
        self._tokens = min(self._tokens + earned, budget.burst) - 1
        if self._tokens < 0:
            raise ConnectionFault(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"too many {_FRAMES[self._kind]}: more than {budget.burst} at once or "
                f"{budget.per_second:g} per second (Config.{self._kind})",
            )


# What the interval is at least while no stream is open and that is not permitted, in seconds.
_IDLE_INTERVAL = 7200.0


class PingPolicy:
    """Holds a client's PING to an interval (gRFC A8, "Server Enforcement")."""

    __slots__ = ("_last", "_now", "_rules", "_strikes", "_work")

    def __init__(self, rules: PingRules, now: Callable[[], float]) -> None:
        self._rules = rules
        self._now = now
        self._last = -_IDLE_INTERVAL
        self._strikes = 0
        self._work = 0

    def ping(self, work: int, *, busy: bool) -> None:
        """Count one PING. `work` is the running total of streams and DATA frames; `busy`: a stream is open.

        Raises:
            ConnectionFault: there were too many; with the text that gRPC clients know.
        """
        rules = self._rules
        now = self._now()
        interval = rules.interval
        if not busy and not rules.without_calls:
            interval = max(interval, _IDLE_INTERVAL)
        if work != self._work:
            self._work = work
            self._strikes = 0
        elif now < self._last + interval:
            self._strikes += 1
            if self._strikes > rules.max_strikes:
                raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too_many_pings")
        self._last = now


class Allowances:
    """All budgets of one connection, made when they are first needed."""

    __slots__ = ("_config", "_kinds", "_now")

    def __init__(self, config: Config, now: Callable[[], float]) -> None:
        self._config = config
        self._now = now
        self._kinds: dict[str, Allowance] = {}

    def spend(self, kind: str, work: int) -> None:
        """Count one frame against the budget that `Config` calls `kind`; see `Allowance.spend`."""
        allowance = self._kinds.get(kind)
        if allowance is None:
            budget: Budget = getattr(self._config, kind)
            allowance = self._kinds[kind] = Allowance(kind, budget, self._now)
        allowance.spend(work)
