"""Which calls are held up or made to fail: rules like those of gRFC A33, for both sides and both front ends.

The rules are decided here; what stands between a program and its calls is in `faulty_calls` and `faulty_aio_calls`.
Chance comes from one seed, so a sequence of calls meets the same faults in each run.
"""

from __future__ import annotations

import dataclasses
import random
import threading
from collections.abc import Iterable
from fnmatch import fnmatchcase
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

from clarion.status import StatusCode

if TYPE_CHECKING:
    import clarion.aio.interceptors
    import clarion.sync.interceptor_interface
    from clarion.testing.faulty_calls import FaultyCalls

__all__ = ["Fault", "FaultInjector", "Verdict"]

_HEADERS = "x-envoy-fault-"
_EVERY = 100.0


@dataclasses.dataclass(frozen=True)
class Fault:
    """What happens to calls.

    Attributes:
        methods: of which methods: a pattern as for file names, over `/package.Service/Method`.
        delay: seconds by which a call is held up.
        delay_percent: how many of the calls are.
        abort: the status with which a call fails, after the delay, or None.
        details: the status message.
        abort_percent: how many of the calls fail.
        count: how many calls this happens to, at most; None: no limit.
        max_active: how many calls it happens to at a time, at most; None: no limit.
        by_headers: a call's metadata says what happens to it: `x-envoy-fault-delay-request` (milliseconds) and
            `x-envoy-fault-abort-grpc-request` (a number), each with a `-percentage` key beside it (named as in A33),
            which can lower the percentage of the rule and not raise it.
    """

    methods: str = "*"
    delay: float = 0.0
    delay_percent: float = _EVERY
    abort: StatusCode | None = None
    details: str = "injected fault"
    abort_percent: float = _EVERY
    count: int | None = None
    max_active: int | None = None
    by_headers: bool = False

    def __post_init__(self) -> None:
        for name in ("delay_percent", "abort_percent"):
            if not 0 <= getattr(self, name) <= _EVERY:
                raise ValueError(f"{name} is {getattr(self, name)!r}, and no number from 0 to 100")
        if self.delay < 0:
            raise ValueError(f"delay is {self.delay!r}; time does not go back")
        if self.abort is StatusCode.OK:
            raise ValueError("abort is StatusCode.OK, with which a call does not fail")


class Verdict(NamedTuple):
    """What happens to one call; `owner` counts it as active until `FaultInjector.over`."""

    delay: float
    abort: StatusCode | None
    details: str
    owner: _Rule


class _Rule:
    """A fault, and how often it happened."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.happened = 0
        self.active = 0

    def judge(self, method: str, metadata: dict[str, str], rng: random.Random) -> Verdict | None:
        fault = self.fault
        if not fnmatchcase(method, fault.methods):
            return None
        if fault.count is not None and self.happened >= fault.count:
            return None
        if fault.max_active is not None and self.active >= fault.max_active:
            return None
        delay, delay_percent = fault.delay, fault.delay_percent
        abort, abort_percent = fault.abort, fault.abort_percent
        if fault.by_headers:
            delay = _number(metadata, "delay-request") / 1000
            abort = _status(_number(metadata, "abort-grpc-request"))
            delay_percent = _percent(metadata, "delay-request-percentage", delay_percent)
            abort_percent = _percent(metadata, "abort-percentage", abort_percent)
        if not (delay and rng.random() * _EVERY < delay_percent):
            delay = 0.0
        if not (abort and rng.random() * _EVERY < abort_percent):
            abort = None
        if not delay and abort is None:
            return None
        self.happened += 1
        self.active += 1
        return Verdict(delay, abort, fault.details, self)


class FaultInjector:
    """Holds up calls and makes them fail, as its rules say. From any thread; rules may change while calls are made.

    For the server's side give its interceptor to the server, for the client's to the channel. The first rule that has
    something for a call counts.

    Args:
        faults: the rules to begin with.
        seed: for everything that chance decides.
    """

    def __init__(self, *faults: Fault, seed: int = 0) -> None:
        self._random = random.Random(seed)  # nosec B311  # tests want the same again
        self._lock = threading.Lock()
        self._rules = [_Rule(fault) for fault in faults]
        self._injected = 0

    # What a test says

    def add(self, **fields: Any) -> Fault:
        """Add a rule behind those there are.

        Args:
            fields: those of `Fault`.

        Raises:
            TypeError, ValueError: they make no fault.
        """
        fault = Fault(**fields)
        with self._lock:
            self._rules.append(_Rule(fault))
        return fault

    def set(self, faults: Iterable[Fault]) -> None:
        """Have these rules and no others; what happened so far does not count for them."""
        rules = [_Rule(fault) for fault in faults]
        with self._lock:
            self._rules = rules

    def clear(self) -> None:
        """Have no rules: calls from now on go as they go."""
        self.set(())

    @property
    def injected(self) -> int:
        """How many calls something happened to so far."""
        return self._injected

    def happened(self, fault: Fault) -> int:
        """How many calls one of the rules happened to so far."""
        with self._lock:
            return sum(rule.happened for rule in self._rules if rule.fault == fault)

    # What stands between

    def server_interceptor(self) -> clarion.sync.interceptor_interface.ServerInterceptor:
        """For `clarion.server(interceptors=[...])`."""
        from clarion.testing.faulty_calls import FaultyService

        return FaultyService(self)

    def client_interceptor(self) -> FaultyCalls:
        """For `clarion.intercept_channel`. A delay takes place on the thread that makes the call."""
        from clarion.testing.faulty_calls import FaultyCalls

        return FaultyCalls(self)

    def aio_server_interceptor(self) -> clarion.aio.interceptors.ServerInterceptor:
        """For `clarion.aio.server(interceptors=[...])`."""
        from clarion.testing.faulty_aio_calls import FaultyService

        return FaultyService(self)

    def aio_client_interceptors(self) -> list[clarion.aio.interceptors.ClientInterceptor]:
        """For `clarion.aio.insecure_channel(interceptors=...)`: one for each pattern of calls."""
        from clarion.testing.faulty_aio_calls import client_interceptors

        return client_interceptors(self)

    def judge(self, method: str | bytes, metadata: Any) -> Verdict | None:
        """What happens to a call that begins now, or None. With `over` when that has happened."""
        rules = self._rules
        if not rules:
            return None
        if isinstance(method, bytes):
            method = method.decode("utf-8", "replace")
        texts = {key: value for key, value in metadata or () if isinstance(value, str)}
        with self._lock:
            for rule in rules:
                verdict = rule.judge(method, texts, self._random)
                if verdict is not None:
                    self._injected += 1
                    return verdict
        return None

    def over(self, verdict: Verdict) -> None:
        """The fault has happened: it no longer counts as active."""
        with self._lock:
            verdict.owner.active -= 1

    def __enter__(self) -> FaultInjector:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def __repr__(self) -> str:
        return f"<clarion.testing.FaultInjector with {len(self._rules)} rules, {self._injected} injected>"


def _number(metadata: dict[str, str], name: str) -> int:
    text = metadata.get(_HEADERS + name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _percent(metadata: dict[str, str], name: str, most: float) -> float:
    return min(_number(metadata, name), most) if _HEADERS + name in metadata else most


def _status(number: int) -> StatusCode | None:
    for code in StatusCode:
        if code.value[0] == number and number:
            return code
    return None
