"""A channel's settings from grpcio's channel arguments."""

from __future__ import annotations

import pytest

from clarion.client_core import ChannelOptions
from clarion.errors import LocalError


def test_defaults() -> None:
    for options in (ChannelOptions.read(None), ChannelOptions.read(())):
        assert options == ChannelOptions()
        assert options.max_receive == 4 << 20
        assert options.max_send == -1
        assert options.max_metadata == options.http2.max_header_list_size == 16_384
        assert (options.initial_backoff, options.max_backoff) == (1.0, 120.0)
        assert options.connect_timeout == 20.0
        assert options.user_agent.startswith(b"grpc-python-clarion/")


def test_everything() -> None:
    options = ChannelOptions.read(
        [
            ("grpc.max_receive_message_length", 5),
            ("grpc.max_send_message_length", 6),
            ("grpc.absolute_max_metadata_size", 7000),
            ("grpc.default_authority", "a"),
            ("grpc.primary_user_agent", "one"),
            ("grpc.secondary_user_agent", "two"),
            ("grpc.initial_reconnect_backoff_ms", 1500),
            ("grpc.max_reconnect_backoff_ms", 2500),
            ("grpc.min_reconnect_backoff_ms", 3500),
            ("grpc.http2.max_frame_size", 20_000),
            ("grpc.http2.lookahead_bytes", 100_000),
            ("grpc.http2.hpack_table_size.decoder", 0),
            ("grpc.of_no_meaning", "x"),
        ]
    )
    assert (options.max_receive, options.max_send, options.max_metadata) == (5, 6, 7000)
    assert options.authority == "a"
    assert options.user_agent.startswith(b"one grpc-python-clarion/")
    assert options.user_agent.endswith(b" two")
    assert (options.initial_backoff, options.max_backoff) == (1.5, 2.5)
    assert options.connect_timeout == 3.5
    http2 = options.http2
    assert (http2.max_frame_size, http2.initial_window, http2.header_table_size) == (
        20_000,
        100_000,
        0,
    )
    assert http2.max_header_list_size == 7000


def test_the_window_may_be_larger_than_it_would_grow() -> None:
    options = ChannelOptions.read([("grpc.http2.lookahead_bytes", 100 << 20)])
    assert options.http2.initial_window == options.http2.max_window == 100 << 20


def test_the_soft_metadata_limit_counts_where_it_is_larger() -> None:
    assert ChannelOptions.read([("grpc.max_metadata_size", 100)]).max_metadata == 16_384
    assert ChannelOptions.read([("grpc.max_metadata_size", 20_000)]).max_metadata == 20_000


def test_time_to_connect_is_never_next_to_none() -> None:
    assert ChannelOptions.read([("grpc.min_reconnect_backoff_ms", 1)]).connect_timeout == 1.0


@pytest.mark.parametrize(
    "option",
    [
        ("grpc.http2.max_frame_size", 1),
        ("grpc.http2.lookahead_bytes", 0),
        ("grpc.http2.lookahead_bytes", 1 << 31),
        ("grpc.http2.hpack_table_size.decoder", -1),
    ],
)
def test_out_of_range(option: tuple[str, int]) -> None:
    with pytest.raises(LocalError, match=str(option[1])):
        ChannelOptions.read([option])
