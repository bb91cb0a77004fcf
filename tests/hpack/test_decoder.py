"""The decoder: representations, limits, what it remembers, and every malformed block."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.errors import LocalError, RemoteError
from clarion.hpack import Decoder, HpackError, encode_literal
from clarion.hpack.huffman import encode_huffman
from clarion.hpack.integers import encode_integer
from clarion.hpack.tables import STATIC_TABLE

NEWEST = b"\xbe"  # Index 62.


def string(data: bytes, *, huffman: bool = False) -> bytes:
    if huffman:
        data = encode_huffman(data)
    return encode_integer(len(data), 127, 128 if huffman else 0) + data


def insertion(name: bytes, value: bytes) -> bytes:
    return b"\x40" + string(name) + string(value)


def indexed(index: int) -> bytes:
    return encode_integer(index, 127, 128)


def resize(octets: int) -> bytes:
    return encode_integer(octets, 31, 32)


def test_every_static_entry() -> None:
    block = b"".join(indexed(n) for n in range(1, 62))
    assert len(STATIC_TABLE) == 61
    assert Decoder().decode(block).fields == STATIC_TABLE


def test_an_empty_block() -> None:
    result = Decoder().decode(b"")
    assert (result.fields, result.size, result.memo) == ((), 0, None)


@pytest.mark.parametrize("huffman", [False, True])
@pytest.mark.parametrize("length", [0, 1, 126, 127, 128, 300, 2000])
@pytest.mark.parametrize("first", [0x00, 0x10, 0x40])
def test_literals_of_every_size(first: int, length: int, huffman: bool) -> None:
    field = (b"n" * length, b"v" * length)
    block = bytes((first,)) + b"".join(string(part, huffman=huffman) for part in field)
    decoder = Decoder()
    for _ in range(2):
        result = decoder.decode(block)
        assert result.fields == (field,)
        assert result.size == 2 * length + 32
    if first == 0x40:
        assert decoder.decode(NEWEST).fields == (field,)
    else:
        with pytest.raises(HpackError):
            decoder.decode(NEWEST)


@pytest.mark.parametrize(("flags", "mask"), [(0x00, 15), (0x10, 15), (0x40, 63)])
def test_name_indexes_of_every_size(flags: int, mask: int) -> None:
    decoder = Decoder()
    names = [name for name, _ in STATIC_TABLE]
    for n in range(80):
        decoder.decode(insertion(b"%d" % n, b""))
        names.insert(61, b"%d" % n)
    # Inserting moves the indexes, but the name of an index read before that is the old one.
    for index in (1, 14, 15, 16, 61, 62, 63, 64, 126, 127, 128, 141):
        result = decoder.decode(encode_integer(index, mask, flags) + string(b"value"))
        assert result.fields == ((names[index - 1], b"value"),)
        if flags == 0x40:
            names.insert(61, names[index - 1])


def test_indexes_beyond_one_byte() -> None:
    decoder = Decoder()
    for n in range(100):
        decoder.decode(insertion(b"n", b"%d" % n))
    for index in (62, 126, 127, 128, 161):
        assert decoder.decode(indexed(index)).fields == ((b"n", b"%d" % (161 - index)),)
    assert decoder.decode(indexed(62) + indexed(127) + indexed(62)).fields == (
        (b"n", b"99"),
        (b"n", b"34"),
        (b"n", b"99"),
    )


@pytest.mark.parametrize("length", [1, 126, 127, 128, 129, 255, 256, 257, 300])
def test_runs_of_indexed_fields(length: int) -> None:
    run = bytes(0x81 + n % 61 for n in range(length))
    expected = tuple(STATIC_TABLE[n % 61] for n in range(length))
    literal = encode_literal(b"a", b"b")
    decoder = Decoder(max_list_size=10**6)
    assert decoder.decode(run).fields == expected
    assert decoder.decode(run + literal).fields == (*expected, (b"a", b"b"))
    assert decoder.decode(literal + run).fields == ((b"a", b"b"), *expected)
    assert decoder.decode(run + literal + run).fields == (*expected, (b"a", b"b"), *expected)


def test_eviction_keeps_the_newest_that_fit() -> None:
    decoder = Decoder(max_table_size=102)
    for n in range(10):
        decoder.decode(insertion(b"n", b"%d" % n))  # 34 octets each: three fit exactly.
    assert decoder.decode(b"\xbe\xbf\xc0").fields == ((b"n", b"9"), (b"n", b"8"), (b"n", b"7"))
    with pytest.raises(HpackError):
        decoder.decode(b"\xc1")


def test_an_entry_larger_than_the_table_empties_it() -> None:
    decoder = Decoder(max_table_size=100)
    decoder.decode(insertion(b"a", b"b"))
    assert decoder.decode(insertion(b"n", b"v" * 68)).fields == ((b"n", b"v" * 68),)
    with pytest.raises(HpackError):
        decoder.decode(NEWEST)


def test_the_name_of_an_entry_that_its_own_insertion_evicts() -> None:
    decoder = Decoder(max_table_size=64)
    decoder.decode(insertion(b"name", b"old"))
    decoder.decode(b"\x7e" + string(b"new"))
    assert decoder.decode(NEWEST).fields == ((b"name", b"new"),)


# What is remembered


def test_a_repeated_block_yields_the_same_object() -> None:
    decoder = Decoder()
    decoder.decode(insertion(b"a", b"b"))
    block = b"\x82" + NEWEST + encode_literal(b"x", b"y")
    result = decoder.decode(block)
    result.memo = "derived"
    again = decoder.decode(bytes(bytearray(block)))
    assert again is result
    assert again.memo == "derived"


def test_a_block_that_inserts_is_never_remembered() -> None:
    decoder = Decoder(max_table_size=68)
    block = insertion(b"a", b"1")
    assert decoder.decode(block) is not decoder.decode(block)
    assert decoder.decode(b"\xbe\xbf").fields == ((b"a", b"1"), (b"a", b"1"))


def test_a_remembered_block_means_the_new_entry_once_the_table_changed() -> None:
    decoder = Decoder()
    for n in range(5):
        decoder.decode(insertion(b"n", b"%d" % n))
        for _ in range(2):
            assert decoder.decode(NEWEST).fields == ((b"n", b"%d" % n),)


def test_a_remembered_block_fails_once_its_entry_was_evicted() -> None:
    decoder = Decoder()
    decoder.decode(insertion(b"a", b"b"))
    decoder.decode(NEWEST)
    decoder.decode(resize(0))
    with pytest.raises(HpackError):
        decoder.decode(NEWEST)


def test_a_remembered_block_does_not_slip_past_a_lowered_table_size() -> None:
    decoder = Decoder()
    decoder.decode(b"\x82")
    decoder.max_table_size = 0
    with pytest.raises(HpackError, match="does not begin with a size update"):
        decoder.decode(b"\x82")


def test_a_remembered_block_obeys_a_new_list_size() -> None:
    decoder = Decoder()
    assert decoder.decode(b"\x82\x83").fields == ((b":method", b"GET"), (b":method", b"POST"))
    decoder.max_list_size = 42
    assert decoder.decode(b"\x82\x83").fields == ((b":method", b"GET"),)


def test_the_number_of_remembered_blocks_is_bounded() -> None:
    decoder = Decoder()
    for n in range(3000):
        decoder.decode(encode_literal(b"id", b"%d" % n))
        assert len(decoder._kept) <= 256
    assert len(decoder._kept) > 1


def test_the_octets_of_remembered_blocks_are_bounded() -> None:
    decoder = Decoder()
    for n in range(200):
        block = encode_literal(b"id", b"%04d" % n * 1000)
        decoder.decode(block)
        assert decoder.decode(block).fields == ((b"id", b"%04d" % n * 1000),)
        assert sum(map(len, decoder._kept)) <= 65536
    assert len(decoder._kept) > 1


def test_large_blocks_are_not_remembered() -> None:
    decoder = Decoder()
    block = encode_literal(b"a", b"x" * 4096)
    assert decoder.decode(block) is not decoder.decode(block)


def test_remembered_strings_are_bounded_and_right() -> None:
    decoder = Decoder()
    for n in (*range(2000), *range(2000)):
        value = b"%06d" % n
        block = insertion(b"a", b"b") + b"\x0f\x2f" + string(value, huffman=True)
        assert decoder.decode(block).fields[1] == (b"a", value)
        assert len(decoder._strings) <= 256


# Limits


def test_a_bomb_of_large_entries_is_counted_but_not_kept() -> None:
    decoder = Decoder()
    value = b"v" * (4096 - 33)
    decoder.decode(insertion(b"n", value))
    result = decoder.decode(NEWEST * 60_000)
    assert result.size == 4096 * 60_000
    assert result.fields == ((b"n", value),) * 4
    assert decoder.decode(NEWEST * 60_000) is not result


def test_a_bomb_through_long_indexes() -> None:
    decoder = Decoder(max_list_size=33 * 7 + 5)
    for n in range(100):
        decoder.decode(insertion(b"", b"%d" % (n % 10)))
    result = decoder.decode(indexed(150) * 1000)
    assert result.size == 33 * 1000
    assert result.fields == ((b"", b"1"),) * 7


@pytest.mark.parametrize("limit", [0, 41, 42, 43, 84, 85, 127, 128])
def test_fields_are_kept_as_far_as_they_fit(limit: int) -> None:
    sizes = [42, 43, 43]
    fits = sum(sum(sizes[: n + 1]) <= limit for n in range(3))
    get, post = (b":method", b"GET"), (b":method", b"POST")
    for block in (b"\x82\x83\x83", b"\x02\x03GET\x02\x04POST\x02\x04POST", b"\x82\x02\x04POST\x83"):
        result = Decoder(max_list_size=limit).decode(block)
        assert result.size == 128
        assert result.fields == (get, post, post)[:fits]


def test_the_table_stays_in_step_beyond_the_list_size() -> None:
    decoder = Decoder(max_list_size=50)
    result = decoder.decode(b"\x82\x83" + insertion(b"late", b"entry") + b"\x82")
    assert result.fields == ((b":method", b"GET"),)
    assert result.size == 42 + 43 + 41 + 42
    assert decoder.decode(NEWEST).fields == ((b"late", b"entry"),)


@pytest.mark.parametrize("attribute", ["max_table_size", "max_list_size"])
def test_negative_sizes_are_our_own_mistake(attribute: str) -> None:
    with pytest.raises(LocalError, match=f"{attribute} is -1"):
        Decoder(**{attribute: -1})
    decoder = Decoder()
    with pytest.raises(LocalError, match=f"{attribute} is -1"):
        setattr(decoder, attribute, -1)
    assert getattr(decoder, attribute) >= 0


# Dynamic table size updates


def test_the_peer_may_shrink_and_regrow_the_table_at_will() -> None:
    decoder = Decoder()
    decoder.decode(insertion(b"a", b"b"))
    decoder.decode(resize(34) + NEWEST)
    assert decoder.decode(resize(33) + resize(4096) + b"\x82").fields == ((b":method", b"GET"),)
    with pytest.raises(HpackError):
        decoder.decode(NEWEST)


def test_a_raised_limit_is_used_only_after_an_update() -> None:
    decoder = Decoder(max_table_size=40)
    decoder.max_table_size = 1000
    assert decoder.max_table_size == 1000
    decoder.decode(insertion(b"a", b"1"))
    decoder.decode(insertion(b"a", b"2"))
    decoder.decode(resize(1000))
    decoder.decode(insertion(b"a", b"3"))
    assert decoder.decode(b"\xbe\xbf").fields == ((b"a", b"3"), (b"a", b"2"))
    with pytest.raises(HpackError):
        decoder.decode(b"\xc0")


def test_lowering_to_what_is_in_use_demands_nothing() -> None:
    decoder = Decoder()
    decoder.max_table_size = 5000
    decoder.max_table_size = 4096
    assert decoder.decode(b"\x82").size == 42


def test_an_update_honours_the_lowest_of_several_limits() -> None:
    decoder = Decoder()
    for octets in (200, 100, 300):
        decoder.max_table_size = octets
    decoder.decode(resize(100) + resize(300) + b"\x82")
    assert decoder.decode(b"\x82").size == 42


@pytest.mark.parametrize("block", [resize(101), resize(300), resize(300) + resize(100)])
def test_an_update_above_the_lowest_of_several_limits(block: bytes) -> None:
    decoder = Decoder()
    for octets in (200, 100, 300):
        decoder.max_table_size = octets
    with pytest.raises(HpackError, match="exceeds the 100 allowed"):
        decoder.decode(block)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x82", id="indexed"),
        pytest.param(b"\x82" + resize(0), id="update behind a field"),
        pytest.param(insertion(b"a", b"b"), id="insertion"),
        pytest.param(encode_literal(b"a", b"b"), id="literal"),
        pytest.param(b"\x10\x01a\x01b", id="never indexed"),
    ],
)
def test_the_update_that_a_lowered_limit_demands_is_missing(block: bytes) -> None:
    decoder = Decoder()
    decoder.max_table_size = 100
    with pytest.raises(HpackError, match="lowered to 100 octets"):
        decoder.decode(block)


# Malformed blocks


@pytest.mark.parametrize(
    ("block", "message"),
    [
        pytest.param(b"\x80", "index 0", id="index 0"),
        pytest.param(b"\x82\x80", "index 0", id="index 0 behind a run"),
        pytest.param(indexed(62), "beyond the end", id="first index past the end"),
        pytest.param(indexed(126), "beyond the end", id="largest index of one byte"),
        pytest.param(indexed(127), "beyond the end", id="smallest index of two bytes"),
        pytest.param(indexed(2**32 - 1), "beyond the end", id="largest index"),
        pytest.param(b"\x7e\x01v", "beyond the end", id="insertion, name index past the end"),
        pytest.param(b"\x7f\x20\x01v", "beyond the end", id="insertion, long name index"),
        pytest.param(b"\x0f\x2f\x01v", "beyond the end", id="literal, name index past the end"),
        pytest.param(b"\x1f\x2f\x01v", "beyond the end", id="never indexed, the same"),
        pytest.param(b"\xff\xff\xff\xff\xff\xff\x01", "5 continuation", id="index overflow"),
        pytest.param(b"\xff\xff\xff\xff\xff\x7f", "32 bits", id="index of 35 bits"),
        pytest.param(b"\x7f\xff\xff\xff\xff\xff\x01", "5 continuation", id="name index overflow"),
        pytest.param(b"\x0f\xff\xff\xff\xff\xff\x01", "5 continuation", id="the same in a literal"),
        pytest.param(b"\x00\x7f\xff\xff\xff\xff\xff\x01", "5 continuation", id="name length"),
        pytest.param(b"\x00\x01a\x7f\xff\xff\xff\xff\xff\x01", "5 continuation", id="value length"),
        pytest.param(b"\x00\x01a\xff\x80\xff\xff\xff\x0f", "inside a string", id="4 GiB value"),
        pytest.param(b"\x3f\xff\xff\xff\xff\xff\x01", "5 continuation", id="update overflow"),
        pytest.param(b"\x82" + resize(0), "follows a field", id="update behind an indexed field"),
        pytest.param(b"\x00\x01a\x00" + resize(0), "follows a field", id="update behind a literal"),
        pytest.param(b"\x40\x00\x00" + resize(9), "follows a field", id="update behind the empty"),
        pytest.param(resize(4097), "exceeds the 4096", id="update above the limit"),
        pytest.param(resize(0) + resize(4097), "exceeds the 4096", id="second update above it"),
        pytest.param(b"\x00\x81\x18\x01v", "7 bits of ones", id="padding of zeros in a name"),
        pytest.param(b"\x00\x01a\x81\x18", "7 bits of ones", id="padding of zeros in a value"),
        pytest.param(b"\x00\x01a\x82\x1f\xff", "7 bits of ones", id="padding too long"),
        pytest.param(b"\x00\x01a\x84\xff\xff\xff\xff", "EOS", id="EOS in a value"),
        pytest.param(b"\x00\x84\xff\xff\xff\xff\x01v", "EOS", id="EOS in a name"),
        pytest.param(
            b"\x00\x01a" + encode_integer(200, 127, 128) + b"\x00" * 199 + b"\xfe",
            "7 bits of ones",
            id="padding in a long value",
        ),
    ],
)
def test_malformed(block: bytes, message: str) -> None:
    with pytest.raises(HpackError, match=message) as caught:
        Decoder().decode(block)
    assert isinstance(caught.value, RemoteError)


LONG = b"x" * 200


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(indexed(130), id="indexed"),
        pytest.param(insertion(b"name", b"value"), id="insertion"),
        pytest.param(encode_literal(b"name", b"value"), id="literal"),
        pytest.param(b"\x04" + string(b"/path"), id="literal with an indexed name"),
        pytest.param(b"\x1f\x70" + string(b"value"), id="never indexed, long name index"),
        pytest.param(b"\x7f\x01" + string(b"value"), id="insertion, long name index"),
        pytest.param(b"\x40" + string(LONG) + string(LONG), id="long strings"),
        pytest.param(
            b"\x40" + string(b"name", huffman=True) + string(b"value", huffman=True), id="huffman"
        ),
        pytest.param(
            b"\x40" + string(LONG, huffman=True) + string(LONG, huffman=True), id="long huffman"
        ),
        pytest.param(resize(4000), id="update"),
    ],
)
def test_truncated_at_every_byte(block: bytes) -> None:
    def prepared() -> Decoder:
        decoder = Decoder()
        for n in range(70):
            decoder.decode(insertion(b"", b"%d" % n))
        return decoder

    prepared().decode(block)
    for length in range(1, len(block)):
        with pytest.raises(HpackError):
            prepared().decode(block[:length])
        with pytest.raises(HpackError):
            prepared().decode(resize(4096) + block[:length])


def check(decoder: Decoder, block: bytes) -> None:
    try:
        result = decoder.decode(block)
    except HpackError:
        return
    kept = sum(len(name) + len(value) + 32 for name, value in result.fields)
    if result.size <= decoder.max_list_size:
        assert kept == result.size
    else:
        assert kept <= decoder.max_list_size


@given(blocks=st.lists(st.binary(max_size=60), max_size=6), limit=st.sampled_from([0, 100, 16384]))
@settings(max_examples=200, deadline=None)
def test_any_octets_parse_or_raise(blocks: list[bytes], limit: int) -> None:
    decoder = Decoder(max_list_size=limit)
    for block in blocks:
        check(decoder, block)


PIECES = st.one_of(
    st.integers(0, 140).map(indexed),
    st.builds(insertion, st.binary(max_size=9), st.binary(max_size=140)),
    st.builds(encode_literal, st.binary(max_size=9), st.binary(max_size=140)),
    st.builds(
        lambda flags, value: bytes((flags,)) + string(value, huffman=True),
        st.integers(0, 127),
        st.binary(max_size=100),
    ),
    st.integers(0, 5000).map(resize),
    st.binary(min_size=1, max_size=3),
)


@given(st.lists(st.lists(PIECES, max_size=8).map(b"".join), max_size=6))
@settings(max_examples=200, deadline=None)
def test_nearly_valid_blocks_parse_or_raise(blocks: list[bytes]) -> None:
    decoder = Decoder(max_list_size=400)
    for block in blocks:
        check(decoder, block)
