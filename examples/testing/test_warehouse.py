"""Tests of warehouse.py with the fixtures of `clarion.testing.pytest_plugin`."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from warehouse import STOCK, Shop, Stock

import clarion
from clarion.testing import Ending, Faults


@pytest.fixture
def grpc_servicers() -> list[Any]:
    """What the server of these tests serves."""
    return [Stock({"apples": 3, "pears": 0}).handler()]


@pytest.mark.parametrize(
    ("thing", "says"), [("apples", "in stock"), ("pears", "sold out"), ("figs", "unknown thing")]
)
def test_the_shop_says_what_there_is(grpc_channel: Any, thing: str, says: str) -> None:
    assert Shop(grpc_channel).availability(thing) == says


def test_the_shop_survives_a_server_that_fails_once(grpc_faults: Any, grpc_channel: Any) -> None:
    grpc_faults.add(methods=STOCK, abort=clarion.StatusCode.UNAVAILABLE, count=1)
    shop = Shop(grpc_channel)
    assert shop.availability("apples") == "ask again"
    assert shop.availability("apples") == "in stock"


def test_the_shop_does_not_wait_for_ever(
    grpc_clock: Any, grpc_faults: Any, grpc_channel: Any
) -> None:
    grpc_faults.add(delay=3600)
    said: list[str] = []
    shop = Shop(grpc_channel)
    asks = threading.Thread(target=lambda: said.append(shop.availability("apples")))
    asks.start()
    while asks.is_alive():
        # An hour passes in no time.
        grpc_clock.advance(1)
    assert said == ["ask again"]


def test_the_shop_survives_a_broken_connection(grpc_server: Any, grpc_chaos: Any) -> None:
    proxy = grpc_chaos(grpc_server, Faults(ending=Ending.RESET, ends_after=(0, 0)))
    with clarion.insecure_channel(proxy.target) as channel:
        assert Shop(channel).availability("apples") == "ask again"


def test_the_shop_against_what_the_real_warehouse_said(grpc_session: Any) -> None:
    channel = grpc_session("real_warehouse", lambda: clarion.insecure_channel("localhost:50051"))
    shop = Shop(channel)
    assert [shop.availability(thing) for thing in ("apples", "figs")] == [
        "in stock",
        "unknown thing",
    ]
