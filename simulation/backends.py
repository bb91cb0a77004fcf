"""Servers: a queue, a speed, and a share of calls that fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clarion.load_balancing.load_report import LOAD_REPORT_KEY, LoadReport, encode_load_report
from clarion.protocol.outcome import OK, Outcome
from clarion.status import StatusCode

if TYPE_CHECKING:
    from simulation.world import MemoryLink, World

__all__ = ["Backend"]

_FAILED = Outcome(StatusCode.UNAVAILABLE, "the server failed")
_LATE = Outcome(StatusCode.UNAVAILABLE, "the server is overloaded")


class Backend:
    """A server with one queue, first come, first served, and service times that are exponentially distributed.

    Args:
        world: where it is.
        name: its address, for error texts.
        service: the mean service time, in seconds.
        failing: the share of calls that fail, after the service time.
        patience: calls that waited longer than that fail, and have cost the service time all the same.
        room: a call is refused at once, at a fifth of the cost, when the queue is longer than so many seconds.
        reports: every so many calls bring a load report.

    Attributes:
        up: accepts connections.
        links: the connections there are.
        served: how many calls came.
        waits: how long the calls took that were served, if `measured`.
        measured: whether that is of interest now.
    """

    def __init__(
        self,
        world: World,
        name: str,
        service: float,
        *,
        failing: float = 0.0,
        patience: float | None = None,
        room: float | None = None,
        reports: int = 0,
    ) -> None:
        self.name = name
        self.service = service
        self.failing = failing
        self.up = True
        # In order, for the same seed is to give the same figures.
        self.links: dict[MemoryLink, None] = {}
        self.served = 0
        self.waits: list[float] = []
        self.measured = False
        self._world = world
        self._patience = patience
        self._room = room
        self._reports = reports
        # When the queue will be empty, and how long the server was busy since the last report.
        self._free_at = 0.0
        self._busy = 0.0
        self._reported_at = world.now()
        self._since_report = 0

    def serve(self, done: Callable[[Outcome], None]) -> None:
        """A call came; `done` hears how it ends."""
        world = self._world
        now = world.now()
        self.served += 1
        start = max(self._free_at, now)
        if self._room is not None and start - now > self._room:
            self._free_at = start + self.service / 5
            world.call_later(0.001, lambda: done(_LATE))
            return
        cost = world.chance.expovariate(1 / self.service)
        self._free_at = start + cost
        self._busy += cost
        took = self._free_at - now
        outcome = OK
        if self._patience is not None and start - now > self._patience:
            outcome = _LATE
        elif self.failing and world.random() < self.failing:
            outcome = _FAILED
        elif self._reports:
            outcome = self._report(now)
        if self.measured:
            self.waits.append(took)
        world.call_later(took, lambda: done(outcome))

    def _report(self, now: float) -> Outcome:
        self._since_report += 1
        if self._since_report < self._reports or now <= self._reported_at:
            return OK
        passed = now - self._reported_at
        report = LoadReport(
            application_utilization=max(self._busy / passed, 0.001),
            rps_fractional=self._since_report / passed,
        )
        self._since_report, self._busy, self._reported_at = 0, 0.0, now
        return Outcome(
            StatusCode.OK, trailing_metadata=((LOAD_REPORT_KEY, encode_load_report(report)),)
        )

    def stop(self) -> None:
        """Lose all connections, and take none."""
        self.up = False
        self._free_at = 0.0
        links, self.links = self.links, {}
        for link in links:
            link.lose()

    def start(self) -> None:
        """Take connections again."""
        self.up = True
