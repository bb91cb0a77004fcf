"""Integers of RFC 7541 §5.1, with the examples of Appendix C.1."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.hpack import HpackError
from clarion.hpack.integers import decode_integer, encode_integer


@pytest.mark.parametrize(
    ("value", "mask", "coded"),
    [
        pytest.param(10, 31, "0a", id="C.1.1"),
        pytest.param(1337, 31, "1f9a0a", id="C.1.2"),
        pytest.param(42, 255, "2a", id="C.1.3"),
        pytest.param(0, 15, "00", id="zero"),
        pytest.param(30, 31, "1e", id="largest in the prefix"),
        pytest.param(31, 31, "1f00", id="smallest with a continuation"),
        pytest.param(127 + 127, 127, "7f7f", id="largest with one continuation byte"),
        pytest.param(127 + 128, 127, "7f8001", id="smallest with two"),
        pytest.param(2**32 - 1, 127, "7f80ffffff0f", id="largest accepted"),
    ],
)
def test_known_encodings(value: int, mask: int, coded: str) -> None:
    block = bytes.fromhex(coded)
    assert encode_integer(value, mask) == block
    assert decode_integer(block, 0, mask) == (value, len(block))


@given(
    value=st.integers(0, 2**32 - 1),
    bits=st.integers(1, 8),
    before=st.binary(max_size=3),
    after=st.binary(max_size=3),
)
@settings(max_examples=200, deadline=None)
def test_round_trip_inside_a_block(value: int, bits: int, before: bytes, after: bytes) -> None:
    mask = (1 << bits) - 1
    flags = 0xFF & ~mask
    coded = encode_integer(value, mask, flags)
    assert coded[0] & flags == flags
    end = len(before) + len(coded)
    assert decode_integer(before + coded + after, len(before), mask) == (value, end)


def test_zero_padding_is_accepted_up_to_five_continuation_bytes() -> None:
    assert decode_integer(b"\x1f\x80\x80\x80\x80\x00", 0, 31) == (31, 6)


@pytest.mark.parametrize(
    ("coded", "message"),
    [
        pytest.param("", "ends inside an integer", id="nothing"),
        pytest.param("1f", "ends inside an integer", id="no continuation"),
        pytest.param("1f9a", "ends inside an integer", id="truncated continuation"),
        pytest.param("1f8080808080", "5 continuation bytes", id="sixth announced"),
        pytest.param("1f808080808000", "5 continuation bytes", id="zero-padded"),
        pytest.param("1f" + "ff" * 1000 + "00", "5 continuation bytes", id="huge"),
        pytest.param("1fe1ffffff0f", "32 bits", id="2**32"),
        pytest.param("1fffffffff7f", "32 bits", id="35 bits"),
    ],
)
def test_malformed(coded: str, message: str) -> None:
    with pytest.raises(HpackError, match=message):
        decode_integer(bytes.fromhex(coded), 0, 31)
