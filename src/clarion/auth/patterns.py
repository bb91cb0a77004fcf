"""The text patterns of authorization policies (gRFC A43): exact, prefix, suffix, presence."""

from __future__ import annotations

__all__ = ["Pattern"]


class Pattern:
    """`abc`, `abc*` (begins with), `*abc` (ends with), `*` (not empty). A star elsewhere is a star.

    Args:
        text: the pattern.
    """

    __slots__ = ("_ends", "_exact", "_starts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._exact: str | None = None
        self._starts = self._ends = ""
        if text == "*":
            pass
        elif text.endswith("*"):
            self._starts = text[:-1]
        elif text.startswith("*"):
            self._ends = text[1:]
        else:
            self._exact = text

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    def matches(self, value: str) -> bool:
        """Whether `value` fits."""
        if self._exact is not None:
            return value == self._exact
        if self._starts:
            return value.startswith(self._starts)
        if self._ends:
            return value.endswith(self._ends)
        return value != ""
