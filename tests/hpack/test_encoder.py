"""The encoder: what it inserts, what it remembers, its size updates, and stateless literals."""

from __future__ import annotations

import pytest

from clarion.errors import LocalError
from clarion.hpack import Decoder, Encoder, encode_literal
from clarion.hpack.integers import encode_integer
from clarion.hpack.tables import STATIC_TABLE

Fields = tuple[tuple[bytes, bytes], ...]

REQUEST: Fields = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/hello.Greeter/SayHello"),
    (b":authority", b"localhost:50051"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
    (b"user-agent", b"grpc-python-clarion/0.1"),
    (b"grpc-accept-encoding", b"identity, deflate, gzip"),
    (b"accept-encoding", b"gzip"),
    (b"grpc-encoding", b"gzip"),
)


def is_indexed(block: bytes) -> bool:
    """Tell whether the block is one indexed field and nothing else."""
    return len(block) == 1 and block[0] > 128


def copy(fields: Fields) -> Fields:
    """Make an equal value that shares no object with `fields`."""
    return tuple((bytes(bytearray(name)), bytes(bytearray(value))) for name, value in fields)


# Indexing policy


def test_static_fields_are_indexed() -> None:
    encoder = Encoder()
    for index, field in enumerate(STATIC_TABLE, 1):
        assert encoder.encode((field,)) == bytes((0x80 | index,))
    assert encoder.generation == 0


def test_fields_of_a_method_are_inserted_at_once() -> None:
    encoder = Encoder()
    encoder.encode(REQUEST)
    assert encoder.generation == 8  # All but :method and :scheme.
    again = encoder.encode(REQUEST)
    assert len(again) == len(REQUEST)
    assert min(again) > 128
    assert encoder.generation == 8


@pytest.mark.parametrize(
    "field",
    [
        (b"grpc-timeout", b"10S"),
        (b"grpc-message", b"not found"),
        (b"grpc-status", b"0"),
        (b"content-length", b"5"),
        (b"grpc-trace-bin", b"AAAA"),
        (b"x-bin", b"AAAA"),
        (b"x-large", b"v" * 986),
        (b"user-agent", b"v" * 2007),
    ],
)
def test_never_inserted(field: tuple[bytes, bytes]) -> None:
    encoder = Encoder()
    for _ in range(4):
        assert encoder.encode((field,)) == encode_literal(*field)
    assert encoder.generation == 0


@pytest.mark.parametrize(
    "field",
    [
        (b"x-tenant", b"blue"),
        (b"x-large", b"v" * 985),
        (b"authorization", b"Bearer 0123456789abc"),
        (b"cookie", b"c" * 20),
        (b":status", b"418"),
    ],
)
def test_inserted_at_the_second_sighting(field: tuple[bytes, bytes]) -> None:
    encoder = Encoder()
    assert encoder.encode((field,)) == encode_literal(*field)
    assert encoder.generation == 0
    assert encoder.encode(copy((field,)))[0] & 0xC0 == 0x40
    assert encoder.generation == 1
    assert is_indexed(encoder.encode((field,)))


def test_the_second_sighting_may_be_in_the_same_block() -> None:
    encoder = Encoder()
    field = (b"x-tenant", b"blue")
    block = encoder.encode((field, field, field))
    assert encoder.generation == 1
    assert Decoder().decode(block).fields == (field, field, field)


def test_sightings_are_forgotten_after_64_other_fields() -> None:
    encoder = Encoder()
    for n in range(65):
        encoder.encode(((b"x-request-id", b"%d" % n),))
    encoder.encode(((b"x-request-id", b"0"),))
    assert encoder.generation == 0
    encoder.encode(((b"x-request-id", b"64"),))
    assert encoder.generation == 1
    assert len(encoder._seen) <= 64


@pytest.mark.parametrize(
    ("field", "block"),
    [
        ((b"authorization", b"Basic c2VjcmV0"), b"\x1f\x08\x0eBasic c2VjcmV0"),
        ((b"cookie", b"c" * 19), b"\x1f\x11\x13" + b"c" * 19),
    ],
)
def test_short_secrets_are_never_indexed(field: tuple[bytes, bytes], block: bytes) -> None:
    encoder = Encoder()
    for _ in range(4):
        assert encoder.encode((field,)) == block
    assert encoder.generation == 0


