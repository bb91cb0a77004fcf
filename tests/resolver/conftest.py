"""Name servers that the tests say."""

from __future__ import annotations

import sys

import pytest

from support.resolvers import FakeHelper, Records


@pytest.fixture
def helper() -> FakeHelper:
    return FakeHelper()


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> Records:
    records = Records()
    monkeypatch.setitem(sys.modules, "clarion.name_lookup.dns_records", records)
    return records
