"""What all tests of load balancing use."""

from __future__ import annotations

import pytest

from support.load_balancing import FakeHelper, Scripted


@pytest.fixture
def helper() -> FakeHelper:
    """What a policy has above it."""
    return FakeHelper()


@pytest.fixture(autouse=True)
def no_scripted_policies() -> None:
    """Forget the policies that other tests made."""
    Scripted.made.clear()