def test_names_are_taken_from_the_newest_entry_and_lost_with_it() -> None:
    encoder = Encoder(max_table_size=200)
    decoder = Decoder(max_table_size=200)
    decoder.decode(encoder.take_update())

    def insert(name: bytes, value: bytes) -> bytes:
        blocks = [encoder.encode(((name, value),)) for _ in range(2)]
        for block in blocks:
            assert decoder.decode(block).fields == ((name, value),)
        return blocks[1]

    assert insert(b"x-a", b"1") == b"\x40" + b"\x03x-a" + b"\x011"
    assert insert(b"x-a", b"2") == b"\x7e" + b"\x012"
    for value in b"345":
        insert(b"x-a", bytes((value,)))
    assert insert(b"x-a", b"6") == b"\x7e" + b"\x016"
    for value in b"12345":
        insert(b"x-b", bytes((value,)))
    assert insert(b"x-a", b"1") == b"\x40" + b"\x03x-a" + b"\x011"


def test_strings_are_huffman_coded_only_where_that_is_shorter_and_kept() -> None:
    encoder = Encoder()
    # "te" is as long in Huffman code as without it, "trailers" is two octets shorter.
    assert encoder.encode(((b"te", b"trailers"),)).hex() == "40027465864d833505b11f"
    assert encoder.encode(((b"content-type", b"\x00\x01\x02"),)) == b"\x5f\x03\x00\x01\x02"


# What is remembered


def test_a_repeated_list_yields_the_same_block() -> None:
    encoder = Encoder()
    encoder.encode(REQUEST)
    block = encoder.encode(REQUEST)
    assert encoder.encode(copy(REQUEST)) is block


def test_a_remembered_block_is_encoded_anew_once_the_table_changed() -> None:
    encoder = Encoder()
    decoder = Decoder()
    for n in range(5):
        for _ in range(3):
            assert decoder.decode(encoder.encode(REQUEST)).fields == REQUEST
        other = ((b":path", b"/other/%d" % n),)
        assert decoder.decode(encoder.encode(other)).fields == other


def test_the_memory_for_blocks_is_bounded() -> None:
    encoder = Encoder()
    for n in range(1000):
        fields = ((b"grpc-timeout", b"%du" % n),)
        assert encoder.encode(fields) == encode_literal(*fields[0])
        assert len(encoder._kept) <= 256
    assert len(encoder._kept) > 1
    for n in range(100):
        fields = ((b"grpc-message", b"%03d" % n * 1000),)
        assert encoder.encode(fields) == encode_literal(*fields[0])
        assert sum(map(len, encoder._kept.values())) <= 65536
    assert len(encoder._kept) > 1
    huge = ((b"grpc-message", b"x" * 4096),)
    assert encoder.encode(huge) is not encoder.encode(huge)


def test_generation_stands_still_while_kept_blocks_are_good() -> None:
    encoder = Encoder()
    decoder = Decoder()
    decoder.decode(encoder.encode(REQUEST))
    before = encoder.generation
    block = encoder.encode(REQUEST)
    assert encoder.generation == before
    message = (b"grpc-message", b"x")
    decoder.decode(encoder.encode((message,)))
    assert encoder.generation == before
    assert decoder.decode(block + encode_literal(*message)).fields == (*REQUEST, message)


# Dynamic table size


def resize(*sizes: int) -> bytes:
    return b"".join(encode_integer(octets, 31, 32) for octets in sizes)


@pytest.mark.parametrize(
    ("settings", "update"),
    [
        pytest.param([4096], b"", id="unchanged"),
        pytest.param([65536], b"", id="raised above our own limit"),
        pytest.param([100], resize(100), id="lowered"),
        pytest.param([0], resize(0), id="switched off"),
        pytest.param([200, 100], resize(100), id="lowered twice"),
        pytest.param([100, 200], resize(100, 200), id="lowered, then raised"),
        pytest.param([0, 65536], resize(0, 4096), id="off, then on"),
        pytest.param([100, 50, 200, 70, 300], resize(50, 300), id="lowest, then final"),
        pytest.param([65536, 8192], resize(4096), id="lowered above our own limit"),
    ],
)
def test_size_updates(settings: list[int], update: bytes) -> None:
    encoder = Encoder()
    for octets in settings:
        encoder.set_max_table_size(octets)
    assert encoder.pending_update == update
    get = ((b":method", b"GET"),)
    assert encoder.encode(get) == update + b"\x82"
    assert encoder.pending_update == b""
    assert encoder.encode(get) == b"\x82"


