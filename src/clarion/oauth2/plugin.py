"""Call credentials from something that fetches tokens: the clock, the lock and the thread around a `TokenCache`."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from clarion.credentials.call import (
    CallCredentials,
    CallCredentialsError,
    metadata_call_credentials,
)
from clarion.oauth2.cache import AccessToken, Answer, TokenCache
from clarion.plugin_threads import apart
from clarion.status import StatusCode

__all__ = ["TokenPlugin", "token_credentials"]


class TokenPlugin:
    """Adds `authorization: Bearer TOKEN` (see `AuthMetadataPlugin`).

    Args:
        fetch: gets a token; called on a thread where it may block, once at a time.
        clock: the time, in seconds since the epoch.
    """

    def __init__(
        self, fetch: Callable[[], AccessToken], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._cache: TokenCache[Any] = TokenCache(random.random)

    def __call__(self, context: Any, callback: Any) -> None:
        with self._lock:
            answer, fetch = self._cache.ask(self._clock(), callback)
        if answer is not None:
            _tell(callback, answer)
            if fetch:
                # This call has its token, and does not wait for the next one.
                apart(self._renew)
        elif fetch:
            self._renew()

    def _renew(self) -> None:
        answer: Answer
        try:
            answer = self._fetch()
        except Exception as error:
            answer = _as_told(error)
        with self._lock:
            if isinstance(answer, AccessToken):
                waiting = self._cache.arrived(self._clock(), answer)
            else:
                waiting = self._cache.failed(self._clock(), answer)
        for callback in waiting:
            _tell(callback, answer)


def _tell(callback: Any, answer: Answer) -> None:
    if isinstance(answer, AccessToken):
        callback((("authorization", f"Bearer {answer.value}"),), None)
    else:
        callback(None, answer)


def _as_told(error: Exception) -> Exception:
    """What calls end with. An unforeseen exception's text might show what must not be shown."""
    if isinstance(error, CallCredentialsError):
        return error
    if isinstance(error, OSError):
        return CallCredentialsError(
            f"getting a token failed: {error.strerror or error}", StatusCode.UNAVAILABLE
        )
    if isinstance(error, ImportError):
        return CallCredentialsError(str(error))
    return CallCredentialsError(f"getting a token failed: {type(error).__name__}")


def token_credentials(fetch: Callable[[], AccessToken], name: str) -> CallCredentials:
    """Call credentials with the tokens of `fetch`.

    Args:
        fetch: see `TokenPlugin`.
        name: for logs.
    """
    return metadata_call_credentials(TokenPlugin(fetch), name)
