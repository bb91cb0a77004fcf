"""What runs the programs, reads their figures and turns them into ratios."""

from __future__ import annotations

__all__: list[str] = []
