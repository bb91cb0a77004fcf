"""Measurements of calls, kept in batches until somebody collects them.

Recording one value costs OpenTelemetry's SDK for Python several microseconds, and a call has eight or nine of them: a fifth of
what a small call takes. So a call adds one tuple to its series, and whole batches go to the histograms: when a reader of the
SDK collects, and whenever a batch is full, so that memory is bounded. What is exported is the same.

Rules it keeps:

- Adding to a series takes no lock, and may happen on any thread, also in a finalizer.
- A batch is recorded by one thread at a time; who finds another at it leaves it to that one.
"""

from __future__ import annotations

import itertools
import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary

from clarion.telemetry.definitions import METRICS
from clarion.telemetry.sdk import has_internals, record_many

__all__ = ["FULL", "Batches", "Group", "Series", "Together"]

_LOG = logging.getLogger(__name__)

Labels = Mapping[str, str]
# The values for each of several histograms.
Columns = Sequence[Sequence[float]]
Counted = tuple[Labels, int]

FULL = 512
"""How many measurements of one series make a batch that does not wait for a reader."""

# In seconds. Whoever has the lock has the SDK's locks, too; a reader has others of the SDK's while it waits.
_PATIENCE = 5.0


class Series:
    """The measurements with one set of labels.

    Args:
        group: what the series belongs to.
        labels: the attributes that its measurements have.

    Attributes:
        pending: what was added and not recorded yet.
    """

    __slots__ = ("_given", "_group", "_together", "labels", "pending")

    def __init__(self, group: Group, labels: Labels) -> None:
        self.labels = labels
        self._together: Together | None = None
        self._given: list[Columns] = []
        self._group = group
        self.pending: Any = deque()

    def add(self, measurement: tuple[float, ...]) -> None:
        """Add one value for each histogram of the group."""
        pending = self.pending
        pending.append(measurement)
        if len(pending) >= FULL:
            self.record_full()

    def record_full(self) -> None:
        """Record a batch, unless somebody is at it."""
        self._group.record_full(self)

    def feed(self, together: Together) -> None:
        """Some of its measurements come by `together`."""
        self._together = together

    def give(self, columns: Columns) -> None:
        """Add several measurements (with the lock)."""
        self._given.append(columns)

    def take(self) -> Columns:
        """The values for each histogram that were added and not taken yet (with the lock); empty if there are none."""
        if self._together is not None:
            self._together.share()
        pending = self.pending
        batch = [pending.popleft() for _ in range(len(pending))]
        given, self._given = self._given, []
        if batch:
            given.append(list(zip(*batch, strict=True)))
        if len(given) < 2:
            return given[0] if given else []
        return [list(chain.from_iterable(parts)) for parts in zip(*given, strict=True)]


class Together:
    """Measurements of two series at once, which most calls make: the last attempt's, and the call's own.

    Args:
        attempts: gets all values but the last.
        calls: gets the last.

    Attributes:
        pending: what was added and not shared yet.
    """

    def __init__(self, attempts: Series, calls: Series) -> None:
        self._series = attempts, calls
        self.pending: Any = deque()
        if type(calls) is _DirectSeries:
            self.pending = _Through(self._add_to_each)
        attempts.feed(self)
        calls.feed(self)

    def add(self, measurement: tuple[float, ...]) -> None:
        """Add one value for each histogram of both groups."""
        self.pending.append(measurement)
        if len(self.pending) >= FULL:
            self.record_full()

    def record_full(self) -> None:
        """Record a batch, unless somebody is at it."""
        for series in self._series:
            series.record_full()

    def _add_to_each(self, measurement: tuple[float, ...]) -> None:
        attempts, calls = self._series
        attempts.add(measurement[:-1])
        calls.add(measurement[-1:])

    def share(self) -> None:
        """Give each series its part (with the lock)."""
        pending = self.pending
        batch = [pending.popleft() for _ in range(len(pending))]
        if batch:
            columns = list(zip(*batch, strict=True))
            attempts, calls = self._series
            attempts.give(columns[:-1])
            calls.give(columns[-1:])


class Group:
    """Histograms that get a value each of the same events.

    Args:
        batches: what it belongs to.
        histograms: None for one that is not recorded.
    """

    def __init__(self, batches: Batches, histograms: tuple[Any, ...]) -> None:
        self._batches = batches
        self._histograms = histograms
        self._series: list[Series] = []

    @property
    def wanted(self) -> bool:
        """Whether any of the histograms is recorded."""
        return any(histogram is not None for histogram in self._histograms)

    def series(self, labels: Labels) -> Series:
        """A new series."""
        series = Series(self, labels)
        self._series.append(series)
        return series

    def record_full(self, series: Series) -> None:
        """A batch is full."""
        self._batches.exclusively(lambda: self._record([series]), wait=False)

    def record(self) -> None:
        """Record what there is (with the lock)."""
        self._record(list(self._series))

    def _record(self, several: Iterable[Series]) -> None:
        batches = [(series.labels, series.take()) for series in several]
        for index, histogram in enumerate(self._histograms):
            if histogram is not None:
                record_many(
                    histogram, [(labels, columns[index]) for labels, columns in batches if columns]
                )


class _Tally:
    """A number that any thread can increase, without a lock."""

    __slots__ = ("_count", "_looks", "labels")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        # One step of it is atomic; to look at it takes one, too.
        self._count = itertools.count()
        self._looks = 0

    @property
    def increase(self) -> Callable[[], int]:
        """Adds one."""
        return self._count.__next__

    def total(self) -> int:
        """How often it was increased (with the lock)."""
        number = next(self._count) - self._looks
        self._looks += 1
        return number


