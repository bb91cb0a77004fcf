"""Faults as data: what is refused, and what is for a direction."""

from __future__ import annotations

from typing import Any

import pytest

from clarion.testing import Direction, Ending, Faults


@pytest.mark.parametrize(
    "wrong",
    [
        {"latency": -1},
        {"rate": -0.5},
        {"chunk": (0, 5)},
        {"chunk": (6, 5)},
        {"ends_after": (2, 1)},
        {"ends_after": (-1, 1)},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Faults(**wrong)


def test_a_direction_has_faults_of_its_own() -> None:
    faults = Faults(latency=1, only=Direction.TO_CLIENT)
    assert faults.of(Direction.TO_CLIENT) is faults
    assert faults.of(Direction.TO_SERVER) == Faults()
    assert Faults(latency=1).of(Direction.TO_SERVER) == Faults(latency=1)


def test_a_black_hole() -> None:
    assert Faults(ending=Ending.SWALLOW).is_black_hole
    assert not Faults(ending=Ending.SWALLOW, ends_after=(1, 1)).is_black_hole
    assert not Faults(ending=Ending.SWALLOW, only=Direction.TO_CLIENT).is_black_hole
    assert not Faults(ending=Ending.RESET).is_black_hole
