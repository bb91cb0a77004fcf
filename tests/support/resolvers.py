"""What resolvers ask of a channel, with a clock and name servers that tests say."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from typing import Any

from clarion.resolver.backoff import Backoff
from clarion.resolver.dns_questions import Service
from clarion.resolver.registry import find_resolver, target_of
from clarion.resolver.resolver import Resolution, Resolver
from clarion.resolver.target import Address, HostPort

__all__ = ["FakeHelper", "Records", "resolver_of"]

Done = Callable[[Any, str], None]


class _Timer:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class FakeHelper:
    """A channel, as resolvers see it.

    Attributes:
        found: what the resolver said.
        names: by host, its addresses, or why there are none; a host that is not here does not answer.
        lookups: the names asked for.
        late: what to call with the answers that did not come.
        jitter: what `random` gives.
    """

    def __init__(self, **options: Any) -> None:
        self.time = 1000.0
        self.found: list[Resolution] = []
        self.names: dict[str, str | list[str]] = {}
        self.lookups: list[str] = []
        self.late: list[Done] = []
        self.jitter = 0.5
        self._options = options
        self._posted: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, _Timer]] = []
        self._numbers = itertools.count()

    def update(self, resolution: Resolution) -> None:
        self.found.append(resolution)

    def now(self) -> float:
        return self.time

    def random(self) -> float:
        return self.jitter

    def call_later(self, delay: float, callback: Callable[[], None]) -> _Timer:
        assert delay >= 0
        timer = _Timer(self.time + delay, callback)
        heapq.heappush(self._timers, (timer.when, next(self._numbers), timer))
        return timer

    def post(self, callback: Callable[[], None]) -> None:
        self._posted.append(callback)

    def apart(self, work: Callable[[], None]) -> None:
        self._posted.append(work)

    def look_up(self, name: HostPort, done: Callable[[list[Address] | None, str], None]) -> None:
        self.lookups.append(name.host)
        answer = self.names.get(name.host)
        if answer is None:
            self.late.append(done)
        elif isinstance(answer, str):
            self.post(lambda: done(None, answer))
        else:
            self.post(lambda: done([HostPort(each, name.port) for each in answer], ""))

    def option(self, name: str) -> Any:
        return self._options.get(name.rpartition(".")[2])

    def backoff(self) -> Backoff:
        return Backoff(1.0, 120.0, self.random)

    # The test

    @property
    def timers(self) -> list[float]:
        return sorted(each.when - self.time for _, _, each in self._timers if each.callback)

    @property
    def hosts(self) -> list[list[str]]:
        """The addresses of each endpoint found last."""
        return [[str(each) for each in one.addresses] for one in self.found[-1].endpoints]

    def run(self) -> None:
        while self._posted:
            self._posted.popleft()()

    def advance(self, seconds: float) -> None:
        end = self.time + seconds
        self.run()
        while self._timers and self._timers[0][0] <= end:
            when, _, timer = heapq.heappop(self._timers)
            if timer.callback is not None:
                self.time = max(self.time, when)
                callback, timer.callback = timer.callback, None
                callback()
                self.run()
        self.time = end


class Records:
    """Name servers, in place of `clarion.name_lookup.dns_records`. A text is why there is no answer.

    Attributes:
        asked: `(kind, name, server)` of each question.
    """

    def __init__(self) -> None:
        self.hosts: dict[str, Any] = {}
        self.config: Any = []
        self.srv: Any = []
        self.asked: list[tuple[str, str, str]] = []

    def addresses(self, name: HostPort, server: HostPort | None, timeout: float) -> list[HostPort]:
        answer = self._answer("A", name.host, server, self.hosts.get(name.host, []))
        return [HostPort(each, name.port) for each in answer]

    def texts(self, name: str, server: HostPort | None, timeout: float) -> list[str]:
        return list(self._answer("TXT", name, server, self.config))

    def services(self, name: str, server: HostPort | None, timeout: float) -> list[Service]:
        return [Service(*each) for each in self._answer("SRV", name, server, self.srv)]

    def hostname(self) -> str:
        return "here"

    def _answer(self, kind: str, name: str, server: HostPort | None, answer: Any) -> Any:
        self.asked.append((kind, name, str(server)))
        if isinstance(answer, str):
            raise LookupError(answer)
        return answer


def resolver_of(target: str, helper: FakeHelper) -> Resolver:
    parsed = target_of(target)
    kind = find_resolver(parsed.scheme)
    assert kind is not None
    return kind(parsed, helper)
