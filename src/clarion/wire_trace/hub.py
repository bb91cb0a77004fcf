"""The traces that are on, and whoever has something to tell them.

Rule: telling never raises and never blocks, for it happens with connections' locks held and in the middle of their work.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from clarion.background_writer import BackgroundWriter
from clarion.wire_trace.escaping import one_line
from clarion.wire_trace.event import TraceEvent
from clarion.wire_trace.masking import Masking

__all__ = ["CATEGORIES", "HUB", "Hub", "Recording", "Settings", "Text"]

_LOG = logging.getLogger(__name__)

CATEGORIES = ("balancing", "calls", "connections", "frames", "messages", "names", "tls")
_ON_THE_WIRE = frozenset(("connections", "frames", "messages"))


class Settings:
    """How a trace shows things.

    Args:
        masking: what it does not show.
        limit: how many characters of a message it shows.
        pool: where descriptors of messages are, beside protobuf's default pool; None: nowhere else.
    """

    def __init__(self, masking: Masking, limit: int, pool: object = None) -> None:
        self.masking = masking
        self.limit = limit
        self.pool = pool


Text = Callable[[Settings], str]
"""Gives the text of an event for one trace."""


class Recording:
    """One trace that is on.

    Args:
        categories: what it wants to hear.
        methods, peers: shell patterns, one of which it has to match; empty: everything.
        settings: how it shows things.
        writer: whom it tells.
    """

    def __init__(
        self,
        categories: frozenset[str],
        methods: tuple[str, ...],
        peers: tuple[str, ...],
        settings: Settings,
        writer: BackgroundWriter[TraceEvent],
    ) -> None:
        self.categories = categories
        self.settings = settings
        self.writer = writer
        self._methods = methods
        self._peers = peers

    def wants(self, category: str, method: str, peer: str, always: bool) -> bool:
        """Whether it wants to hear of an event; see `Hub.tell`."""
        if category not in self.categories:
            return False
        if self._peers and peer and not _matches(peer, self._peers):
            return False
        return not self._methods or always or _matches(method, self._methods)


def _matches(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


class Hub:
    """Hands events to the traces that want them.

    Attributes:
        recordings: the traces that are on; replaced as a whole.
        categories: all that one of them wants.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.recordings: tuple[Recording, ...] = ()
        self.categories: frozenset[str] = frozenset()
        # Called with each change of the categories.
        self.switches: list[Callable[[frozenset[str]], None]] = []

    def add(self, recording: Recording) -> None:
        """Begin a trace."""
        with self._lock:
            self._set((*self.recordings, recording))

    def remove(self, recording: Recording) -> None:
        """End a trace."""
        with self._lock:
            self._set(tuple(each for each in self.recordings if each is not recording))

    def _set(self, recordings: tuple[Recording, ...]) -> None:
        self.recordings = recordings
        self.categories = frozenset().union(*(each.categories for each in recordings))
        for switch in self.switches:
            switch(self.categories)

    @property
    def watches_wires(self) -> bool:
        """Whether a trace wants to see what is on connections."""
        return bool(self.categories & _ON_THE_WIRE)

    def tell(
        self,
        category: str,
        text: Text,
        *,
        direction: str = "",
        connection: int = 0,
        side: str = "",
        peer: str = "",
        stream: int = 0,
        method: str = "",
        always: bool = False,
    ) -> None:
        """Hand on an event; see `TraceEvent`.

        Args:
            always: those that want certain methods only want it, too.
        """
        for recording in self.recordings:
            if recording.wants(category, method, peer, always):
                try:
                    shown = text(recording.settings)
                except Exception:
                    _LOG.debug("an event could not be shown", exc_info=True)
                    shown = "(what happened here could not be shown)"
                recording.writer.put(
                    TraceEvent(
                        time.time(),
                        category,
                        shown,
                        direction,
                        connection,
                        side,
                        peer,
                        stream,
                        method,
                    )
                )

    def happened(self, kind: str, about: object, text: str) -> None:
        """See `clarion.trace_points.Listener`."""
        category = _category(kind, text)
        if category in self.categories:
            try:
                shown = f"{kind} {_name(about)}".rstrip() + f": {text}"
            except Exception:
                # Whatever it is that cannot say what it is.
                shown = f"{kind}: {text}"
            self.tell(category, lambda _: one_line(shown), always=True)


def _category(kind: str, text: str) -> str:
    if kind == "tls":
        return "tls"
    if kind != "channel":
        return "connections"
    return "names" if text.startswith(_OF_NAMES) else "balancing"


# How what channels record of their names begins.
_OF_NAMES = ("Addresses", "Resolution", "Service config")


def _name(about: Any) -> str:
    if about is None or isinstance(about, str):
        return about or ""
    target = getattr(about, "target", None)
    if target is not None:
        return str(getattr(target, "authority", target))
    return str(getattr(about, "address", ""))


HUB = Hub()
