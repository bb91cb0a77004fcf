"""Encoder to decoder over whole connections: the two tables stay in step whatever is sent."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.hpack import Decoder, Encoder, encode_literal

NAMES = st.one_of(
    st.sampled_from(
        [
            b":path",
            b":status",
            b"authorization",
            b"content-type",
            b"cookie",
            b"grpc-timeout",
            b"te",
            b"user-agent",
            b"x-a",
            b"x-b",
            b"x-bin",
        ]
    ),
    st.binary(max_size=10),
)
VALUES = st.one_of(
    st.sampled_from([b"", b"0", b"trailers", b"/s/m", b"v" * 30, b"v" * 150, b"v" * 3000]),
    st.binary(max_size=30),
)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=6).map(tuple)
# A block is often one of the few sent before, so that what is remembered comes into play.
SESSIONS = st.lists(FIELDS, min_size=1, max_size=4).flatmap(
    lambda few: st.lists(
        st.one_of(st.sampled_from(few), st.sampled_from([0, 64, 256, 4096, 65536]), FIELDS),
        max_size=25,
    )
)


@given(session=SESSIONS, limit=st.sampled_from([0, 100, 4096, 20_000]), bypass=st.booleans())
@settings(max_examples=200, deadline=None)
def test_tables_stay_in_step(
    session: list[tuple[tuple[bytes, bytes], ...] | int], limit: int, bypass: bool
) -> None:
    encoder = Encoder(max_table_size=limit)
    decoder = Decoder(max_list_size=10**6)
    kept: dict[tuple[tuple[bytes, bytes], ...], tuple[int, bytes]] = {}
    for step in session:
        if isinstance(step, int):
            encoder.set_max_table_size(step)
            decoder.max_table_size = step
            if bypass:
                block = encoder.take_update() + encode_literal(b"grpc-status", b"0")
                assert decoder.decode(block).fields == ((b"grpc-status", b"0"),)
            continue
        # Keep and resend blocks by the rules that the encoder documents.
        generation, block = kept.get(step, (-1, b""))
        if generation != encoder.generation:
            generation = encoder.generation
            block = encoder.encode(step)
            if encoder.generation == generation:
                kept[step] = generation, block
        result = decoder.decode(block)
        assert result.fields == step
        assert result.size == sum(len(name) + len(value) + 32 for name, value in step)
        table = encoder._table
        assert decoder._entries[128 + 62 :] == list(reversed(table._entries))
        assert decoder._used == table._used <= table.capacity == decoder._capacity
