"""The servers and clients under test; each runs in a process of its own, pinned to one core."""

from __future__ import annotations

__all__: list[str] = []
