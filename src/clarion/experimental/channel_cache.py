"""Channels that nobody holds, kept for the next call to the same place.

Rules it keeps:
- A channel is closed when it was not asked for in a while, or when there are too many; the one that was not asked
  for the longest goes first. Calls in progress on it go on to their end.
- It has no thread: the client's I/O thread keeps the time.
- After `fork` the child keeps the channels, which start anew there as all channels do.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from clarion.sync import runtime as _runtime
from clarion.sync.channel import Channel as OwnChannel
from clarion.sync.channel_interface import Channel

__all__ = ["ChannelCache", "number_from_environment"]


def number_from_environment(name: str, default: float) -> float:
    """The number in an environment variable, or `default` where there is none.

    Raises:
        ValueError: it is no number.
    """
    text = os.environ.get(name)
    if text is None:
        return default
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"the environment variable {name} is {text!r}; it must be a number"
        ) from None


class ChannelCache:
    """Channels by what they were made with.

    Args:
        period: seconds after which a channel that nobody asked for is closed.
        maximum: how many are kept.
        now: a monotonic clock in seconds.
    """

    def __init__(
        self, period: float, maximum: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._period = period
        self._maximum = maximum
        self._now = now
        self._lock = threading.Lock()
        self._channels: OrderedDict[Hashable, tuple[Channel, float]] = OrderedDict()
        # Whose timer it is: a forked child has another runtime, and no timer.
        self._timekeeper: _runtime.SyncRuntime | None = None
        self._process = os.getpid()

    def __len__(self) -> int:
        return len(self._channels)

    def get(self, key: Hashable, make: Callable[[], Channel]) -> Channel:
        """The channel under `key`, made if need be.

        Args:
            key: what the channel is made of.
            make: makes it.
        """
        if self._process != os.getpid():
            # Another thread of the parent may have held the lock.
            self._process = os.getpid()
            self._lock = threading.Lock()
        with self._lock:
            found = self._channels.pop(key, None)
            channel = make() if found is None else found[0]
            self._channels[key] = channel, self._now() + self._period
            surplus = [
                self._channels.popitem(last=False)[1][0]
                for _ in range(len(self._channels) - self._maximum)
            ]
            self._keep_time()
        for old in surplus:
            _let_go(old)
        return channel

    def evict(self) -> None:
        """Close the channels whose time is up, and see to it that the others are looked at again."""
        due: list[Channel] = []
        with self._lock:
            self._timekeeper = None
            now = self._now()
            while self._channels:
                key, (channel, until) = next(iter(self._channels.items()))
                if until > now:
                    self._keep_time()
                    break
                del self._channels[key]
                due.append(channel)
        for channel in due:
            _let_go(channel)

    def _keep_time(self) -> None:
        runtime = _runtime.runtime()
        if self._timekeeper is runtime or not self._channels:
            return
        self._timekeeper = runtime
        _, until = next(iter(self._channels.values()))
        runtime.call_later(max(until - self._now(), 0.0), self.evict)


def _let_go(channel: Channel) -> None:
    """Close `channel` once the calls on it are over."""
    core = runtime = None
    if isinstance(channel, OwnChannel):
        core, runtime = channel.core, channel.runtime
    if core is None or runtime is None:
        channel.close()
        return

    def close() -> None:
        if not core.when_idle(channel.close):
            channel.close()

    runtime.post(close)
