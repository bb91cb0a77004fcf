"""Channel arguments, read by grpcio's rules."""

from __future__ import annotations

import logging
import math

import pytest

from clarion.http2 import Config
from clarion.method import Compression
from clarion.protocol.arguments import Arguments


def test_the_first_of_a_name_counts() -> None:
    given = Arguments([("a", 1), ("b", 5), ("a", 2)])
    assert given.integer("a", 7) == 1
    assert "a" in given
    assert "c" not in given


def test_names_and_texts_may_be_bytes() -> None:
    given = Arguments([(b"a", b"text")])
    assert given.text("a") == given.text("a") == "text"
    assert given.value("a") == b"text"
    assert given.text("b") is None


@pytest.mark.parametrize("pair", [(5, 1), (None, 1), ("a", None), ("a", object()), ("a", ())])
def test_what_is_no_argument_at_all(pair: tuple[object, object]) -> None:
    with pytest.raises(TypeError, match="channel argument"):
        Arguments([pair])


def test_a_value_of_another_kind_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    given = Arguments([("a", "5"), ("b", 5), ("c", 5.0)])
    with caplog.at_level(logging.WARNING):
        assert given.integer("a", 7) == 7
        assert given.integer("c", 7) == 7
        assert given.limit("a", 7) == 7
        assert given.seconds("a", 7.0) == 7.0
        assert given.flag("a", True) is True
        assert given.text("b") is None
    assert "'5' is no int" in caplog.text


def test_a_number_out_of_range_is_the_nearest_in_it(caplog: pytest.LogCaptureFixture) -> None:
    given = Arguments([("low", -5), ("high", 500)])
    assert given.integer("low", 7, 3, 9) == 3
    assert given.integer("high", 7, 3, 9) == 9
    assert "500 taken for 9" in caplog.text


@pytest.mark.parametrize(("value", "limit"), [(5, 5), (0, 0), (-1, -1), (-7, -1), (True, 1)])
def test_limits(value: int, limit: int) -> None:
    assert Arguments([("a", value)]).limit("a", 9) == limit
    assert Arguments(None).limit("a", 9) == 9


@pytest.mark.parametrize(("value", "flag"), [(0, False), (1, True), (-1, True), (False, False)])
def test_flags(value: int, flag: bool) -> None:
    assert Arguments([("a", value)]).flag("a", not flag) is flag


@pytest.mark.parametrize(
    ("value", "seconds"), [(1500, 1.5), (0, 0.25), (-1, 0.25), (2**31 - 1, math.inf)]
)
def test_milliseconds(value: int, seconds: float) -> None:
    assert Arguments([("a", value)]).seconds("a", 9.0, 0.25) == seconds


def test_compression() -> None:
    name = "grpc.default_compression_algorithm"
    assert Arguments(()).compression is None
    assert Arguments([(name, Compression.Gzip)]).compression is Compression.Gzip
    assert Arguments([(name, 1)]).compression is Compression.Deflate
    assert Arguments([(name, 0)]).compression is None
    off = ("grpc.per_message_compression", 0)
    assert Arguments([(name, 2), off]).compression is None


def test_sockets() -> None:
    given = Arguments([("grpc.dscp", 46), ("grpc.tcp_receive_buffer_size", 4096)])
    assert (given.dscp, given.receive_buffer) == (46, 4096)
    assert (Arguments(()).dscp, Arguments(()).receive_buffer) == (None, None)


def test_keepalive() -> None:
    keepalive = Arguments(
        [
            ("grpc.keepalive_time_ms", 10_000),
            ("grpc.keepalive_timeout_ms", 2**31 - 1),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 3),
        ]
    ).keepalive(math.inf)
    assert (keepalive.time, keepalive.without_calls, keepalive.max_pings) == (10.0, True, 3)
    assert keepalive.timeout == 1e6
    assert Arguments(()).keepalive(5.0).time == 5.0


def test_the_window_may_be_larger_than_it_would_grow() -> None:
    http2 = Arguments([("grpc.http2.lookahead_bytes", 100 << 20)]).http2()
    assert http2.initial_window == http2.max_window == 100 << 20


def test_without_probes_the_window_does_not_grow() -> None:
    http2 = Arguments([("grpc.http2.bdp_probe", 0)]).http2()
    assert http2.initial_window == http2.max_window == Config().initial_window


def test_hpack_tables() -> None:
    http2 = Arguments(
        [("grpc.http2.hpack_table_size.decoder", 0), ("grpc.http2.hpack_table_size.encoder", 100)]
    ).http2()
    assert (http2.header_table_size, http2.encoder_table_size) == (0, 100)
