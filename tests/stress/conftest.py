"""Stress: many threads, tasks and endings at once. What is asserted is that all ends, and nothing is left."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


class _Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(self.format(record))


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Nothing may be logged as a warning or worse, by Clarion or by asyncio."""
    complaints = _Complaints()
    root = logging.getLogger()
    root.addHandler(complaints)
    try:
        yield
    finally:
        root.removeHandler(complaints)
    assert not complaints.records, "\n".join(complaints.records[:3])
