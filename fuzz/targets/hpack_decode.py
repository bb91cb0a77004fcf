"""Header blocks of one connection, with changes of the table's size between them.

Checked: `HpackError` or a list; a list's size is the sum of its fields; what is kept of a list stays within the limit
given; the tables and caches stay within theirs; remembering blocks changes nothing (a second decoder that forgets
after each block says the same).
"""

from __future__ import annotations

from clarion.hpack import Decoder, HpackError
from fuzz.reader import Reader

__all__ = ["fuzz_one"]

_SIZES = (4096, 0, 64, 256, 65_536)
_LIMITS = (16_384, 0, 100, 1000, 10**9)


def fuzz_one(data: bytes) -> None:
    """The first two bytes choose table and limit; each piece is a block, an empty one a change of the size."""
    reader = Reader(data)
    table, limit = reader.choose(_SIZES), reader.choose(_LIMITS)
    decoder, forgetful = Decoder(table, limit), Decoder(table, limit)
    while reader.left:
        block = reader.piece()
        if not block:
            size = reader.choose(_SIZES)
            decoder.max_table_size = forgetful.max_table_size = size
            continue
        try:
            headers = decoder.decode(block)
        except HpackError:
            try:
                forgetful.decode(block)
            except HpackError:
                return
            raise AssertionError("the verdict depends on what is remembered") from None
        forgetful._forget()
        forgetful._strings.clear()
        assert forgetful.decode(block).fields == headers.fields
        kept = sum(len(name) + len(value) + 32 for name, value in headers.fields)
        assert kept <= limit
        assert kept == headers.size or headers.size > limit
        # One byte stands for at most the largest entry there can be.
        assert headers.size <= len(block) * (max(table, *_SIZES) + 300)
        assert decoder._used <= decoder._capacity <= max(table, *_SIZES)
        assert len(decoder._strings) <= 256
        assert len(decoder._kept) <= 256
        assert sum(map(len, decoder._kept)) <= 65_536 + 4096
