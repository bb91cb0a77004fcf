"""Metrics of a channel's calls and their attempts (gRFCs A66 and A96)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from time import perf_counter

from clarion.call_tracing import (
    AttemptStart,
    AttemptTracer,
    CallTracer,
    ClientMeasure,
    ClientMethodTracing,
    ClientTracing,
    Fields,
    PolicyMetrics,
    Stream,
)
from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode
from clarion.telemetry.batches import FULL, Batches, Group, Series, Together
from clarion.telemetry.labels import CUSTOM, Labelling, current_call_label
from clarion.telemetry.policy_metrics import PolicyRecorder

__all__ = ["ClientMetrics"]

# Enumerations look their members up anew each time.
_OK = StatusCode.OK

# Held while series are made that others feed.
_MAKING = threading.Lock()

# The sizes of an attempt that never was on a stream.
_NO_MESSAGES = (0, 0)


class ClientMetrics(ClientTracing):
    """What records the metrics of clients.

    Args:
        batches: the instruments.
        labelling: the labels.
        policies: records what load-balancing policies tell.
    """

    def __init__(self, batches: Batches, labelling: Labelling, policies: PolicyRecorder) -> None:
        self.labelling = labelling
        self._policies = policies
        self.started = batches.counter("grpc.client.attempt.started")
        self.attempts = batches.group(
            "grpc.client.attempt.duration",
            "grpc.client.attempt.sent_total_compressed_message_size",
            "grpc.client.attempt.rcvd_total_compressed_message_size",
        )
        self.calls = batches.group("grpc.client.call.duration")
        self.retries = batches.group("grpc.client.call.retries")
        self.transparent_retries = batches.group("grpc.client.call.transparent_retries")
        self.hedges = batches.group("grpc.client.call.hedges")
        self.retry_delay = batches.group("grpc.client.call.retry_delay")
        retries = (self.retries, self.transparent_retries, self.hedges, self.retry_delay)
        self._wants_retries = any(group.wanted for group in retries)
        self._methods: dict[tuple[str, str, str], _Method] = {}

    def method(self, target: str, method: str, registered: bool) -> ClientMethodTracing:
        """See `ClientTracing`."""
        named = self.labelling.method(method, registered), self.labelling.target(target)
        kind = _RetriesToo if self._wants_retries else _Call
        if not self.labelling.custom:
            known = self._method(*named, "")
            return partial(kind, known) if self._wants_retries else known

        def begin(deadline: float | None, metadata: Fields) -> CallTracer:
            return kind(self._method(*named, current_call_label.get()))

        return begin

    def policy_metrics(self, target: str) -> PolicyMetrics:
        """See `ClientTracing`."""
        return self._policies.of(target)

    def _method(self, method: str, target: str, custom: str) -> _Method:
        labels = {"grpc.method": method, "grpc.target": target}
        if self.labelling.custom:
            labels[CUSTOM] = custom
        key = method, target, custom
        found = self._methods.get(key)
        if found is None:
            # In one step, for another thread may be at it.
            found = self._methods.setdefault(key, _Method(self, labels))
        return found


class _Method(ClientMeasure):
    """The series of one method on channels to one target."""

    def __init__(self, metrics: ClientMetrics, labels: dict[str, str]) -> None:
        self.metrics = metrics
        self.labels = labels
        count: Callable[[], object] | None = None
        if metrics.started is not None:
            count = metrics.started(labels)
        self.attempt_started: Callable[[], object] = count or _nothing
        self._attempts: dict[StatusCode, Series] = {}
        self._calls: dict[StatusCode, Series] = {}
        self._retries: dict[Group, Series] = {}
        self._together: dict[StatusCode, Together] = {}
        self.ok_attempts = self.attempts(_OK)
        self.ok_calls = self.calls(_OK)
        self._ok = self.together(_OK)
        self._ok_pending = self._ok.pending
        self.now = perf_counter

    def __call__(self, deadline: float | None, metadata: Fields) -> CallTracer:
        """See `ClientMeasure`."""
        return _Call(self)

    def ended_with_attempt(
        self, code: StatusCode, attempt_took: float, sent: int, received: int, took: float
    ) -> None:
        """See `ClientMeasure`."""
        if code is _OK:
            # What `Together.add` does, without another call: nearly all calls come by here.
            pending = self._ok_pending
            pending.append((attempt_took, sent, received, took))
            if len(pending) >= FULL:
                self._ok.record_full()
        else:
            self.together(code).add((attempt_took, sent, received, took))

    def attempt_ended(self, code: StatusCode, took: float, sent: int, received: int) -> None:
        """See `ClientMeasure`."""
        self.attempts(code).add((took, sent, received))

    def ended(self, code: StatusCode, took: float, never_tried: bool) -> None:
        """See `ClientMeasure`."""
        self.calls(code).add((took,))

    def together(self, code: StatusCode) -> Together:
        """Of calls that ended with `code`, and their last attempts."""
        together = self._together.get(code)
        if together is None:
            with _MAKING:
                together = self._together.get(code)
                if together is None:
                    together = Together(self.attempts(code), self.calls(code))
                    self._together[code] = together
        return together

    def attempts(self, code: StatusCode) -> Series:
        """Of attempts that ended with `code`."""
        series = self._attempts.get(code)
        if series is None:
            labels = self.metrics.labelling.attempt({**self.labels, "grpc.status": code.name})
            series = self._attempts.setdefault(code, self.metrics.attempts.series(labels))
        return series

    def calls(self, code: StatusCode) -> Series:
        """Of calls that ended with `code`."""
        series = self._calls.get(code)
        if series is None:
            labels = {**self.labels, "grpc.status": code.name}
            series = self._calls.setdefault(code, self.metrics.calls.series(labels))
        return series

    def retries(self, group: Group) -> Series:
        """Of calls that were tried again; `group` is what is recorded of them."""
        series = self._retries.get(group)
        if series is None:
            series = self._retries.setdefault(group, group.series(self.labels))
        return series


def _nothing() -> None:
    return None


class _Call(CallTracer):
    __slots__ = ("_attempts_begin", "_begun", "_method", "_tried")

    def __init__(
        self, method: _Method, deadline: float | None = None, metadata: Fields = ()
    ) -> None:
        self._method = method
        # The first attempt begins as soon as the name is known, before it has a connection.
        self._begun = self._attempts_begin = perf_counter()
        self._tried = False

    def name_resolved(self) -> None:
        self._attempts_begin = perf_counter()

    def attempt(self, start: AttemptStart) -> AttemptTracer:
        method = self._method
        method.attempt_started()
        if self._tried:
            return _Attempt(method, perf_counter())
        self._tried = True
        return _Attempt(method, self._attempts_begin)

    def never_placed(self, outcome: Outcome, *, hedged: bool) -> None:
        # gRFC A66: attempts begin before there is a connection for them.
        now, method = perf_counter(), self._method
        begun = now if self._tried else self._attempts_begin
        self._tried = True
        method.attempt_started()
        method.attempts(outcome.code).add((now - begun, *_NO_MESSAGES))

    def ended(self, outcome: Outcome) -> None:
        now = perf_counter()
        method, code = self._method, outcome.code
        series = method.ok_calls if code is _OK else method.calls(code)
        series.add((now - self._begun,))


class _Attempt(AttemptTracer):
    __slots__ = ("_begun", "_method", "_received", "_sent")

    def __init__(self, method: _Method, begun: float) -> None:
        self._method = method
        self._begun = begun
        self._sent = self._received = 0

    def message_sent(self, payload: bytes, wire: bytes) -> None:
        self._sent += len(wire)

    def message_received(self, wire: bytes, stream: Stream) -> None:
        self._received += len(wire)

    def ended(self, outcome: Outcome, *, by_server: bool, trailers_only: bool, here: bool) -> None:
        code, method = outcome.code, self._method
        series = method.ok_attempts if code is _OK else method.attempts(code)
        series.add((perf_counter() - self._begun, self._sent, self._received))


class _RetriesToo(_Call):
    """A call, for plugins that also want the metrics of retries."""

    __slots__ = ("_active", "_delay", "_hedges", "_idle_since", "_retries", "_transparent")

    def __init__(
        self, method: _Method, deadline: float | None = None, metadata: Fields = ()
    ) -> None:
        _Call.__init__(self, method)
        self._retries = self._transparent = self._hedges = self._active = 0
        self._delay = self._idle_since = 0.0

    def attempt(self, start: AttemptStart) -> AttemptTracer:
        if self._tried and not self._active:
            self._delay += perf_counter() - self._idle_since
        self._active += 1
        if start.transparent:
            self._transparent += 1
        elif self._tried:
            if start.hedged:
                self._hedges += 1
            else:
                self._retries += 1
        tracer = _Call.attempt(self, start)
        assert isinstance(tracer, _Attempt)
        return _WatchedAttempt(self, tracer)

    def never_placed(self, outcome: Outcome, *, hedged: bool) -> None:
        if self._tried:
            if hedged:
                self._hedges += 1
            else:
                self._retries += 1
        _Call.never_placed(self, outcome, hedged=hedged)
        self._idle_since = perf_counter()

    def attempt_over(self) -> None:
        """One of the attempts is."""
        self._active -= 1
        self._idle_since = perf_counter()

    def ended(self, outcome: Outcome) -> None:
        _Call.ended(self, outcome)
        method, metrics = self._method, self._method.metrics
        for group, number in (
            (metrics.retries, self._retries),
            (metrics.transparent_retries, self._transparent),
            (metrics.hedges, self._hedges),
            (metrics.retry_delay, self._delay),
        ):
            if number and group.wanted:
                method.retries(group).add((number,))


class _WatchedAttempt(_Attempt):
    __slots__ = ("_call",)

    def __init__(self, call: _RetriesToo, like: _Attempt) -> None:
        _Attempt.__init__(self, like._method, like._begun)
        self._call = call

    def ended(self, outcome: Outcome, *, by_server: bool, trailers_only: bool, here: bool) -> None:
        self._call.attempt_over()
        _Attempt.ended(self, outcome, by_server=by_server, trailers_only=trailers_only, here=here)
