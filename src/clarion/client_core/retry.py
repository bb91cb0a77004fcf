"""Trying calls again, as a service config has it (gRFC A6).

A call may be tried again until it is committed: once response headers came, or more was sent than the buffer holds,
its next failure is its last. What was sent is kept until then.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from clarion.protocol.outcome import Outcome
from clarion.service_config import RetryPolicy, RetryThrottling
from clarion.status import StatusCode

__all__ = ["Retry", "Throttle", "previous_attempts", "pushback"]

_PREVIOUS_ATTEMPTS = b"grpc-previous-rpc-attempts"
_PUSHBACK = "grpc-retry-pushback-ms"

# A6: from 0.8 to 1.2 of the backoff.
_JITTER = 0.2


class Throttle:
    """Stops retries and hedges while many attempts fail; used from any thread.

    Args:
        config: the service config's.
        lock: held for each change.
    """

    def __init__(self, config: RetryThrottling, lock: AbstractContextManager[object]) -> None:
        self.config = config
        self._lock = lock
        self._tokens = config.max_tokens

    @property
    def allows(self) -> bool:
        """Whether calls may be tried again now."""
        return self._tokens > self.config.max_tokens / 2

    def succeeded(self) -> None:
        """An attempt ended with OK."""
        if self._tokens >= self.config.max_tokens:
            # As nearly always, and then there is nothing to change.
            return
        with self._lock:
            self._tokens = min(self._tokens + self.config.token_ratio, self.config.max_tokens)

    def failed(self) -> None:
        """An attempt failed with a status that is a reason to try again, or the server asked not to."""
        with self._lock:
            self._tokens = max(self._tokens - 1, 0.0)


class Retry:
    """What one call knows of its tries.

    Args:
        policy: of its method.
        throttle: of its channel, or None.
        limit: how many bytes of requests may be kept.
        random: a number from 0 up to 1.

    Attributes:
        kept: the requests of a stream of them that were sent, to be sent again.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        throttle: Throttle | None,
        limit: int,
        random: Callable[[], float],
    ) -> None:
        self.kept: list[tuple[bytes, bytes]] = []
        self._policy = policy
        self._throttle = throttle
        self._room = limit
        self._random = random
        self._failures = 0
        self._backoff = policy.initial_backoff

    def keep(self, message: tuple[bytes, bytes]) -> bool:
        """Keep a request that was sent. Returns False if that is too much: the call is committed."""
        self._room -= len(message[0]) + len(message[1])
        if self._room < 0:
            return False
        self.kept.append(message)
        return True

    @property
    def failures(self) -> int:
        """How many attempts failed that a server may have acted on."""
        return self._failures

    @property
    def fields(self) -> tuple[tuple[bytes, bytes], ...]:
        """What the next attempt adds to the request headers."""
        return previous_attempts(self._failures)

    def after(self, outcome: Outcome, committed: bool) -> float | None:
        """When to try again after an attempt that ended with `outcome`.

        Args:
            outcome: the attempt's.
            committed: whether response headers came.

        Returns:
            Seconds from now, or None: the call is over.
        """
        policy, throttle = self._policy, self._throttle
        asked = pushback(outcome)
        refused = asked is not None and asked < 0
        retryable = outcome.code in policy.codes
        if throttle is not None:
            if retryable or refused:
                throttle.failed()
            elif outcome.code is StatusCode.OK:
                throttle.succeeded()
        if committed or refused or not retryable:
            return None
        self._failures += 1
        if self._failures >= policy.max_attempts:
            return None
        if throttle is not None and not throttle.allows:
            return None
        if asked is not None:
            self._backoff = policy.initial_backoff
            return asked
        delay = self._backoff * (1 + _JITTER * (2 * self._random() - 1))
        self._backoff = min(self._backoff * policy.backoff_multiplier, policy.max_backoff)
        return delay


def previous_attempts(count: int) -> tuple[tuple[bytes, bytes], ...]:
    """The header field that tells a server how many attempts there were before."""
    return ((_PREVIOUS_ATTEMPTS, b"%d" % count),) if count else ()


def pushback(outcome: Outcome) -> float | None:
    """What the server says of another try: in how many seconds, -1 for none; None if it says nothing."""
    for name, value in outcome.trailing_metadata:
        if name == _PUSHBACK:
            text = value if isinstance(value, str) else value.decode("latin-1")
            if text.isascii() and text.isdigit() and len(text) <= 9:
                return int(text) / 1000
            return -1.0
    return None
