"""The figures of a run: every repetition's, and why one is missing."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.harness.metrics import METRICS

__all__ = ["Samples"]


@dataclass
class Samples:
    """Values and failures by metric key and implementation name."""

    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    failures: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, metric: str, implementation: str, value: float) -> None:
        """Keep one repetition's figure."""
        self.values.setdefault(metric, {}).setdefault(implementation, []).append(value)

    def fail(self, metric: str, implementation: str, reason: str) -> None:
        """Keep why there is none: one failed repetition makes the whole measurement invalid."""
        self.failures.setdefault(metric, {}).setdefault(implementation, reason)

    def summary(self, metric: str) -> dict[str, float]:
        """One figure for each implementation whose every repetition was valid."""
        failed = self.failures.get(metric, {})
        return {
            name: METRICS[metric].summary(values)
            for name, values in self.values.get(metric, {}).items()
            if name not in failed
        }
