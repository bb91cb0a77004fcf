"""Time, chance and the network of simulated channels: the client's `Runtime` with a clock that jumps."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from clarion.client_core import LinkOwner, Pending
from clarion.http2 import Config
from clarion.protocol.outcome import Outcome
from clarion.resolver.target import Address, HostPort
from clarion.status import StatusCode
from simulation.backends import Backend

__all__ = ["MemoryLink", "Timer", "World"]

_LOST = Outcome(StatusCode.UNAVAILABLE, "the connection was lost")
_CLOSED = Outcome(StatusCode.CANCELLED, "the channel closed the connection")


class Timer:
    """One callback at one time."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class World:
    """Time, names and connections.

    Attributes:
        backends: who answers at which address; nobody else does.
        connects: the times of all attempts to connect.
    """

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.random = self.chance.random
        self.backends: dict[Address, Backend] = {}
        self.connects: list[float] = []
        self._time = 0.0
        self._numbers = itertools.count()
        self._timers: list[tuple[float, int, Timer]] = []
        self._posted: deque[Callable[[], None]] = deque()

    # Runtime

    def now(self) -> float:
        return self._time

    def lock(self) -> AbstractContextManager[object]:
        return nullcontext()

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(callback)
        heapq.heappush(self._timers, (self._time + delay, next(self._numbers), timer))
        return timer

    def post(self, callback: Callable[[], None]) -> None:
        self._posted.append(callback)

    post_from_thread = apart = post

    def resolve(self, name: HostPort, done: Callable[[list[Address] | None, str], None]) -> None:
        done(None, "there are no names here")

    def connect(
        self,
        address: Address,
        config: Config,
        owner: LinkOwner,
        done: Callable[[MemoryLink | None, str], None],
    ) -> None:
        self.connects.append(self._time)
        backend = self.backends.get(address)

        def answer() -> None:
            if backend is None or not backend.up:
                done(None, "Connection refused")
                return
            link = MemoryLink(self, backend, owner)
            backend.links[link] = None
            done(link, "")
            owner.link_ready(link)

        # A round trip, so that those who connect at the same time do not all know the end of it at once.
        self.call_later(0.001 + 0.001 * self.random(), answer)

    # The simulation

    def run(self, until: float) -> None:
        """Let time go by."""
        posted, timers = self._posted, self._timers
        while True:
            while posted:
                posted.popleft()()
            if not timers or timers[0][0] > until:
                break
            self._time, _, timer = heapq.heappop(timers)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
        self._time = until


class _Connection:
    """As much of an HTTP/2 connection as calls and subchannels look at."""

    can_open = True
    peer_initial_window = recv_stream_window = 65_535
    peer_max_header_list_size = None
    work = 0
    # What channelz counts.
    opened = own_streams = calls_failed = 0
    times = None

    def __init__(self, link: MemoryLink) -> None:
        self.closed = False
        self.draining = False
        self.streams: dict[int, Any] = {}
        self.encoder = self
        self.now = link.world.now
        self._link = link

    def encode(self, fields: Any) -> bytes:
        return b""

    def open_stream(self, attempt: Any, *block_and_message: bytes, end_stream: bool) -> None:
        self.opened += 1
        self._link.open_stream(attempt)

    def want_stream(self) -> None: ...


class MemoryLink:
    """A connection to a backend: attempts go there as they are, and their outcomes come back."""

    def __init__(self, world: World, backend: Backend, owner: LinkOwner) -> None:
        self.world = world
        self.backend = backend
        self.connection: Any = _Connection(self)
        self.pending: deque[Pending] = deque()
        self.lock = nullcontext()
        self._owner = owner
        # In order, because what they end with has consequences.
        self._attempts: dict[Any, None] = {}

    def open_stream(self, attempt: Any) -> None:
        self._attempts[attempt] = None
        self.backend.serve(lambda outcome: self._answer(attempt, outcome))

    def _answer(self, attempt: Any, outcome: Outcome) -> None:
        if attempt in self._attempts:
            del self._attempts[attempt]
            self._end(attempt, outcome)

    @staticmethod
    def _end(attempt: Any, outcome: Outcome) -> None:
        if attempt.outcome is None:
            if outcome.code is StatusCode.OK:
                attempt.call.response = b""
            attempt.outcome = outcome
            attempt.ended(outcome)

    def lose(self) -> None:
        """The server is gone."""
        self._over(_LOST)
        reason: Any = _Reason
        self._owner.link_closed(self, reason)

    def _over(self, outcome: Outcome) -> None:
        self.connection.closed = True
        attempts, self._attempts = self._attempts, {}
        for attempt in attempts:
            self._end(attempt, outcome)

    # Link

    def peer_name(self) -> str:
        return self.backend.name

    def flush_soon(self) -> None: ...

    def close(self, message: str) -> None:
        self.backend.links.pop(self, None)
        if not self.connection.closed:
            self._over(_CLOSED)

    def drain(self) -> None:
        self.connection.draining = True
        if not self._attempts:
            self.close("drained")

    def leave_unattended(self) -> None: ...

    def attended(self) -> None: ...


class _Reason:
    code = 0
    message = "the connection was lost"
