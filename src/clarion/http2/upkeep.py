"""What happens to a connection through time alone: signs of life, idleness, age (gRFC A8 and A9).

Rules it keeps:
- It costs calls nothing. Nobody reports to it: its timers look at counters that the connection keeps anyway,
  several times in each period, so what is due happens up to a quarter of the period late, never early.
- It has no clock and no lock. The owner's `call_later` does what a callback needs around it: it takes the
  lock if there is one, and writes the outbox afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from clarion.http2.connection import Connection

__all__ = ["CallLater", "Idleness", "Keepalive", "Lifetime", "Timer"]

_LOOKS = 4
_KEEPALIVE_PING = b"clarion\2"
_JITTER = 0.1
# How long a connection that is drained waits for the answer to its PING, in seconds.
_DRAIN_PATIENCE = 10.0


class Timer(Protocol):
    """Something that will happen."""

    def cancel(self) -> None:
        """Let it not happen."""


CallLater = Callable[[float, Callable[[], None]], Timer]


class Keepalive:
    """Asks the peer for a sign of life when none was heard for long, and gives up one that gives none.

    Args:
        connection: whose `config.keepalive` says when.
        call_later: see the module.

    Attributes:
        sent: how often it asked.
    """

    __slots__ = (
        "_asked",
        "_call_later",
        "_config",
        "_connection",
        "_heard",
        "_pings",
        "_quiet",
        "_timer",
        "_work",
        "sent",
    )

    def __init__(self, connection: Connection, call_later: CallLater) -> None:
        self._connection = connection
        self._config = connection.config.keepalive
        self._call_later = call_later
        self._timer: Timer | None = None
        self._heard = -1
        self._work = -1
        self._quiet = 0
        self._pings = 0
        self._asked = False
        self.sent = 0
        if self._config.time < math.inf:
            self._wait(self._config.time / _LOOKS, self._look)

    def stop(self) -> None:
        """The connection is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def answered(self, ping: bytes) -> None:
        """The peer acknowledged a PING; see `ConnectionObserver.ping_acknowledged`."""
        if ping == _KEEPALIVE_PING and self._asked and self._timer is not None:
            self._timer.cancel()
            self._go_on()

    def _go_on(self) -> None:
        self._asked = False
        self._quiet = 0
        self._heard = self._connection.bytes_received
        self._wait(self._config.time / _LOOKS, self._look)

    def _wait(self, delay: float, callback: Callable[[], None]) -> None:
        self._timer = self._call_later(delay, callback)

    def _look(self) -> None:
        connection = self._connection
        if connection.closed:
            return
        config = self._config
        if connection.bytes_received != self._heard:
            self._heard = connection.bytes_received
            self._quiet = 0
        else:
            self._quiet += 1
        if self._quiet < _LOOKS or not self._may_ping():
            self._wait(config.time / _LOOKS, self._look)
            return
        self._pings += 1
        self.sent += 1
        self._asked = True
        connection.ping(_KEEPALIVE_PING)
        self._wait(config.timeout, self._judge)

    def _may_ping(self) -> bool:
        config = self._config
        connection = self._connection
        if connection.work != self._work:
            self._work = connection.work
            self._pings = 0
        if config.max_pings and self._pings >= config.max_pings:
            return False
        return config.without_calls or bool(connection.streams)

    def _judge(self) -> None:
        connection = self._connection
        if connection.closed:
            return
        if connection.bytes_received == self._heard:
            connection.connection_lost(
                f"keepalive: the peer did not answer a PING within {self._config.timeout:g} s"
            )
        else:
            # Something came, if not the answer: that may be stuck behind a large message.
            self._go_on()


class Idleness:
    """Notices that a connection had no stream for a while.

    Args:
        connection: the connection.
        call_later: see the module.
        period: the while, in seconds; not infinite.
        idle: what to call then, once.
    """

    __slots__ = (
        "_call_later",
        "_connection",
        "_idle",
        "_period",
        "_quiet",
        "_timer",
        "_work",
    )

    def __init__(
        self,
        connection: Connection,
        call_later: CallLater,
        period: float,
        idle: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._call_later = call_later
        self._period = period
        self._idle = idle
        self._work = -1
        self._quiet = 0
        self._timer = self._wait()

    def stop(self) -> None:
        """It no longer matters."""
        self._timer.cancel()

    def _wait(self) -> Timer:
        return self._call_later(self._period / _LOOKS, self._look)

    def _look(self) -> None:
        connection = self._connection
        if connection.closed:
            return
        if connection.streams or connection.work != self._work:
            self._work = connection.work
            self._quiet = 0
        else:
            self._quiet += 1
        if self._quiet < _LOOKS:
            self._timer = self._wait()
        else:
            self._idle()


class Lifetime:
    """Ends a server's connection: no client behind it, none that uses it, or simply old.

    Args:
        connection: whose `config.lifetime` says when.
        call_later: see the module.
        random: a number from 0 up to 1, so that connections made together do not end together.
    """

    __slots__ = (
        "_age",
        "_call_later",
        "_config",
        "_connection",
        "_drain",
        "_handshake",
        "_idleness",
    )

    def __init__(
        self, connection: Connection, call_later: CallLater, random: Callable[[], float]
    ) -> None:
        self._connection = connection
        self._config = config = connection.config.lifetime
        self._call_later = call_later
        self._handshake: Timer | None = None
        self._age: Timer | None = None
        self._drain: Timer | None = None
        # Servers have many connections, and most have no such limit: what is not needed is not made.
        self._idleness: Idleness | None = None
        if config.max_idle < math.inf:
            self._idleness = Idleness(
                connection, call_later, config.max_idle, lambda: self.drain(b"max_idle")
            )
        if config.handshake < math.inf:
            self._handshake = call_later(config.handshake, self._check_handshake)
        if config.max_age < math.inf:
            age = config.max_age * (1 - _JITTER + 2 * _JITTER * random())
            self._age = call_later(age, self._too_old)

    def stop(self) -> None:
        """The connection is over."""
        self.established()
        if self._idleness is not None:
            self._idleness.stop()
        if self._age is not None:
            self._age.cancel()
            self._age = None
        if self._drain is not None:
            self._drain.cancel()
            self._drain = None

    def drain(self, why: bytes = b"") -> None:
        """Drain the connection, also if the peer never answers; see `Lifecycle.drain`."""
        connection = self._connection
        if not connection.closed and not connection.draining:
            connection.drain(why)
            self._drain = self._call_later(_DRAIN_PATIENCE, connection.finish_drain)

    def established(self) -> None:
        """The client's SETTINGS arrived."""
        if self._handshake is not None:
            self._handshake.cancel()
            self._handshake = None

    def _check_handshake(self) -> None:
        connection = self._connection
        if not connection.closed and not connection.settings_received:
            connection.close(f"the client sent no SETTINGS within {self._config.handshake:g} s")

    def _too_old(self) -> None:
        connection = self._connection
        if connection.closed:
            return
        self.drain(b"max_age")
        if self._config.age_grace < math.inf:
            self._age = self._call_later(self._config.age_grace, self._cut_off)

    def _cut_off(self) -> None:
        self._connection.close(
            "the connection reached its maximum age, and its grace period is over"
        )
