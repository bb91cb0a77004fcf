"""A server's settings from grpcio's channel arguments."""

from __future__ import annotations

import pytest

from clarion.errors import LocalError
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


def test_out_of_range() -> None:
    with pytest.raises(LocalError, match="max_frame_size is 1;"):
        ServerOptions.read([("grpc.http2.max_frame_size", 1)])
