"""Chaos: calls of every pattern while the network or the server misbehaves.

`CLARION_CHAOS_SECONDS` says how long each run takes: 1.5 by default, 60 in `make chaos`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SECONDS = float(os.environ.get("CLARION_CHAOS_SECONDS", "1.5"))


@pytest.fixture(scope="session")
def seconds() -> float:
    return SECONDS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # All items of the session come here.
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(SECONDS + 120))
