"""`grpc-timeout`, both ways."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clarion.errors import RemoteError
from clarion.protocol.timeout import InvalidTimeout, decode_timeout, encode_timeout


@pytest.mark.parametrize(
    ("seconds", "value"),
    [
        (0, b"1n"),
        (0.0, b"1n"),
        (-1, b"1n"),
        (-math.inf, b"1n"),
        (math.nan, b"1n"),
        (5e-324, b"1n"),
        (1e-9, b"1n"),
        (1.5e-9, b"2n"),
        (0.001, b"1000000n"),
        (0.099999999, b"99999999n"),
        (0.0999999999, b"100000u"),
        (0.1, b"100000u"),
        (1, b"1000000u"),
        (5.0, b"5000000u"),
        (99.999999, b"99999999u"),
        (99.9999999, b"100000m"),
        (100, b"100000m"),
        (99999.999, b"99999999m"),
        (100000, b"100000S"),
        (99999999, b"99999999S"),
        (99999999.5, b"1666667M"),
        (100000000, b"1666667M"),
        (60 * 99999999, b"99999999M"),
        (60 * 99999999 + 1, b"1666667H"),
        (3600 * 99999999, b"99999999H"),
        (3600 * 99999999 + 1, b"99999999H"),
        (1e300, b"99999999H"),
        (10**400, b"99999999H"),
        (math.inf, b"99999999H"),
    ],
)
def test_encode(seconds: float, value: bytes) -> None:
    assert encode_timeout(seconds) == value


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"1n", 1e-9),
        (b"3u", 3e-6),
        (b"100m", 0.1),
        (b"1S", 1.0),
        (b"00000010S", 10.0),
        (b"2M", 120.0),
        (b"2H", 7200.0),
        (b"99999999H", 359999996400.0),
        (b"0n", 0.0),
    ],
)
def test_decode(value: bytes, seconds: float) -> None:
    assert decode_timeout(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"S",
        b"5",
        b"123456789S",
        b"5s",
        b"5X",
        b"-1S",
        b"+1S",
        b"1.5S",
        b" 5S",
        b"5 S",
        b"5S ",
        b"1_0S",
        b"5\xb5",
        "٣S".encode(),
        b"S5",
    ],
)
def test_decode_refuses(value: bytes) -> None:
    with pytest.raises(InvalidTimeout, match="grpc-timeout"):
        decode_timeout(value)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=12) | st.from_regex(rb"\A[0-9]{0,10}[HMSmunX]?\Z"))
def test_decode_parses_or_raises_remote_error(value: bytes) -> None:
    try:
        seconds = decode_timeout(value)
    except RemoteError:
        return
    assert 0 <= seconds < math.inf


@settings(max_examples=200, deadline=None)
@given(st.floats(min_value=1e-9, max_value=3600.0 * 99999999))
@example(0.3)
@example(1.1)
def test_round_trip_is_never_shorter_and_close(seconds: float) -> None:
    value = encode_timeout(seconds)
    assert 2 <= len(value) <= 9
    decoded = decode_timeout(value)
    # Two roundings of binary floats lie between the two.
    assert decoded >= seconds * (1 - 1e-15)
    # One unit more at most; a coarser unit is only taken where the finer one has no room, which
    # leaves at least 100 ms / 1 us, 100 s / 1 ms ... or, for hours, 1666666 of them.
    assert decoded <= seconds * (1 + 1e-4) + 1.001e-9


@given(st.integers(1, 99999999), st.sampled_from("numSMH"))
def test_reencoding_keeps_the_time(count: int, unit: str) -> None:
    seconds = decode_timeout(f"{count}{unit}".encode())
    again = decode_timeout(encode_timeout(seconds))
    assert seconds * (1 - 1e-15) <= again <= seconds * (1 + 1e-4) + 1.001e-9
