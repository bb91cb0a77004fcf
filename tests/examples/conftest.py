"""Examples run in processes of their own, which take long to start on a machine with much to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.limits import give_time


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    give_time(items, Path(__file__).parent)
