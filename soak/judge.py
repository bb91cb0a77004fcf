"""Whether something grew: slopes after the warm-up, and the bounds they must keep.

Rules it keeps: a slope is fitted by least squares to all samples after the warm-up, so that neither the first nor the last
decides; what is bounded is what the slope amounts to over that time. A bound has a part for noise, which short runs need,
and one for each hour, which is what long runs are for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from soak.samples import MEASURES, Sample

__all__ = ["BOUNDS", "Bound", "Verdict", "judge", "slope", "warm"]

_MOST_WARM_UP = 300.0
_WARM_UP = 0.25


@dataclasses.dataclass(frozen=True, slots=True)
class Bound:
    """What a measure may grow by after the warm-up: `noise`, or `hourly` for each hour, whichever is more."""

    noise: float
    hourly: float

    def over(self, seconds: float) -> float:
        """The bound for so many seconds."""
        return max(self.noise, self.hourly * seconds / 3600)


BOUNDS = {
    "resident": Bound(8 << 20, 16 << 20),
    "descriptors": Bound(8, 8),
    "threads": Bound(8, 8),
    "tasks": Bound(16, 16),
    "objects": Bound(4000, 4000),
}
assert tuple(BOUNDS) == MEASURES


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one measure of one process.

    Attributes:
        growth: what the slope amounts to over the time after the warm-up.
        limit: what it may amount to.
    """

    process: str
    measure: str
    growth: float
    limit: float
    hourly: float

    @property
    def ok(self) -> bool:
        return self.growth <= self.limit

    def __str__(self) -> str:
        unit, by = (" MiB", 1 << 20) if self.measure == "resident" else ("", 1)
        return (
            f"{self.process}: {self.measure} {self.growth / by:+.1f}{unit} after the warm-up"
            f" ({self.hourly / by:+.1f}{unit} an hour), at most {self.limit / by:+.1f}{unit}"
            f"{'' if self.ok else ': GREW'}"
        )


def warm(samples: Sequence[Sample]) -> Sequence[Sample]:
    """The samples after the warm-up: a quarter of the time, five minutes at most."""
    if not samples:
        return samples
    start, end = samples[0].time, samples[-1].time
    from_then = start + min((end - start) * _WARM_UP, _MOST_WARM_UP)
    return [each for each in samples if each.time >= from_then]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """How much `y` grows for each `x`, by least squares; 0 for fewer than two points."""
    if len(points) < 2:
        return 0.0
    middle = sum(x for x, _ in points) / len(points)
    spread = sum((x - middle) ** 2 for x, _ in points)
    return sum((x - middle) * y for x, y in points) / spread if spread else 0.0


def judge(process: str, samples: Sequence[Sample]) -> list[Verdict]:
    """Judge all measures of one process."""
    chosen = warm(samples)
    seconds = chosen[-1].time - chosen[0].time if chosen else 0.0
    verdicts = []
    for measure in MEASURES:
        each = slope([(sample.time, float(getattr(sample, measure))) for sample in chosen])
        verdicts.append(
            Verdict(process, measure, each * seconds, BOUNDS[measure].over(seconds), each * 3600)
        )
    return verdicts
