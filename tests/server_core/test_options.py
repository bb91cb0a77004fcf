"""A server's settings from grpcio's channel arguments."""

from __future__ import annotations

from clarion.http2 import KeepaliveConfig, LifetimeConfig, PingRules
from clarion.server_core import ServerOptions


def test_defaults() -> None:
    for options in (ServerOptions.read(None), ServerOptions.read(())):
        assert options.max_receive == 4 << 20
        assert options.max_send == -1
        assert options.max_metadata == options.http2.max_header_list_size == 16_384
        assert options.reuse_port is True
        assert options == ServerOptions()


def test_everything() -> None:
    options = ServerOptions.read(
        [
            ("grpc.max_receive_message_length", 5),
            ("grpc.max_send_message_length", 6),
            ("grpc.absolute_max_metadata_size", 7000),
            ("grpc.so_reuseport", 0),
            ("grpc.max_concurrent_streams", 8),
            ("grpc.http2.max_frame_size", 20_000),
            ("grpc.http2.lookahead_bytes", 100_000),
            ("grpc.http2.hpack_table_size.decoder", 0),
            ("grpc.of_no_meaning", "x"),
        ]
    )
    assert (options.max_receive, options.max_send, options.max_metadata) == (5, 6, 7000)
    assert options.reuse_port is False
    http2 = options.http2
    assert http2.max_concurrent_streams == 8
    assert (http2.max_frame_size, http2.initial_window, http2.header_table_size) == (
        20_000,
        100_000,
        0,
    )
    assert http2.max_header_list_size == 7000


def test_the_soft_metadata_limit_counts_where_it_is_larger() -> None:
    assert ServerOptions.read([("grpc.max_metadata_size", 20_000)]).max_metadata == 20_000


def test_a_number_out_of_range_is_the_nearest_in_it() -> None:
    assert ServerOptions.read([("grpc.http2.max_frame_size", 1)]).http2.max_frame_size == 16_384


def test_lifetime() -> None:
    http2 = ServerOptions.read(()).http2
    assert http2.lifetime == LifetimeConfig(handshake=120.0)
    assert http2.keepalive == KeepaliveConfig(time=7200.0)
    http2 = ServerOptions.read(
        [
            ("grpc.server_handshake_timeout_ms", 1500),
            ("grpc.max_connection_idle_ms", 2500),
            ("grpc.max_connection_age_ms", 3500),
            ("grpc.max_connection_age_grace_ms", 4500),
            ("grpc.keepalive_time_ms", 5500),
            ("grpc.keepalive_timeout_ms", 6500),
        ]
    ).http2
    assert http2.lifetime == LifetimeConfig(1.5, 2.5, 3.5, 4.5)
    assert http2.keepalive == KeepaliveConfig(time=5.5, timeout=6.5)


def test_pings_are_held_to_an_interval_only_where_that_is_asked_for() -> None:
    interval = ("grpc.http2.min_ping_interval_without_data_ms", 10_000)
    without_calls = ("grpc.keepalive_permit_without_calls", 1)
    assert ServerOptions.read([without_calls]).http2.ping_rules is None
    assert ServerOptions.read([interval]).http2.ping_rules == PingRules(10.0, 2, False)
    rules = ServerOptions.read([("grpc.http2.max_ping_strikes", 1), without_calls]).http2.ping_rules
    assert rules == PingRules(300.0, 1, True)
    assert (
        ServerOptions.read([interval, ("grpc.http2.max_ping_strikes", 0)]).http2.ping_rules is None
    )


def test_the_rest() -> None:
    options = ServerOptions.read(
        [
            ("grpc.max_allowed_incoming_connections", 7),
            ("grpc.dscp", 46),
            ("grpc.tcp_receive_buffer_size", 8192),
            ("grpc.default_compression_algorithm", 1),
            ("grpc.per_message_compression", 0),
        ]
    )
    assert options.max_connections == 7
    assert (options.dscp, options.receive_buffer) == (46, 8192)
    assert (options.compression, options.compress) == (None, False)
