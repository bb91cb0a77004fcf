"""The cases of gRPC's interop test descriptions, and the list of them."""

from __future__ import annotations

from interop.cases import (
    compressed,
    credentials,
    endings,
    load_reports,
    soaks,
    streams,
    unary,
)
from interop.cases.registry import CASES, WEB_CASES, Case

__all__ = [
    "CASES",
    "WEB_CASES",
    "Case",
    "compressed",
    "credentials",
    "endings",
    "load_reports",
    "soaks",
    "streams",
    "unary",
]
