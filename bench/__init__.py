"""`make bench`: Clarion and its peers in one run, as ratios. See README.md beside this file."""

from __future__ import annotations

__all__: list[str] = []
