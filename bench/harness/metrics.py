"""What is measured: the name, unit, direction and target of each figure.

The targets are those the project set itself, each against the better of grpcio's variants in the
same run. Where a target names a front end (unary calls), grpcio's variants of that front end are
the baseline; elsewhere all are.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["METRICS", "Metric"]

_BOTH = {"sync": "sync", "aio": "aio"}


@dataclass(frozen=True)
class Metric:
    """One figure that a scenario takes of each implementation.

    `fronts` maps Clarion's front ends that get a row to the row's label; `targets` maps a front
    end to the ratio to reach: at least that where more is better, at most that where less is.
    `waking` says that the figure is bound by how quickly a process is woken, so that its floor
    (`programs/floor_server.py`) tells something. `against` is set where the figure is a ratio
    already, of two things of the same implementation: it names the second one.
    """

    key: str
    title: str
    unit: str
    more_is_better: bool = True
    same_front_end: bool = True
    fronts: Mapping[str, str] = field(default_factory=lambda: _BOTH)
    targets: Mapping[str, float] = field(default_factory=dict)
    use_median: bool = False
    waking: bool = False
    against: str = ""

    def summary(self, values: Sequence[float]) -> float:
        """One figure of all repetitions: the best, or the median.

        Noise only slows, so the best is nearest the truth; of memory it may also take away.
        """
        if self.use_median:
            return statistics.median(values)
        return max(values) if self.more_is_better else min(values)

    def better(self, one: float, other: float) -> bool:
        """Whether `one` beats `other`."""
        return one > other if self.more_is_better else one < other


def _targets(value: float) -> dict[str, float]:
    return {"sync": value, "aio": value}


def _streaming(key: str, title: str, *, waking: bool = False) -> Metric:
    targets = _targets(4.0)
    return Metric(key, title, "messages/s", same_front_end=False, targets=targets, waking=waking)


def _within(key: str, title: str, against: str, target: float | None = 0.95) -> Metric:
    return Metric(
        key,
        title,
        "x",
        targets={} if target is None else _targets(target),
        use_median=True,
        against=against,
    )


METRICS: dict[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric("server-4x32", "Server, unary, 4 x 32", "requests/s", targets=_targets(8.0)),
        Metric(
            "server-1x1", "Server, unary, 1 x 1", "requests/s", targets=_targets(8.0), waking=True
        ),
        Metric("server-cpu", "Server CPU per unary RPC", "us", more_is_better=False),
        Metric("tls-4x32", "Server, unary, TLS, 4 x 32", "requests/s", targets=_targets(4.0)),
        Metric("tls-cpu", "Server CPU per unary RPC, TLS", "us", more_is_better=False),
        Metric(
            "client-sequential",
            "Client, unary, time of one call",
            "us",
            more_is_better=False,
            targets={"sync": 0.6},
        ),
        Metric(
            "client-concurrent",
            "Client, unary, concurrent",
            "requests/s",
            fronts={"sync": "sync, 16 threads", "aio": "aio, 64 tasks"},
            targets=_targets(2.5),
        ),
        *(
            _within(f"picks-{key}-{width}", f"Client, {title}, {words}", against, target)
            for key, title, against, target in (
                ("round-robin", "round_robin", "3 pick_first channels", 0.95),
                ("turns", "3 pick_first channels", "1 of them", None),
                ("retries", "retryPolicy", "no retryPolicy", 0.95),
            )
            for width, words in (("sequential", "one at a time"), ("concurrent", "many"))
        ),
        *(
            _within(f"telemetry-{key}", f"{title}, with metrics", "without metrics", 0.9)
            for key, title in (
                ("sequential", "Client, unary, one at a time"),
                ("concurrent", "Client, unary, many"),
                ("server", "Server, unary, 4 x 32"),
            )
        ),
        *(
            _within(f"web-{key}", f"Server, unary, {title}", against, target)
            for key, title, against, target in (
                ("off", "gRPC, with clarion.web on", "clarion.web off", 0.98),
                ("grpc-web", "gRPC-Web", "gRPC", None),
                ("connect", "Connect", "gRPC", None),
                ("connect-json", "Connect with JSON", "gRPC", None),
                ("http1", "Connect over HTTP/1.1", "gRPC", None),
            )
        ),
        _streaming("server-down", "Server, server streaming"),
        _streaming("server-pingpong-1", "Server, bidi ping-pong, 1 stream", waking=True),
        _streaming("server-pingpong-8", "Server, bidi ping-pong, 8 streams", waking=True),
        _streaming("server-window", "Server, bidi, free-running"),
        _streaming("client-down", "Client, server streaming"),
        _streaming("client-pingpong-1", "Client, bidi ping-pong, 1 stream"),
        _streaming("client-pingpong-8", "Client, bidi ping-pong, 8 streams"),
        _streaming("client-window", "Client, bidi, free-running"),
        Metric("payload-1", "Echo of 1 MiB", "MB/s", same_front_end=False, targets=_targets(1.0)),
        Metric("payload-64", "Echo of 64 MiB", "MB/s", same_front_end=False, targets=_targets(1.0)),
        Metric(
            "memory-connection",
            "Memory per idle connection",
            "bytes",
            more_is_better=False,
            same_front_end=False,
            targets=_targets(1.0),
            use_median=True,
        ),
        Metric(
            "memory-stream",
            "Memory per idle stream",
            "bytes",
            more_is_better=False,
            same_front_end=False,
            targets=_targets(1.0),
            use_median=True,
        ),
        Metric(
            "import",
            "Import time",
            "ms",
            more_is_better=False,
            fronts={"sync": "clarion", "aio": "clarion.aio"},
        ),
        Metric("size", "Installed size", "bytes", more_is_better=False, fronts={"sync": ""}),
    )
}
