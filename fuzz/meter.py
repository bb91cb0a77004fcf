"""How much work something takes, counted and not timed: calls of functions, ours and the interpreter's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["count_calls"]


def count_calls(function: Callable[[bytes], None], data: bytes) -> int:
    """Run `function(data)` and return how many calls that made."""
    calls = 0

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        if event in ("call", "c_call"):
            calls += 1

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        function(data)
    finally:
        sys.setprofile(before)
    return calls
