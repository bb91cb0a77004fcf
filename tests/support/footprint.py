"""What a process holds, to see whether a workload left something behind."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Footprint", "settled"]

# What one call or connection consists of. More of these after a workload than before it are a leak.
_KINDS = frozenset(
    [
        "AioCall",
        "Attempt",
        "ClientLink",
        "Connection",
        "Link",
        "ServerLink",
        "StreamStreamCall",
        "StreamUnaryCall",
        "SyncCall",
        "SyncServerCall",
        "AioServerCall",
        "Task",
        "UnaryStreamCall",
        "UnaryUnaryCall",
        # Of servers that take the web.
        "GatedAioServerCall",
        "GatedSyncServerCall",
        "Http1Connection",
        "Patience",
        "WebAioServerCall",
        "WebStream",
        "WebSyncServerCall",
        "_Http1Link",
        "_Sniffer",
        "_TlsHttp1Link",
    ]
)
_PATIENCE = 10.0


def _descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(os.listdir(folder)) if folder.exists() else 0


def _resident() -> int:
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Footprint:
    """A moment's threads, descriptors, objects of the library, and resident bytes."""

    threads: int = 0
    descriptors: int = 0
    objects: Counter[str] = field(default_factory=Counter)
    resident: int = 0

    @classmethod
    def now(cls) -> Footprint:
        gc.collect()
        kinds = Counter(type(each).__name__ for each in gc.get_objects())
        return cls(
            threading.active_count(),
            _descriptors(),
            Counter({kind: kinds[kind] for kind in _KINDS if kinds[kind]}),
            _resident(),
        )

    def more_than(self, before: Footprint) -> str:
        """What there is more of than `before`; empty if nothing."""
        grown = {
            "threads": self.threads - before.threads,
            "descriptors": self.descriptors - before.descriptors,
            **(self.objects - before.objects),
        }
        return ", ".join(f"{count} {what}" for what, count in grown.items() if count > 0)


def settled(before: Footprint) -> Footprint:
    """The footprint once nothing is left that was not there `before`, or when patience ends."""
    give_up = time.monotonic() + _PATIENCE
    while True:
        now = Footprint.now()
        if not now.more_than(before) or time.monotonic() > give_up:
            return now
        time.sleep(0.02)
