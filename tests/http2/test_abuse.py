"""Budgets refill with time and with work, and name themselves when they are used up."""

from __future__ import annotations

import pytest

from clarion.http2 import Budget, Config, ConnectionFault, ErrorCode
from clarion.http2.abuse import Allowance, Allowances
from support.http2 import Clock


def test_burst_then_calm() -> None:
    clock = Clock()
    allowance = Allowance("pings", Budget(3, 1.0), clock)
    for _ in range(3):
        allowance.spend(0)
    with pytest.raises(
        ConnectionFault, match=r"too many PING frames: .* \(Config.pings\)"
    ) as caught:
        allowance.spend(0)
    assert caught.value.code is ErrorCode.ENHANCE_YOUR_CALM


def test_time_refills_up_to_the_burst() -> None:
    clock = Clock()
    allowance = Allowance("pings", Budget(2, 1.0), clock)
    for _ in range(2):
        allowance.spend(0)
    clock.time += 1
    allowance.spend(0)
    clock.time += 3600
    for _ in range(2):
        allowance.spend(0)
    with pytest.raises(ConnectionFault):
        allowance.spend(0)


def test_work_pays() -> None:
    allowance = Allowance("pings", Budget(1, 0.0), Clock())
    for work in range(100):
        allowance.spend(work)
    allowance.spend(100)
    with pytest.raises(ConnectionFault):
        allowance.spend(100)


def test_kinds_do_not_share() -> None:
    allowances = Allowances(Config(pings=Budget(1, 0), settings=Budget(1, 0)), Clock())
    allowances.spend("pings", 0)
    allowances.spend("settings", 0)
    with pytest.raises(ConnectionFault, match="SETTINGS"):
        allowances.spend("settings", 0)
    with pytest.raises(ConnectionFault, match="PING"):
        allowances.spend("pings", 0)
