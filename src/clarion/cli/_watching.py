"""Wait for .proto files to change.

Files are looked at from time to time, since that needs no library and works on every file system; the waiting itself is
handed in, so that tests need no time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

__all__ = ["INTERVAL", "Snapshot", "pause", "take_snapshot", "wait_for_change"]

INTERVAL = 0.5
"""Seconds between two looks."""

Snapshot = dict[str, tuple[int, int]]
"""Time of the last change, in nanoseconds, and size of each file."""


def pause() -> None:
    """Wait until the next look."""
    time.sleep(INTERVAL)


def take_snapshot(folders: Iterable[Path], files: Iterable[Path]) -> Snapshot:
    """Note the state of all .proto files in `folders` and of `files`; of what is missing, nothing."""
    found: Snapshot = {}
    for path in files:
        _note(str(path), found)
    for folder in folders:
        for place, inner, names in os.walk(folder):
            inner[:] = [name for name in inner if name[0] != "." and name != "node_modules"]
            for name in names:
                if name.endswith(".proto"):
                    _note(os.path.join(place, name), found)
    return found


def _note(path: str, found: Snapshot) -> None:
    try:
        state = os.stat(path)
    except OSError:
        return
    found[path] = state.st_mtime_ns, state.st_size


def wait_for_change(
    before: Snapshot, look: Callable[[], Snapshot], wait: Callable[[], None] = pause
) -> Snapshot:
    """Wait until `look()` is not `before` any more, and then until it stays the same from one look to the next.

    An editor, or a switch of branches, writes many files; half of them may not compile.
    """
    now = before
    while now == before:
        wait()
        now = look()
    while True:
        wait()
        again = look()
        if again == now:
            return now
        now = again
