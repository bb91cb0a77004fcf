"""The HPACK decoder: header blocks in, `HeaderList` objects out (RFC 7541 §3).

It sits on the hot path of every call, which shapes it in three ways:

- Blocks that leave the dynamic table alone are remembered until the table changes; a repeated block
  costs one dictionary look-up and yields the same `HeaderList` object.
- Both tables live in one list in which the first byte of an indexed field is the subscript of its
  entry, without arithmetic: subscript 129 is static entry 1, 190 the newest dynamic entry. A run of
  one-byte indexed fields, found by one `lstrip`, is then resolved in the tightest loop there is.
- Indexes of up to two bytes and literals with short strings are read inline, without a call; short
  Huffman-coded strings are remembered, because few values make up most of the traffic.

After an `HpackError` the decoder must not be used again: its table may differ from the peer's.
"""

from __future__ import annotations

from clarion.errors import LocalError
from clarion.hpack.errors import HpackError
from clarion.hpack.huffman import decode_huffman
from clarion.hpack.integers import decode_integer
from clarion.hpack.tables import ENTRY_OVERHEAD, FIRST_DYNAMIC, STATIC_TABLE, Field

__all__ = ["Decoder", "HeaderList"]

_INDEXED = 0x80
_NEWEST = _INDEXED + FIRST_DYNAMIC

# Subscripts 0 to 128 are never read: first bytes below 128 are not indexed fields, and index 0 is
# an error that is caught before the look-up.
_NO_FIELD: Field = (b"", b"")
_ENTRIES = [_NO_FIELD] * (_INDEXED + 1) + list(STATIC_TABLE)
_SIZES = [len(name) + len(value) + ENTRY_OVERHEAD for name, value in _ENTRIES]

_ONE_BYTE_INDEXED = bytes(range(0x81, 0xFF))
# Long runs are taken in pieces, so that slicing what is left of a block stays linear in all.
_RUN = 128

_KEPT_BLOCKS = 256
_KEPT_BLOCK_OCTETS = 4096
_KEPT_OCTETS = 65536
_KEPT_STRINGS = 256
_KEPT_STRING_OCTETS = 128


class HeaderList:
    """The fields of one header block.

    `fields`: (name, value) pairs in the order of the block. When the block is larger than the
    decoder's `max_list_size`, these are only the first ones, which together stay within it.

    `size`: the size of all fields of the block, kept or not: the sum of len(name) + len(value) + 32
    (RFC 7541 §4.1, RFC 9113 §10.5.1).

    `memo`: free for the caller, to keep what it derived from the fields. A repeated block yields
    the same object, so the derivation is done once.
    """

    __slots__ = ("fields", "memo", "size")

    def __init__(self, fields: tuple[Field, ...], size: int) -> None:
        """Make a list whose `memo` is None."""
        self.fields = fields
        self.size = size
        self.memo: object | None = None


