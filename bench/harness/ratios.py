"""Turns figures into ratios: Clarion to the better of grpcio's variants and to each other peer.

Rule: a ratio is taken as the target states it. Where more is better it says how many times as
many; where less is better, what share of the time, memory or size. `advantage` turns the second
kind round, so that above 1 is always better.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.harness.implementations import Implementation
from bench.harness.metrics import METRICS, Metric
from bench.harness.samples import Samples

__all__ = ["Row", "best", "rows", "verdict"]

PEERS = ("grpclib", "grpc-js", "grpc-go")


@dataclass(frozen=True)
class Row:
    """One line of the table; a ratio is None where either side of it is missing.

    `floor` is what no Python process can be above, against the same baseline.
    """

    metric: str
    title: str
    label: str
    more_is_better: bool
    ratio: float | None
    variant: str
    plain_ratio: float | None
    baseline: str
    target: float | None
    floor: float | None
    result: str
    peers: Mapping[str, float | None]

    @property
    def advantage(self) -> float | None:
        """How many times better than the baseline."""
        return self.turned(self.ratio)

    @property
    def target_advantage(self) -> float | None:
        """The target on the same scale."""
        return self.turned(self.target)

    def turned(self, ratio: float | None) -> float | None:
        """A ratio of this row, as "times better"."""
        if ratio is None or self.more_is_better:
            return ratio
        return 1 / ratio if ratio else None


def best(metric: Metric, figures: Mapping[str, float]) -> tuple[str, float] | None:
    """The best of some implementations' figures, with its name."""
    chosen: tuple[str, float] | None = None
    for name, value in figures.items():
        if chosen is None or metric.better(value, chosen[1]):
            chosen = (name, value)
    return chosen


def verdict(metric: Metric, ratio: float | None, target: float | None) -> str:
    """`pass` or `fail` against a target, `no data` without a ratio, nothing without a target."""
    if target is None:
        return ""
    if ratio is None:
        return "no data"
    reached = ratio >= target if metric.more_is_better else ratio <= target
    return "pass" if reached else "fail"


def _divide(value: float | None, by: float | None) -> float | None:
    return value / by if value is not None and by else None


def _row(
    metric: Metric,
    front: str,
    implementations: Sequence[Implementation],
    samples: Samples,
) -> Row:
    figures = samples.summary(metric.key)
    failures = samples.failures.get(metric.key, {})

    def those(library: str, fronts: Iterable[str], loop: str = "") -> dict[str, float]:
        return {
            i.name: figures[i.name]
            for i in implementations
            if i.name in figures
            and i.library == library
            and i.front_end in fronts
            and (not loop or i.loop == loop)
        }

    fronts = (front,) if metric.same_front_end else ("sync", "aio")
    ours = best(metric, those("clarion", (front,)))
    plain = best(metric, those("clarion", (front,), "asyncio"))
    theirs = best(metric, those("grpcio", fronts))
    floor = best(metric, those("floor", ("other",))) if metric.waking else None
    value = ours[1] if ours else None
    baseline = theirs[1] if theirs else None
    target = metric.targets.get(front)
    if metric.against:
        baseline = 1.0
    ratio = _divide(value, baseline)
    # A variant of ours that failed its load may not hide behind one that did not.
    broken = any(
        i.name in failures
        for i in implementations
        if i.library == "clarion" and i.front_end == front
    )
    peers = {}
    for library in PEERS:
        peer = best(metric, those(library, ("other",)))
        peers[library] = _divide(value, peer[1] if peer else None)
    return Row(
        metric=metric.key,
        title=metric.title,
        label=metric.fronts[front],
        more_is_better=metric.more_is_better,
        ratio=ratio,
        variant=ours[0] if ours else "",
        plain_ratio=_divide(plain[1] if plain else None, baseline),
        baseline=metric.against or (theirs[0] if theirs else ""),
        target=target,
        floor=_divide(floor[1] if floor else None, baseline),
        result="invalid" if broken else verdict(metric, ratio, target),
        peers=peers,
    )


def rows(
    metrics: Iterable[str], implementations: Sequence[Implementation], samples: Samples
) -> list[Row]:
    """The table: a row for each metric and each of Clarion's front ends."""
    return [
        _row(METRICS[key], front, implementations, samples)
        for key in metrics
        for front in METRICS[key].fronts
    ]
