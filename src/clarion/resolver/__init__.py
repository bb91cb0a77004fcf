"""From the names that applications give to addresses that can be connected to."""

from __future__ import annotations

__all__: list[str] = []