class Decoder:
    """Decodes the header blocks of one direction of one connection, in the order received.

    Args:
        max_table_size: the dynamic table size in octets that both ends begin with (4096 in HTTP/2).
        max_list_size: the size in octets up to which the fields of one block are kept.

    Raises:
        LocalError: a size is negative.
    """

    __slots__ = (
        "_capacity",
        "_due",
        "_entries",
        "_kept",
        "_kept_octets",
        "_max_list_size",
        "_max_table_size",
        "_sizes",
        "_strings",
        "_used",
    )

    def __init__(self, max_table_size: int = 4096, max_list_size: int = 16384) -> None:
        """Make a decoder with an empty dynamic table."""
        self._entries = _ENTRIES.copy()
        self._sizes = _SIZES.copy()
        self._used = 0
        self._capacity = max_table_size
        self._due: int | None = None
        self._kept: dict[bytes, HeaderList] = {}
        self._kept_octets = 0
        self._strings: dict[bytes, bytes] = {}
        self._max_table_size = max_table_size
        self.max_table_size = max_table_size
        self.max_list_size = max_list_size

    @property
    def max_table_size(self) -> int:
        """The SETTINGS_HEADER_TABLE_SIZE that the peer acknowledged, in octets.

        Raising it allows the peer a larger table, which it takes with a size update. Lowering it
        below the size in use obliges the peer to begin its next block with a size update that
        honours it (RFC 7541 §4.2, RFC 9113 §4.3.1); if it changes several times between two blocks,
        that update must honour the lowest value.
        """
        return self._max_table_size

    @max_table_size.setter
    def max_table_size(self, octets: int) -> None:
        if octets < 0:
            raise LocalError(f"max_table_size is {octets}; pass 0 octets or more")
        self._max_table_size = octets
        if octets < self._capacity and (self._due is None or octets < self._due):
            self._due = octets
            self._forget()

    @property
    def max_list_size(self) -> int:
        """The size in octets (RFC 7541 §4.1) up to which the fields of one block are kept."""
        return self._max_list_size

    @max_list_size.setter
    def max_list_size(self, octets: int) -> None:
        if octets < 0:
            raise LocalError(f"max_list_size is {octets}; pass 0 octets or more")
        self._max_list_size = octets
        self._forget()

    def decode(self, block: bytes) -> HeaderList:
        """Decode one whole header block.

        Returns the fields; compare `size` with `max_list_size` to see whether any were left out.
        The same object is returned for a repeated block, so only `memo` may be changed in it.

        Raises:
            HpackError: the block breaks RFC 7541. The connection must end with COMPRESSION_ERROR.
        """
        known = self._kept.get(block)
        if known is not None:
            return known
        try:
            return self._decode(block)
        except IndexError:
            raise HpackError(
                "the header block is truncated, or has an index beyond the end of the table of "
                f"{len(self._entries) - _INDEXED - 1} entries (RFC 7541 §2.3.3)"
            ) from None

    def _decode(self, block: bytes) -> HeaderList:
        entries = self._entries
        sizes = self._sizes
        strings = self._strings
        limit = self._max_list_size
        changed = False
        fields: list[Field] = []
        append = fields.append
        size = pos = 0
        end = len(block)
        if self._due is not None:
            pos = self._resize(block, 0)
            changed = True
        while pos < end:
            first = block[pos]
            if first > 128:
                if first < 255:
                    run = block[pos : pos + _RUN]
                    rest = run.lstrip(_ONE_BYTE_INDEXED)
                    if rest:
                        run = run[: -len(rest)]
                    pos += len(run)
                    if size > limit:
                        size += sum([sizes[byte] for byte in run])
                        continue
                    for byte in run:
                        size += sizes[byte]
                        append(entries[byte])
                    if size > limit:
                        _drop(fields, size - limit)
                    continue
                more = block[pos + 1]
                if more < 128:
                    index = 127 + more
                    pos += 2
                else:
                    index, pos = decode_integer(block, pos, 127)
                field = entries[index + 128]
                size += sizes[index + 128]
                if size <= limit:
                    append(field)
                continue

            # A literal: 64 to 127 with incremental indexing (§6.2.1), below 16 without indexing
            # (§6.2.2), 16 to 31 never indexed (§6.2.3). Between them is the size update (§6.3).
            if first >= 64:
                if first == 128:
                    raise HpackError("an indexed field has index 0 (RFC 7541 §6.1)")
                index = first - 64
                mask = 63
            elif first < 32:
                index = first & 15
                mask = 15
            else:
                if size:
                    raise HpackError(
                        "a dynamic table size update follows a field; it must begin the block "
                        "(RFC 7541 §4.2)"
                    )
                pos = self._resize(block, pos)
                changed = True
                continue

            pos += 1
            if index == mask:
                more = block[pos]
                if more < 128:
                    index += more
                    pos += 1
                else:
                    index, pos = decode_integer(block, pos - 1, mask)
            if index:
                name = entries[index + 128][0]
            else:
                length = block[pos]
                if length < 127:
                    pos += 1
                    name = block[pos : pos + length]
                    pos += length
                else:
                    name, pos = self._string(block, pos)
            length = block[pos]
            if length < 127:
                pos += 1
                value = block[pos : pos + length]
                pos += length
            elif 127 < length < 255:
                pos += 1
                data = block[pos : pos + length - 128]
                pos += length - 128
                known = strings.get(data)
                value = self._expand(data) if known is None else known
            else:
                value, pos = self._string(block, pos)

            field = (name, value)
            field_size = len(name) + len(value) + 32
            size += field_size
            if size <= limit:
                append(field)
            if first >= 64:
                # An entry larger than the table empties it and is not kept itself (§4.4): being
                # the newest, it is the last that the loop takes away.
                entries.insert(_NEWEST, field)
                sizes.insert(_NEWEST, field_size)
                used = self._used + field_size
                while used > self._capacity:
                    entries.pop()
                    used -= sizes.pop()
                self._used = used
                changed = True
        if pos > end:
            raise HpackError("the header block ends inside a string")

        result = HeaderList(tuple(fields), size)
        if changed:
            if self._kept:
                self._forget()
        elif end <= _KEPT_BLOCK_OCTETS and size <= limit:
            self._keep(block, result)
        return result

    def _string(self, block: bytes, pos: int) -> tuple[bytes, int]:
        """Decode the string literal at `pos` (§5.2); return it and the position behind it."""
        huffman = block[pos] & 0x80
        length, pos = decode_integer(block, pos, 127)
        end = pos + length
        if end > len(block):
            raise HpackError("the header block ends inside a string")
        data = block[pos:end]
        return (self._expand(data) if huffman else data), end

    def _expand(self, data: bytes) -> bytes:
        """Decode a Huffman-coded string and remember it if it is short."""
        strings = self._strings
        value = strings.get(data)
        if value is None:
            value = decode_huffman(data)
            if len(data) <= _KEPT_STRING_OCTETS:
                if len(strings) == _KEPT_STRINGS:
                    strings.clear()
                strings[data] = value
        return value

    def _resize(self, block: bytes, pos: int) -> int:
        """Obey the dynamic table size update at `pos` (§6.3); return the position behind it."""
        if pos == len(block) or block[pos] & 0xE0 != 0x20:
            raise HpackError(
                f"the table size was lowered to {self._due} octets, but the next header block does "
                "not begin with a size update (RFC 7541 §4.2)"
            )
        capacity, pos = decode_integer(block, pos, 31)
        allowed = self._max_table_size if self._due is None else self._due
        if capacity > allowed:
            raise HpackError(
                f"a size update to {capacity} octets exceeds the {allowed} allowed (RFC 7541 §6.3)"
            )
        self._due = None
        self._capacity = capacity
        while self._used > capacity:
            self._entries.pop()
            self._used -= self._sizes.pop()
        return pos

    def _keep(self, block: bytes, result: HeaderList) -> None:
        """Remember what `block` means while the dynamic table is as it is."""
        self._kept_octets += len(block)
        if len(self._kept) == _KEPT_BLOCKS or self._kept_octets > _KEPT_OCTETS:
            self._kept.clear()
            self._kept_octets = len(block)
        self._kept[block] = result

    def _forget(self) -> None:
        self._kept.clear()
        self._kept_octets = 0


def _drop(fields: list[Field], excess: int) -> None:
    """Remove fields from the end until at least `excess` octets of them are gone."""
    while excess > 0:
        name, value = fields.pop()
        excess -= len(name) + len(value) + ENTRY_OVERHEAD
