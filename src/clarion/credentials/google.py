"""Credentials of google-auth as a plugin: they make the metadata, and get their tokens themselves.

google-auth is not imported here: whoever has such credentials has it. Their tokens are theirs too, with refresh and
caching. What is added is single flight: of calls that come at the same time one asks, and the others take what it got.
"""

from __future__ import annotations

import collections
import importlib
from typing import Any

__all__ = ["GoogleAuth", "is_google_auth"]

_TRANSPORTS = ("google.auth.transport.requests", "google.auth.transport.urllib3")


def is_google_auth(value: Any) -> bool:
    """Whether `value` is a `google.auth.credentials.Credentials`, or works like one."""
    return not callable(value) and callable(getattr(value, "before_request", None))


class GoogleAuth:
    """A plugin (`AuthMetadataPlugin`) that asks `credentials`.

    Args:
        credentials: `google.auth.credentials.Credentials`.
    """

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials
        self._request = _Request()
        self._waiting: collections.deque[tuple[Any, Any]] = collections.deque()
        # Taking it out is one step, so of several threads only one has it.
        self._baton = [None]

    def __call__(self, context: Any, callback: Any) -> None:
        self._waiting.append((context, callback))
        while self._waiting:
            try:
                self._baton.pop()
            except IndexError:
                # Who has it looks once more after giving it back.
                return
            try:
                self._answer()
            finally:
                self._baton.append(None)

    def _answer(self) -> None:
        while self._waiting:
            context, callback = self._waiting.popleft()
            headers: dict[str, str] = {}
            try:
                self._credentials.before_request(
                    self._request, context.method_name, context.service_url, headers
                )
            except Exception as error:
                callback(None, error)
            else:
                callback([(key.lower(), value) for key, value in headers.items()], None)


class _Request:
    """google-auth's own transport, found when credentials need one; those that sign by themselves need none."""

    def __init__(self) -> None:
        self._transport: Any = None

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        if self._transport is None:
            self._transport = _transport()
        return self._transport(*arguments, **keywords)


def _transport() -> Any:
    for name in _TRANSPORTS:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        if name.endswith("urllib3"):
            return module.Request(importlib.import_module("urllib3").PoolManager())
        return module.Request()
    raise ImportError(
        "google-auth needs an HTTP library to get tokens: pip install 'google-auth[requests]'"
    )