@pytest.mark.parametrize("octets", [0, 1000])
def test_a_small_limit_of_our_own_is_announced(octets: int) -> None:
    encoder = Encoder(max_table_size=octets)
    assert encoder.encode(((b":method", b"GET"),)) == resize(octets) + b"\x82"
    encoder.set_max_table_size(65536)
    assert encoder.pending_update == b""


def test_a_large_limit_of_our_own_waits_for_the_peer() -> None:
    encoder = Encoder(max_table_size=10_000)
    assert encoder.pending_update == b""
    encoder.set_max_table_size(8192)
    assert encoder.take_update() == resize(8192)
    encoder.set_max_table_size(65536)
    assert encoder.take_update() == resize(10_000)


def test_an_update_is_taken_once_and_not_remembered() -> None:
    encoder = Encoder()
    get = ((b":method", b"GET"),)
    kept_at = encoder.generation
    encoder.encode(get)
    encoder.set_max_table_size(100)
    assert encoder.generation != kept_at
    pending_at = encoder.generation
    assert encoder.take_update() == resize(100)
    assert encoder.generation != pending_at
    assert encoder.take_update() == b""
    assert encoder.encode(get) == b"\x82"


def test_lowering_evicts_on_both_sides() -> None:
    encoder = Encoder()
    decoder = Decoder()
    decoder.decode(encoder.encode(REQUEST))
    for octets in (300, 0, 4096):
        encoder.set_max_table_size(octets)
        decoder.max_table_size = octets
        for _ in range(3):
            assert decoder.decode(encoder.encode(REQUEST)).fields == REQUEST


def test_nothing_is_inserted_into_a_table_of_no_size() -> None:
    encoder = Encoder(max_table_size=0)
    encoder.take_update()
    before = encoder.generation
    for _ in range(3):
        encoder.encode((*REQUEST, (b"x-tenant", b"blue")))
    assert encoder.generation == before


def test_negative_sizes_are_our_own_mistake() -> None:
    with pytest.raises(LocalError, match="max_table_size is -1"):
        Encoder(max_table_size=-1)
    with pytest.raises(LocalError, match="table size is -1"):
        Encoder().set_max_table_size(-1)


def test_indexes_beyond_one_byte() -> None:
    encoder = Encoder()
    decoder = Decoder()
    fields = tuple((b":path", b"/%d" % n) for n in range(90))
    for _ in range(2):
        assert decoder.decode(encoder.encode(fields)).fields == fields
    assert encoder.encode(fields[:1]) == encode_integer(61 + 90, 127, 128)


# Stateless literals


@pytest.mark.parametrize(
    ("name", "value", "block"),
    [
        pytest.param(b":status", b"200", b"\x08\x03200", id="short static name"),
        pytest.param(b"content-type", b"a/b", b"\x0f\x10\x03a/b", id="long static name"),
        pytest.param(b"grpc-status", b"0", b"\x00\x0bgrpc-status\x010", id="well-known name"),
        pytest.param(b"x", b"", b"\x00\x01x\x00", id="empty value"),
        pytest.param(b"x", b"v" * 126, b"\x00\x01x\x7e" + b"v" * 126, id="longest short value"),
        pytest.param(b"x", b"v" * 127, b"\x00\x01x\x7f\x00" + b"v" * 127, id="long value"),
        pytest.param(b"n" * 200, b"", b"\x00\x7f\x49" + b"n" * 200 + b"\x00", id="long name"),
    ],
)
def test_encode_literal(name: bytes, value: bytes, block: bytes) -> None:
    assert encode_literal(name, value) == block
    assert Decoder().decode(block).fields == ((name, value),)
