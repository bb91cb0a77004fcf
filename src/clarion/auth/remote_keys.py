"""A key set behind a URL, kept and renewed.

- A token whose key is known never waits, not even for a renewal: that goes on beside it.
- A key that is not known has the set fetched again, at most once in an interval whatever callers send.
- One fetch at a time; who needs its result waits for the same one.
- Keys that the set no longer has are gone with the next fetch. A set that cannot be renewed is used on for a while.
"""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from clarion.auth.authenticator import Pending
from clarion.auth.errors import VerifierUnavailable, need_pyjwt
from clarion.auth.fetching import Endpoint, FetchFailed
from clarion.auth.keys import ALGORITHMS, Jwks, KeyQuery
from clarion.plugin_threads import apart

__all__ = ["RemoteJwks"]

_LOG = logging.getLogger("clarion.auth")

_LIMIT = 1 << 20
# Without any keys nothing works, so that the next attempt comes soon, in seconds.
_SOON = 1.0


class RemoteJwks:
    """A JSON Web Key Set behind a URL, fetched with the first token.

    Args:
        url: `https`, or `http` on this machine.
        max_age: for how long the set is fresh, in seconds, where its `Cache-Control` says nothing; also the longest
            time, whatever that says.
        min_interval: how long after a fetch an unknown key may cause another, in seconds.
        max_stale: how long a set is used on that cannot be renewed, in seconds after it was fresh.
        timeout: how long one fetch may take, in seconds.
        ssl_context: for `https`; by default the system's roots.
        allow_http: take `http` to other machines, too.
        clock: seconds, from any moment.

    Raises:
        ValueError: the URL cannot be used.
        ModuleNotFoundError: the extra `auth` is not installed.
    """

    algorithms = ALGORITHMS

    def __init__(
        self,
        url: str,
        *,
        max_age: float = 600.0,
        min_interval: float = 30.0,
        max_stale: float = 3600.0,
        timeout: float = 5.0,
        ssl_context: ssl.SSLContext | None = None,
        allow_http: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        need_pyjwt()
        self._endpoint = Endpoint(
            url, timeout=timeout, limit=_LIMIT, ssl_context=ssl_context, allow_http=allow_http
        )
        self._max_age = max_age
        self._min_interval = min_interval
        self._max_stale = max_stale
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Jwks | None = None
        self._fresh_until = self._usable_until = self._next_attempt = float("-inf")
        self._flight: Future[None] | None = None
        self._flight_ends = 0.0

    def __repr__(self) -> str:
        return f"<clarion.auth.RemoteJwks {self._endpoint!r}>"

    def find(self, algorithm: str, key_id: str | None) -> KeyQuery:
        """See `KeySource`.

        Raises:
            VerifierUnavailable: there are no keys to be had.
        """
        key, flight = self._look(algorithm, key_id)
        if flight is not None:
            yield Pending(flight, 2 * self._endpoint.timeout)
            key, _ = self._look(algorithm, key_id)
        return key

    def _look(self, algorithm: str, key_id: str | None) -> tuple[Any, Future[None] | None]:
        """The key, or what may bring it; neither if there is no such key."""
        with self._lock:
            now = self._clock()
            keys = self._keys if now < self._usable_until else None
            key = None if keys is None else keys.select(algorithm, key_id)
            flight = self._flight if now < self._flight_ends else None
            if key is not None and now < self._fresh_until:
                return key, None
            start = flight is None and now >= self._next_attempt
            if start:
                flight = self._take_off(now)
        if start:
            assert flight is not None
            apart(lambda: self._fetch(flight))
        if key is not None:
            return key, None
        if flight is None and keys is None:
            raise VerifierUnavailable("the keys of the token's issuer cannot be had now")
        return None, flight

    def _take_off(self, now: float) -> Future[None]:
        flight: Future[None] = Future()
        # Those who wait may give up, but not for the others.
        flight.set_running_or_notify_cancel()
        self._flight = flight
        self._flight_ends = now + 2 * self._endpoint.timeout
        self._next_attempt = now + self._min_interval
        return flight

    def _fetch(self, flight: Future[None]) -> None:
        keys: Jwks | None = None
        max_age = None
        try:
            answer = self._endpoint.request("GET", headers={"Accept": "application/json"})
            max_age = answer.max_age
            keys = Jwks(answer.body)
        except (FetchFailed, ValueError) as error:
            _LOG.warning("a key set could not be fetched: %s", error)
        finally:
            self._landed(flight, keys, max_age)

    def _landed(self, flight: Future[None], keys: Jwks | None, max_age: float | None) -> None:
        with self._lock:
            now = self._clock()
            if keys is not None:
                self._keys = keys
                age = self._max_age if max_age is None else min(max_age, self._max_age)
                # Not fresh for no time at all, or each call would fetch.
                self._fresh_until = now + max(age, self._min_interval)
                self._usable_until = self._fresh_until + self._max_stale
                self._next_attempt = now + self._min_interval
            elif now >= self._usable_until:
                self._next_attempt = now + min(_SOON, self._min_interval)
            if self._flight is flight:
                self._flight, self._flight_ends = None, 0.0
        flight.set_result(None)
