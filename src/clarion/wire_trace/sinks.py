"""Where a trace goes: a stream, a file, a logger, or a function. All of them are called on the trace's own thread."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import IO, Any

from clarion.wire_trace.event import TraceEvent

__all__ = ["Destination", "open_destination"]

Destination = None | str | os.PathLike[str] | IO[str] | logging.Logger | Callable[[TraceEvent], Any]
"""What `clarion.trace` takes for `to`."""


def open_destination(
    to: Destination,
) -> tuple[Callable[[list[TraceEvent]], object], Callable[[], object]]:
    """What takes the events, and what closes it.

    Raises:
        OSError: the file cannot be opened.
        TypeError: it is nothing that takes events.
    """
    if isinstance(to, logging.Logger):
        logger = to
        return (lambda events: _call(lambda event: logger.info("%s", event), events)), _nothing
    if isinstance(to, (str, os.PathLike)):
        # Opened here, so that whoever begins the trace hears that it cannot be.
        file = open(to, "a", encoding="utf-8")  # noqa: SIM115
        return _lines(lambda: file), file.close
    if to is None:
        return _lines(lambda: sys.stderr), _nothing
    if hasattr(to, "write"):
        stream: Any = to
        return _lines(lambda: stream), _nothing
    if callable(to):
        function = to
        return (lambda events: _call(function, events)), _nothing
    raise TypeError(
        f"a trace cannot go to {to!r}; pass a path, a text stream, a logging.Logger or a function"
    )


def _call(function: Callable[[TraceEvent], Any], events: list[TraceEvent]) -> None:
    failure: Exception | None = None
    for event in events:
        try:
            function(event)
        except Exception as error:
            failure = error
    if failure is not None:
        raise failure


def _lines(stream: Callable[[], Any]) -> Callable[[list[TraceEvent]], object]:
    def write(events: list[TraceEvent]) -> None:
        file = stream()
        # A program without a console has none.
        if file is not None:
            file.write("".join([f"{event}\n" for event in events]))
            file.flush()

    return write


def _nothing() -> None:
    pass
