"""Time limits of tests whose work is that of child processes."""

from __future__ import annotations

from pathlib import Path

import pytest

__all__ = ["CHILD_SECONDS", "give_time"]

# For a child that is not expected to need a tenth of it.
CHILD_SECONDS = 120.0


def give_time(items: list[pytest.Item], folder: Path) -> None:
    """Allow the tests in `folder` more than a child may take.

    With a limit that a child's own comes close to, the alarm strikes while pytest writes what became of the test. That
    is no failure of a test but the end of the session.
    """
    for item in items:
        if item.path.is_relative_to(folder):
            item.add_marker(pytest.mark.timeout(2 * CHILD_SECONDS))
