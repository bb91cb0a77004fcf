"""XXH64, against the reference implementation's results."""

from __future__ import annotations

import pytest

from clarion.load_balancing.xxh64 import xxh64


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, 0xEF46DB3751D8E999),
        (1, 0xE934A84ADB052768),
        (3, 0xE5C7BB4533BC65DD),
        (4, 0xFFCED8604453CC1E),
        (7, 0x14CC643F630C72D2),
        (8, 0x884A173614B81B8D),
        (12, 0x424AF23F1F08DCA5),
        (31, 0xC346D2B59B4D8EE1),
        (32, 0xCBF59C5116FF32B4),
        (33, 0x0C535D1ACAFB8EAD),
        (63, 0xE26AA9E2A95F8E4F),
        (64, 0xF7C67301DB6713F0),
        (100, 0x6AC1E58032166597),
        (255, 0xF7D97507CAAD693),
    ],
)
def test_bytes_that_count_up(size: int, expected: int) -> None:
    assert xxh64(bytes(range(size))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a", 0xD24EC4F1A98C6E5B),
        (b"abc", 0x44BC2CF5AD770999),
        (b"127.0.0.1:10001_0", 0x929561360B132B86),
    ],
)
def test_texts(text: bytes, expected: int) -> None:
    assert xxh64(text) == expected
