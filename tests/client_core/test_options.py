"""A channel's settings from grpcio's channel arguments."""

from __future__ import annotations

import pytest

from clarion.client_core import ChannelOptions
from clarion.method import Compression


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
            ("grpc.http2_scheme", "https"),
            ("grpc.default_compression_algorithm", 2),
            ("grpc.per_message_compression", 1),
            ("grpc.dns_min_time_between_resolutions_ms", 4500),
            ("grpc.client_idle_timeout_ms", 5500),
            ("grpc.enable_retries", 0),
            ("grpc.dscp", 46),
            ("grpc.tcp_receive_buffer_size", 8192),
            ("grpc.keepalive_time_ms", 6500),
            ("grpc.of_no_meaning", "x"),
        ]
    )
    assert (options.max_receive, options.max_send, options.max_metadata) == (5, 6, 7000)
    assert options.authority == "a"
    assert options.user_agent.startswith(b"one grpc-python-clarion/")
    assert options.user_agent.endswith(b" two")
    assert (options.initial_backoff, options.max_backoff) == (1.5, 2.5)
    assert options.connect_timeout == 3.5
    assert options.scheme == "https"
    assert (options.compression, options.compress) == (Compression.Gzip, True)
    assert options.idle_timeout == 5.5
    assert options.arguments.value("grpc.dns_min_time_between_resolutions_ms") == 4500
    assert options.retries is False
    assert (options.dscp, options.receive_buffer) == (46, 8192)
    assert options.http2.keepalive.time == 6.5
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


def test_a_number_out_of_range_is_the_nearest_in_it() -> None:
    options = ChannelOptions.read(
        [("grpc.http2.max_frame_size", 1), ("grpc.http2.lookahead_bytes", 1 << 31)]
    )
    assert options.http2.max_frame_size == 16_384
    assert options.http2.initial_window == (1 << 31) - 1


@pytest.mark.parametrize(("number", "first"), [(1, 1), (6, 7), (2**31 - 1, 2**31 - 1)])
def test_the_first_stream_is_odd(number: int, first: int) -> None:
    options = ChannelOptions.read([("grpc.http2.initial_sequence_number", number)])
    assert options.http2.first_stream == first
