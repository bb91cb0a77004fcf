"""Metadata in both directions: text, bytes, repeated keys, and blocks of many sizes."""

from __future__ import annotations

import pytest

from support.libraries import PATTERNS, Metadata
from support.peers import Pair, requests_for, script

ENTRIES: Metadata = [
    ("-text", "a value with spaces, and a comma"),
    ("-empty", ""),
    ("-twice", "first"),
    ("-twice", "second"),
    ("-dots.and_dashes-0", "~!@#$%^&*()"),
    ("-empty-bin", b""),
    ("-one-bin", b"\x00"),
    ("-two-bin", b"\xff\xfe"),
    ("-three-bin", b"\xfb\xef\xbe"),
    ("-long-bin", bytes(range(256))),
    ("-twice-bin", b"\x01"),
    ("-twice-bin", b"\x02,\x03"),
]


def _joined(pair: Pair, by_key: dict[str, list[str | bytes]]) -> dict[str, list[str | bytes]]:
    """Node joins repeated text headers with commas, as HTTP lets it; gRPC reads that as one value."""
    if "js" not in (pair.client_kind, pair.server_kind):
        return by_key
    return {
        key: values if key.endswith("-bin") else [", ".join(map(str, values))]
        for key, values in by_key.items()
    }


def _by_key(metadata: Metadata, prefix: str) -> dict[str, list[str | bytes]]:
    """Values by key: only the order within one key is the protocol's promise."""
    found: dict[str, list[str | bytes]] = {}
    for key, value in metadata:
        if key.startswith(prefix):
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("pattern", PATTERNS)
def test_metadata_goes_there_and_back(pair: Pair, pattern: str) -> None:
    initial = [("i" + key, value) for key, value in ENTRIES]
    trailing = [("t" + key, value) for key, value in ENTRIES]
    requests = requests_for(pattern, b"x")
    outcome = pair.call(pattern, requests, script(echo=True), *initial, *trailing)
    assert outcome.code == "OK", outcome
    assert _by_key(outcome.initial, "i-") == _joined(pair, _by_key(initial, "i-"))
    assert _by_key(outcome.trailing, "t-") == _joined(pair, _by_key(trailing, "t-"))
    assert not _by_key(outcome.initial, "t-")
    assert not _by_key(outcome.trailing, "i-")


def test_the_same_call_again_and_with_other_values(pair: Pair) -> None:
    for value in ("a", "a", "b", "a", "c" * 100, "b"):
        outcome = pair.call("unary_unary", [b"x"], script(echo=True), ("t-value", value))
        assert _by_key(outcome.trailing, "t-") == {"t-value": [value]}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_several_kilobytes_of_metadata_pass(pair: Pair, pattern: str) -> None:
    large = ("t-large", "v" * 5000)
    outcome = pair.call(pattern, requests_for(pattern, b"x"), script(echo=True), large)
    assert outcome.code == "OK"
    assert _by_key(outcome.trailing, "t-") == {"t-large": ["v" * 5000]}


@pytest.mark.parametrize("pattern", ["unary_unary", "stream_stream"])
def test_metadata_over_the_hard_limit_is_refused(pair: Pair, pattern: str) -> None:
    if pair.server_kind == "js":
        pytest.skip("grpc-js has no limit of 16 KiB: it takes what Node's HTTP/2 takes")
    large = ("x-large", "v" * 40_000)
    outcome = pair.call(pattern, requests_for(pattern, b"x"), large)
    # grpcio's asyncio client may lose the answer, if it comes while it is still writing.
    lost = pair.client_kind == "grpc-aio" and outcome.details == "Internal error from Core"
    assert lost or outcome.code == "RESOURCE_EXHAUSTED", outcome
    assert pair.call("unary_unary", [b"still there"]).code == "OK"
