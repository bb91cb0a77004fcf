"""Asks the sources of call credentials for their metadata, one after another, and says what came of it.

Plugins belong to the application: they may block, raise, answer late, twice, never, and from any thread. So each
runs where the caller of `fetch` has a thread for it, and only its first answer counts.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from clarion.credentials.call import (
    AuthMetadataContext,
    AuthMetadataPluginCallback,
    CallCredentialsError,
    Sources,
)
from clarion.credentials.kinds import Plugin
from clarion.protocol.metadata import encode_metadata
from clarion.protocol.outcome import Outcome
from clarion.status import StatusCode

__all__ = ["INSUFFICIENT", "Fields", "constant_fields", "fetch"]

_LOG = logging.getLogger(__name__)

Fields = tuple[tuple[bytes, bytes], ...]

INSUFFICIENT = Outcome(
    StatusCode.UNAUTHENTICATED,
    "Established channel does not have a sufficient security level to transfer call credential.",
    debug="call credentials are not sent over plain text; use secure_channel, or local_channel_credentials()",
)
"""How calls with call credentials end on a channel that is not secure."""


def constant_fields(sources: Sources) -> Fields | None:
    """The header fields of `sources` if nobody need be asked for them, else None."""
    fields: Fields = ()
    for source in sources:
        if isinstance(source, Plugin):
            return None
        try:
            fields += encode_metadata(source.metadata)
        except ValueError:
            # `fetch` says so, at its time.
            return None
    return fields


def fetch(
    sources: Sources,
    context: AuthMetadataContext,
    apart: Callable[[Callable[[], None]], None],
    done: Callable[[Fields | Outcome], None],
) -> None:
    """Get the metadata of `sources`.

    Args:
        sources: in the order in which their metadata goes out.
        context: the call, for plugins.
        apart: runs what it is given on a thread where that may block.
        done: called once, from any thread, with header fields or with how the call ends.
    """
    _Fetch(sources, context, apart, done).go_on()


class _Fetch:
    def __init__(
        self,
        sources: Sources,
        context: AuthMetadataContext,
        apart: Callable[[Callable[[], None]], None],
        done: Callable[[Fields | Outcome], None],
    ) -> None:
        self._left = list(reversed(sources))
        self._context = context
        self._apart = apart
        self._done = done
        self._fields: Fields = ()

    def go_on(self) -> None:
        while self._left:
            source = self._left.pop()
            if isinstance(source, Plugin):
                self._apart(functools.partial(self._ask, source))
                return
            if not self._add(source.metadata):
                return
        self._done(self._fields)

    def _ask(self, source: Plugin) -> None:
        callback = _Callback(self._answered)
        try:
            # A context can be entered once at a time, and calls come at the same time.
            source.context.copy().run(source.plugin, self._context, callback)
        except CallCredentialsError as error:
            callback.failed(error)
        except BaseException as error:
            _LOG.exception("the call credentials plugin %s raised", source.name)
            callback.failed(error)

    def _answered(self, metadata: Any, error: BaseException | None) -> None:
        if isinstance(error, CallCredentialsError):
            self._done(Outcome(error.code, str(error)))
        elif error is not None:
            self._fail(f"Getting metadata from plugin failed with error: {error}")
        elif self._add(metadata):
            self.go_on()

    def _add(self, metadata: Any) -> bool:
        try:
            self._fields += encode_metadata(tuple(metadata or ()))
        except (ValueError, TypeError) as error:
            self._fail(
                "Illegal metadata", f"call credentials gave metadata that cannot be sent: {error}"
            )
            return False
        return True

    def _fail(self, details: str, debug: str = "") -> None:
        self._done(Outcome(StatusCode.UNAVAILABLE, details, debug=debug))


class _Callback(AuthMetadataPluginCallback):
    """Passes the first answer on."""

    def __init__(self, answered: Callable[[Any, BaseException | None], None]) -> None:
        # Taking it out is one step, so of two threads only one gets it.
        self._answered = [answered]

    def __call__(self, metadata: Any, error: BaseException | None) -> None:
        try:
            answered = self._answered.pop()
        except IndexError:
            raise RuntimeError("AuthMetadataPluginCallback invoked more than once!") from None
        answered(metadata, error)

    def failed(self, error: BaseException) -> None:
        """The plugin raised; that is its answer unless it gave one before."""
        if self._answered:
            self(None, error)
