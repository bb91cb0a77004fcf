"""Compression, seen from outside: a quarter of a megabyte of zeros crosses the wire in a few kilobytes."""

from __future__ import annotations

import pytest

from support.libraries import PATTERNS
from support.peers import Pair, expected, requests_for, script

ZEROS = bytes(1 << 18)
FEW = 40_000


def _needs_python_client(pair: Pair) -> None:
    if pair.client_kind == "js":
        pytest.skip("grpc-js cannot choose compression per call")


def _needs_python_server(pair: Pair) -> None:
    if pair.server_kind == "js":
        pytest.skip("the grpc-js server cannot choose compression")


@pytest.mark.parametrize("algorithm", ["Gzip", "Deflate"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_channel_compresses_requests(pair: Pair, pattern: str, algorithm: str) -> None:
    tap = pair.tap()
    client = pair.connect(f"127.0.0.1:{tap.port}", compression=algorithm)
    requests = requests_for(pattern, ZEROS, b"small")
    steps = script(count=1)
    outcome = pair.call(pattern, requests, steps, client=client)
    assert outcome.code == "OK", outcome.details
    assert outcome.responses == expected(pattern, requests, count=1)
    assert tap.sent < FEW


def test_without_compression_everything_is_sent(pair: Pair) -> None:
    tap = pair.tap()
    client = pair.connect(f"127.0.0.1:{tap.port}")
    assert pair.call("unary_unary", [ZEROS], client=client).responses == [ZEROS]
    assert tap.sent > len(ZEROS)
    assert tap.received > len(ZEROS)


@pytest.mark.parametrize("algorithm", ["Gzip", "Deflate"])
def test_one_call_compresses_its_requests(pair: Pair, algorithm: str) -> None:
    _needs_python_client(pair)
    tap = pair.tap()
    client = pair.connect(f"127.0.0.1:{tap.port}")
    outcome = pair.call("stream_unary", [ZEROS, ZEROS], client=client, compression=algorithm)
    assert outcome.responses == [ZEROS * 2]
    assert tap.sent < FEW


def test_one_call_of_a_compressing_channel_does_not(pair: Pair) -> None:
    if not pair.client_kind.startswith("clarion"):
        pytest.skip("only Clarion lets a call turn its channel's compression off")
    tap = pair.tap()
    client = pair.connect(f"127.0.0.1:{tap.port}", compression="Gzip")
    outcome = pair.call("unary_unary", [ZEROS], client=client, compression="NoCompression")
    assert outcome.responses == [ZEROS]
    assert tap.sent > len(ZEROS)


@pytest.mark.parametrize("algorithm", ["Gzip", "Deflate"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_handler_compresses_responses(pair: Pair, pattern: str, algorithm: str) -> None:
    _needs_python_server(pair)
    tap = pair.tap()
    client = pair.connect(f"127.0.0.1:{tap.port}")
    steps = script(compression=algorithm, size=len(ZEROS))
    requests = requests_for(pattern, b"x")
    outcome = pair.call(pattern, requests, steps, client=client)
    assert outcome.code == "OK", outcome.details
    assert outcome.responses == [b"x" * len(ZEROS)] * len(expected(pattern, requests))
    assert tap.received < FEW


def test_a_server_compresses_responses(pair: Pair) -> None:
    _needs_python_server(pair)
    tap = pair.tap("gzip")
    client = pair.connect(f"127.0.0.1:{tap.port}")
    for pattern in PATTERNS:
        outcome = pair.call(
            pattern, requests_for(pattern, b"x"), script(size=1 << 18), client=client
        )
        assert outcome.code == "OK", outcome.details
    assert tap.received < FEW
