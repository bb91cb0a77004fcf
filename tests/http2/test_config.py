"""Limits that make no sense are refused where they are written down."""

from __future__ import annotations

import dataclasses

import pytest

from clarion.errors import LocalError
from clarion.http2 import Budget, Config
from support.http2 import REQUEST, client


def test_defaults_are_valid_and_immutable() -> None:
    config = Config()
    assert config.max_window >= config.initial_window
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.max_concurrent_streams = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_concurrent_streams", -1),
        ("initial_window", 0),
        ("initial_window", 2**31),
        ("max_window", 1),
        ("connection_window", 65_534),
        ("connection_window", 2**31),
        ("max_frame_size", 16_383),
        ("max_frame_size", 2**24),
        ("header_table_size", -1),
        ("max_header_list_size", 0),
    ],
)
def test_refused(name: str, value: int) -> None:
    with pytest.raises(LocalError, match=f"{name} is {value}; it must be from"):
        Config(**{name: value})  # type: ignore[arg-type]


def test_budgets_compare_by_value() -> None:
    assert Config().pings == Budget(200, 20.0)


def test_a_client_may_begin_with_a_later_stream() -> None:
    side = client(Config(first_stream=7))
    assert side.open().stream_id == 7
    with pytest.raises(LocalError, match="first_stream is 8; it must be odd"):
        Config(first_stream=8)


def test_less_of_the_peers_hpack_table_can_be_used() -> None:
    side = client(Config(encoder_table_size=0))
    # RFC 7541 §4.2: the first block says so.
    assert side.connection.encoder.encode(REQUEST)[:1] == b"\x20"
