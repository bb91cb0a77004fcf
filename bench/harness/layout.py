"""Where things are, and which core each side gets."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = [
    "BENCH",
    "CERTIFICATES",
    "GENERATED",
    "LOAD_CORE",
    "RESULTS",
    "ROOT",
    "SERVER_CORE",
    "pinned",
]

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
CERTIFICATES = ROOT / "tests" / "support" / "certificates"
GENERATED = BENCH / ".generated"
RESULTS = BENCH / "results"


def _cores() -> list[int]:
    """The cores this process may use; none where the system cannot pin."""
    affinity = getattr(os, "sched_getaffinity", None)
    return sorted(affinity(0)) if affinity else []


_CORES = _cores()
SERVER_CORE = _CORES[0] if len(_CORES) > 1 else None
LOAD_CORE = _CORES[1] if len(_CORES) > 1 else None


def pinned() -> bool:
    """Whether server and load run on a core each."""
    return SERVER_CORE is not None
