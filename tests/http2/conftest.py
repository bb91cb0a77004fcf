"""Fixtures of the HTTP/2 tests."""

from __future__ import annotations

import pytest


@pytest.fixture(params=[False, True], ids=["whole", "bytewise"])
def bytewise(request: pytest.FixtureRequest) -> bool:
    """How bytes arrive: all at once, or one by one."""
    return bool(request.param)
