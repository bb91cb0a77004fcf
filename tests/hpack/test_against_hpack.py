"""The same blocks through Clarion and through the independent `hpack` library."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.hpack import Decoder, Encoder, HpackError

peer: Any = pytest.importorskip("hpack", reason="the peer library `hpack` is not installed")

Fields = tuple[tuple[bytes, bytes], ...]

FIELDS = st.lists(
    st.tuples(
        st.one_of(
            st.sampled_from([b":path", b"te", b"cookie", b"grpc-timeout", b"x-a", b"x-a-bin"]),
            st.binary(min_size=1, max_size=8),
        ),
        st.one_of(st.sampled_from([b"", b"trailers", b"v" * 150]), st.binary(max_size=20)),
    ),
    min_size=1,
    max_size=6,
).map(tuple)
SESSIONS = st.lists(st.one_of(FIELDS, st.sampled_from([0, 100, 4096])), max_size=12)
GET: Fields = ((b":method", b"GET"),)


def peer_decoder() -> Any:
    return peer.Decoder(max_header_list_size=10**9)


@given(SESSIONS)
@settings(max_examples=150, deadline=None)
def test_we_encode_and_the_peer_decodes(session: list[Fields | int]) -> None:
    encoder = Encoder()
    decoder = peer_decoder()
    for step in session:
        if isinstance(step, int):
            encoder.set_max_table_size(step)
            decoder.max_allowed_table_size = step
        else:
            for _ in range(2):
                decoded = decoder.decode(encoder.encode(step), raw=True)
                assert tuple(map(tuple, decoded)) == step


@given(session=SESSIONS, huffman=st.booleans())
@settings(max_examples=150, deadline=None)
def test_the_peer_encodes_and_we_decode(session: list[Fields | int], huffman: bool) -> None:
    encoder = peer.Encoder()
    decoder = Decoder()
    for step in session:
        if isinstance(step, int):
            encoder.header_table_size = step
            decoder.max_table_size = step
            # One change between two blocks: of several the peer announces each in turn, where
            # RFC 7541 §4.2 has the lowest and the last, and none at all if the last two are equal.
            assert decoder.decode(encoder.encode(GET)).fields == GET
        else:
            for _ in range(2):
                assert decoder.decode(encoder.encode(step, huffman=huffman)).fields == step


@given(st.lists(st.binary(max_size=30), max_size=4))
@settings(max_examples=200, deadline=None)
def test_both_accept_or_refuse_the_same_octets(blocks: list[bytes]) -> None:
    ours = Decoder(max_list_size=10**9)
    theirs = peer_decoder()
    for block in blocks:
        try:
            expected = tuple(map(tuple, theirs.decode(block, raw=True)))
        except peer.HPACKError:
            with pytest.raises(HpackError):
                ours.decode(block)
            return
        assert ours.decode(block).fields == expected
