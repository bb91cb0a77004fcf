"""The same header blocks to our decoder and to that of the library `hpack`: the same fields, or both refuse.

Accepted differences, each with its reason:

- We refuse integers of more than five continuation bytes and above 2^32-1; the library has no bound. RFC 7541 §5.1
  asks for one.
- After the size was lowered we refuse a block that does not begin with a size update (§4.2); the library looks at the
  end of the block whether the size has come down by then, and accepts where it had been low enough all along.
- Where the size was lowered and raised again between two blocks, the first update must honour the lowest value
  (§4.2); the library compares with the last.
"""

from __future__ import annotations

import hpack

from clarion.hpack import Decoder, HpackError
from fuzz.reader import Reader

__all__ = ["fuzz_one"]

_SIZES = (4096, 0, 64, 256, 8192)
_OURS_ALONE = ("continuation bytes", "fit in 32 bits", "does not begin with a size update")


def fuzz_one(data: bytes) -> None:
    """Each piece is a block, an empty one a change of the size."""
    reader = Reader(data)
    ours = Decoder(max_list_size=10**9)
    theirs = hpack.Decoder(max_header_list_size=10**9)
    lowest = ours.max_table_size
    while reader.left:
        block = reader.piece()
        if not block:
            size = reader.choose(_SIZES)
            ours.max_table_size = size
            lowest = min(lowest, size)
            theirs.max_allowed_table_size = size
            continue
        refused = ""
        try:
            got = ours.decode(block).fields
        except HpackError as error:
            refused = str(error)
        try:
            expected = tuple(map(tuple, theirs.decode(block, raw=True)))
        except hpack.HPACKError as error:
            assert refused, f"only the library refuses it: {error!r}"
            return
        if refused:
            assert ours.max_table_size > lowest or any(
                reason in refused for reason in _OURS_ALONE
            ), refused
            return
        lowest = ours.max_table_size
        assert got == expected
