"""The targets. Each module has `fuzz_one(data)`, which raises for a defect and returns for everything else.

Rules: no clock, no thread, no I/O, no randomness: the same bytes always do the same. What a target checks besides
"nothing escapes" is said in its docstring.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

__all__ = ["NAMES", "load"]

NAMES = (
    "hpack_decode",
    "hpack_sessions",
    "hpack_differential",
    "server_connection",
    "client_connection",
    "server_call",
    "client_call",
    "frames_differential",
    "framing",
    "compression",
    "metadata",
    "heads",
    "timeout",
    "percent",
    "base64",
    "target",
    "web_bodies",
    "web_heads",
    "http1_client",
    "http1_server",
    "web_calls",
)


def load(name: str) -> Callable[[bytes], None]:
    """The function of a target.

    Raises:
        ImportError: the target compares with a library that is not installed.
    """
    module = importlib.import_module(f"fuzz.targets.{name}")
    function: Callable[[bytes], None] = module.fuzz_one
    return function
