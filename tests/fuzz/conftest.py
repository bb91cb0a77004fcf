"""Puts the repository's root on the path, for `fuzz` is no part of the package."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.limits import give_time

sys.path.append(str(Path(__file__).resolve().parents[2]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    give_time(items, Path(__file__).parent)