class Batches:
    """The instruments of one meter, whose measurements are kept in batches.

    Where the meter is of no SDK that is known, each measurement is recorded at once, as the API has it.

    Args:
        meter: an OpenTelemetry `Meter`.
        metrics: the names of what is to be recorded.
    """

    def __init__(self, meter: Any, metrics: Iterable[str]) -> None:
        self.metrics = frozenset(metrics)
        self._meter = meter
        self._lock = threading.Lock()
        self._groups: list[Group] = []
        self._tallies: dict[str, list[_Tally]] = {}
        self._batched = has_internals(meter)
        if hasattr(os, "register_at_fork"):
            this = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _renew_lock(this()))

    def exclusively(self, action: Callable[[], None], *, wait: bool) -> None:
        """Run `action` with the lock; where somebody has it, wait for it, but not for ever, or leave it."""
        lock = self._lock
        if lock.acquire(timeout=_PATIENCE) if wait else lock.acquire(blocking=False):
            try:
                action()
            except Exception:
                _LOG.exception("metrics of calls could not be recorded")
            finally:
                lock.release()

    def flush(self) -> None:
        """Record all that waits."""
        for group in list(self._groups):
            self.exclusively(group.record, wait=True)

    def histogram(self, name: str) -> Any:
        """The histogram of that name, or None if it is not to be recorded."""
        if name not in self.metrics:
            return None
        metric = METRICS[name]
        return self._meter.create_histogram(
            name,
            metric.unit,
            metric.description,
            explicit_bucket_boundaries_advisory=metric.boundaries,
        )

    def group(self, *names: str) -> Group:
        """Histograms that get a value each of the same events."""
        histograms = tuple(self.histogram(name) for name in names)
        group = Group(self, histograms) if self._batched else _Direct(self, histograms)
        self._groups.append(group)
        return group

    def counter(self, name: str) -> Callable[[Labels], Callable[[], object]] | None:
        """Makes functions that count one more with some labels; None if it is not to be recorded."""
        if name not in self.metrics:
            return None
        metric = METRICS[name]
        if not self._batched:
            counter = self._meter.create_counter(name, metric.unit, metric.description)
            return lambda labels: lambda: counter.add(1, labels)
        tallies: list[_Tally] = []

        def observe() -> list[Counted]:
            # Readers ask for this before they look at the histograms.
            self.flush()
            counted: list[Counted] = []

            def look() -> None:
                counted.extend((each.labels, each.total()) for each in tallies)

            self.exclusively(look, wait=True)
            return counted

        create = self._meter.create_observable_counter
        _observe(self._meter, create, observe, name, metric.unit, metric.description)

        def make(labels: Labels) -> Callable[[], object]:
            tally = _Tally(labels)
            tallies.append(tally)
            return tally.increase

        return make

    def flush_when_collected(self) -> None:
        """See to it that readers get all there is, where no counter does that."""
        if self._batched and not self.metrics & {
            "grpc.client.attempt.started",
            "grpc.server.call.started",
        }:

            def nothing() -> list[Counted]:
                self.flush()
                return []

            # It has no value ever, so nothing of it is exported.
            create = self._meter.create_observable_gauge
            _observe(self._meter, create, nothing, "clarion.telemetry.flush", "", "")


class _Asked(list[Callable[[], list[Counted]]]):
    """Who is asked for the values of an observable instrument; the instrument keeps it."""

    __slots__ = ("__weakref__",)


# Those of a meter, by their names. They know the meter, so they must not be kept here.
_ASKED: WeakKeyDictionary[Any, dict[str, weakref.ref[_Asked]]] = WeakKeyDictionary()
_ASKING = threading.Lock()


def _observe(
    meter: Any,
    create: Callable[..., Any],
    look: Callable[[], list[Counted]],
    name: str,
    unit: str,
    description: str,
) -> None:
    """Ask `look` for the values of an instrument, too: plugins may share a meter, and the SDK calls the first one alone."""
    with _ASKING:
        asked = _ASKED.setdefault(meter, {})
        known = asked.get(name)
        several = None if known is None else known()
        if several is not None:
            several.append(look)
            return
        several = _Asked([look])
        asked[name] = weakref.ref(several)

    def observe(options: Any) -> list[Any]:
        from opentelemetry.metrics import Observation

        totals: dict[tuple[tuple[str, str], ...], int] = {}
        for look in list(several):
            for labels, count in look():
                key = tuple(labels.items())
                totals[key] = totals.get(key, 0) + count
        return [Observation(count, dict(key)) for key, count in totals.items()]

    create(name, [observe], unit, description)


def _renew_lock(batches: Batches | None) -> None:
    """In a forked child: a thread of the parent may have had it."""
    if batches is not None:
        batches._lock = threading.Lock()


class _DirectSeries(Series):
    __slots__ = ()

    def __init__(self, group: Group, labels: Labels) -> None:
        Series.__init__(self, group, labels)
        self.pending = _Through(self.add)

    def add(self, measurement: tuple[float, ...]) -> None:
        for histogram, value in zip(self._group._histograms, measurement, strict=True):
            if histogram is not None:
                histogram.record(value, self.labels)


class _Through:
    """In place of measurements that wait, for series that take each at once."""

    __slots__ = ("append",)

    def __init__(self, add: Callable[[tuple[float, ...]], None]) -> None:
        self.append = add

    def __len__(self) -> int:
        return 0


class _Direct(Group):
    """Histograms that record each value at once."""

    def series(self, labels: Labels) -> Series:
        return _DirectSeries(self, labels)

    def record(self) -> None:
        """Nothing waits."""
