"""What a process holds at a moment, as the soak's workers say it of themselves."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path

__all__ = ["MEASURES", "Sample"]

MEASURES = ("resident", "descriptors", "threads", "tasks", "objects")
_FOLDER = Path("/proc/self/fd")
_STATM = Path("/proc/self/statm")


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """A moment.

    Attributes:
        time: seconds on the monotonic clock, which all processes of a machine share.
        calls: calls made so far; of a server 0.
        resident: bytes of memory.
        descriptors: open file descriptors.
        threads, tasks: of Python, and of the worker's event loops.
        objects: what the cyclic collector knows of, after a collection.
    """

    time: float
    calls: int
    resident: int
    descriptors: int
    threads: int
    tasks: int
    objects: int

    @classmethod
    def now(cls, calls: int, loops: Iterable[asyncio.AbstractEventLoop] = ()) -> Sample:
        """This process, now."""
        gc.collect()
        return cls(
            time=time.monotonic(),
            calls=calls,
            resident=int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
            descriptors=len(os.listdir(_FOLDER)),
            threads=threading.active_count(),
            tasks=sum(_tasks(loop) for loop in loops),
            objects=len(gc.get_objects()),
        )

    @staticmethod
    def possible() -> bool:
        """Whether this system has what is read here."""
        return _FOLDER.exists() and _STATM.exists()


def _tasks(loop: asyncio.AbstractEventLoop) -> int:
    for _ in range(10):
        try:
            return len(asyncio.all_tasks(loop))
        except RuntimeError:
            # The loop's thread changed the set while it was copied.
            continue
    return 0
