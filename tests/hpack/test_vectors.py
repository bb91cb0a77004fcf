"""The examples of RFC 7541 Appendix C (C.1 is in test_integers.py)."""

from __future__ import annotations

import pytest

from clarion.hpack import Decoder, Encoder, HpackError, encode_literal

Fields = tuple[tuple[bytes, bytes], ...]

FIRST_REQUEST: Fields = (
    (b":method", b"GET"),
    (b":scheme", b"http"),
    (b":path", b"/"),
    (b":authority", b"www.example.com"),
)
SECOND_REQUEST: Fields = (*FIRST_REQUEST, (b"cache-control", b"no-cache"))
THIRD_REQUEST: Fields = (
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":path", b"/index.html"),
    (b":authority", b"www.example.com"),
    (b"custom-key", b"custom-value"),
)
FIRST_RESPONSE: Fields = (
    (b":status", b"302"),
    (b"cache-control", b"private"),
    (b"date", b"Mon, 21 Oct 2013 20:13:21 GMT"),
    (b"location", b"https://www.example.com"),
)
SECOND_RESPONSE: Fields = ((b":status", b"307"), *FIRST_RESPONSE[1:])
COOKIE = b"foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"
THIRD_RESPONSE: Fields = (
    (b":status", b"200"),
    (b"cache-control", b"private"),
    (b"date", b"Mon, 21 Oct 2013 20:13:22 GMT"),
    (b"location", b"https://www.example.com"),
    (b"content-encoding", b"gzip"),
    (b"set-cookie", COOKIE),
)
# After each block: the entries of the dynamic table, newest first, and its size.
REQUEST_TABLES: list[tuple[Fields, int]] = [
    (FIRST_REQUEST[3:], 57),
    ((SECOND_REQUEST[4], FIRST_REQUEST[3]), 110),
    ((THIRD_REQUEST[4], SECOND_REQUEST[4], FIRST_REQUEST[3]), 164),
]
RESPONSE_TABLES: list[tuple[Fields, int]] = [
    (FIRST_RESPONSE[::-1], 222),
    ((SECOND_RESPONSE[0], *FIRST_RESPONSE[:0:-1]), 222),
    ((THIRD_RESPONSE[5], THIRD_RESPONSE[4], THIRD_RESPONSE[2]), 215),
]

PLAIN_REQUESTS = [
    "828684410f7777772e6578616d706c652e636f6d",
    "828684be58086e6f2d6361636865",
    "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
]
HUFFMAN_REQUESTS = [
    "828684418cf1e3c2e5f23a6ba0ab90f4ff",
    "828684be5886a8eb10649cbf",
    "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
]
PLAIN_RESPONSES = [
    (
        "4803333032580770726976617465611d4d6f6e2c203231204f63742032303133"
        "2032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d70"
        "6c652e636f6d"
    ),
    "4803333037c1c0bf",
    (
        "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d"
        "54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f5049"
        "5541585157454f49553b206d61782d6167653d333630303b2076657273696f6e"
        "3d31"
    ),
]
HUFFMAN_RESPONSES = [
    (
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a6"
        "2d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3"
    ),
    "4883640effc1c0bf",
    (
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab"
        "77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f"
        "9587316065c003ed4ee5b1063d5007"
    ),
]


def assert_table(decoder: Decoder, entries: Fields, size: int) -> None:
    """Read the whole dynamic table through its indexes; make sure that it ends there."""
    dump = bytes(range(0x80 + 62, 0x80 + 62 + len(entries)))
    listed = decoder.decode(dump)
    assert listed.fields == entries
    assert listed.size == size
    with pytest.raises(HpackError):
        decoder.decode(bytes((0x80 + 62 + len(entries),)))


@pytest.mark.parametrize(
    ("block", "field", "table"),
    [
        pytest.param(
            "400a637573746f6d2d6b65790d637573746f6d2d686561646572",
            (b"custom-key", b"custom-header"),
            ((b"custom-key", b"custom-header"),),
            id="C.2.1",
        ),
        pytest.param("040c2f73616d706c652f70617468", (b":path", b"/sample/path"), (), id="C.2.2"),
        pytest.param(
            "100870617373776f726406736563726574", (b"password", b"secret"), (), id="C.2.3"
        ),
        pytest.param("82", (b":method", b"GET"), (), id="C.2.4"),
    ],
)
def test_representations(block: str, field: tuple[bytes, bytes], table: Fields) -> None:
    decoder = Decoder()
    assert decoder.decode(bytes.fromhex(block)).fields == (field,)
    assert_table(decoder, table, 55 * len(table))


def test_representations_encoded() -> None:
    assert encode_literal(b":path", b"/sample/path").hex() == "040c2f73616d706c652f70617468"
    assert Encoder().encode(((b":method", b"GET"),)) == b"\x82"


@pytest.mark.parametrize("last", [0, 1, 2])
@pytest.mark.parametrize(
    ("blocks", "lists", "tables", "table_size"),
    [
        pytest.param(
            PLAIN_REQUESTS,
            [FIRST_REQUEST, SECOND_REQUEST, THIRD_REQUEST],
            REQUEST_TABLES,
            4096,
            id="C.3",
        ),
        pytest.param(
            HUFFMAN_REQUESTS,
            [FIRST_REQUEST, SECOND_REQUEST, THIRD_REQUEST],
            REQUEST_TABLES,
            4096,
            id="C.4",
        ),
        pytest.param(
            PLAIN_RESPONSES,
            [FIRST_RESPONSE, SECOND_RESPONSE, THIRD_RESPONSE],
            RESPONSE_TABLES,
            256,
            id="C.5",
        ),
        pytest.param(
            HUFFMAN_RESPONSES,
            [FIRST_RESPONSE, SECOND_RESPONSE, THIRD_RESPONSE],
            RESPONSE_TABLES,
            256,
            id="C.6",
        ),
    ],
)
def test_sequences(
    blocks: list[str],
    lists: list[Fields],
    tables: list[tuple[Fields, int]],
    table_size: int,
    last: int,
) -> None:
    decoder = Decoder(max_table_size=table_size)
    for block, fields in zip(blocks[: last + 1], lists, strict=False):
        result = decoder.decode(bytes.fromhex(block))
        assert result.fields == fields
        assert result.size == sum(len(name) + len(value) + 32 for name, value in fields)
    assert_table(decoder, *tables[last])


def test_requests_encoded_as_in_c4() -> None:
    encoder = Encoder()
    # Our encoder inserts such fields at their second sighting only; this is the first.
    encoder.encode((SECOND_REQUEST[4], THIRD_REQUEST[4]))
    blocks = [encoder.encode(fields) for fields in (FIRST_REQUEST, SECOND_REQUEST, THIRD_REQUEST)]
    assert [block.hex() for block in blocks] == HUFFMAN_REQUESTS
