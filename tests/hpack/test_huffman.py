"""Huffman coding of RFC 7541 §5.2: the code, the round trip and every wrong ending."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.hpack import HpackError
from clarion.hpack.huffman import decode_huffman, encode_huffman
from clarion.hpack.huffman_table import CODE_LENGTHS, EOS

KNOWN = [
    (b"", ""),
    (b"www.example.com", "f1e3c2e5f23a6ba0ab90f4ff"),
    (b"no-cache", "a8eb10649cbf"),
    (b"custom-key", "25a849e95ba97d7f"),
    (b"custom-value", "25a849e95bb8e8b4bf"),
    (b"302", "6402"),
    (b"private", "aec3771a4b"),
    (b"gzip", "9bd9ab"),
    (b"https://www.example.com", "9d29ad171863c78f0b97c8e9ae82ae43d3"),
    (b"\x00", "ffc7"),
    (b"\xff", "fffffbbf"),
]


def test_the_code_is_complete() -> None:
    # Kraft's equality: every infinite bit string has exactly one decoding.
    assert sum(2 ** (30 - length) for length in CODE_LENGTHS) == 2**30
    assert len(CODE_LENGTHS) == EOS + 1


@pytest.mark.parametrize(("plain", "coded"), KNOWN)
def test_known_strings(plain: bytes, coded: str) -> None:
    assert encode_huffman(plain) == bytes.fromhex(coded)
    assert decode_huffman(bytes.fromhex(coded)) == plain


def test_every_octet_survives_in_every_bit_position() -> None:
    everything = bytes(range(256))
    for shift in range(8):
        # "0" has a code of 5 bits, so that 0 to 7 of them reach every alignment.
        plain = b"0" * shift + everything + everything[::-1]
        assert decode_huffman(encode_huffman(plain)) == plain


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_round_trip(plain: bytes) -> None:
    assert decode_huffman(encode_huffman(plain)) == plain


@given(st.binary(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_octets_decode_to_what_encodes_back_or_raise(coded: bytes) -> None:
    try:
        plain = decode_huffman(coded)
    except HpackError:
        return
    assert encode_huffman(plain) == coded


@pytest.mark.parametrize(
    ("coded", "message"),
    [
        pytest.param("ff", "7 bits of ones", id="8 bits of padding and nothing else"),
        pytest.param("1fff", "7 bits of ones", id="11 bits of padding"),
        pytest.param("f8ff", "7 bits of ones", id="8 bits of padding"),
        pytest.param("18", "7 bits of ones", id="padding of zeros"),
        pytest.param("1e", "7 bits of ones", id="padding ends in a zero"),
        pytest.param("ffff", "7 bits of ones", id="a code cut short"),
        pytest.param("ffffffff", "EOS", id="EOS alone"),
        pytest.param("1fffffffff", "EOS", id="EOS behind a symbol"),
        pytest.param("fffffffc", "EOS", id="EOS and zeros"),
        pytest.param("ffffffffffffffff", "EOS", id="EOS twice"),
    ],
)
def test_malformed(coded: str, message: str) -> None:
    for _ in range(2):  # The step that fails is not remembered as one that succeeds.
        with pytest.raises(HpackError, match=message):
            decode_huffman(bytes.fromhex(coded))


def test_padding_of_every_allowed_length() -> None:
    # "a" has a code of 5 bits (00011), so that n of them leave 3, 6, 1, 4, 7, 2, 5, 0 bits.
    for count in range(1, 9):
        assert decode_huffman(encode_huffman(b"a" * count)) == b"a" * count
