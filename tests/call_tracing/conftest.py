"""Rigs that end with the test."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from support.traced_echo import Rig


@pytest.fixture
def rigs() -> Iterator[Any]:
    """Makes rigs; see `Rig`."""
    with contextlib.ExitStack() as stack:

        def make(*args: Any, **named: Any) -> Rig:
            rig = Rig(*args, **named)
            stack.callback(rig.close)
            return rig

        yield make
