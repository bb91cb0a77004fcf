"""The HPACK encoder: fields in, header blocks out (RFC 7541 §2.2 and §6).

What is worth a place in the dynamic table follows from how gRPC uses fields:

- Fields of the connection or of a method repeat on every call: inserted at first sight.
- User metadata may be a token that repeats or an identifier that never does: inserted when seen for
  the second time, and only if it takes at most a quarter of the table.
- Fields that differ on nearly every call are never inserted, nor Huffman-coded: it would cost more
  time than it saves octets.
- Short secrets are never indexed, here or by intermediaries (§7.1.3): they could be guessed.

A block that neither changed the table nor holds a field that is waiting for its second sighting is
remembered until the table changes, so that repeating it costs one dictionary look-up.
"""

from __future__ import annotations

from typing import Final

from clarion.errors import LocalError
from clarion.hpack.huffman import encode_huffman
from clarion.hpack.integers import encode_integer
from clarion.hpack.tables import (
    ENTRY_OVERHEAD,
    FIRST_DYNAMIC,
    STATIC_NAMES,
    EncoderTable,
    Field,
)

__all__ = ["Encoder", "encode_literal"]

# First byte of each representation (§6) and the mask of its prefix (§5.1).
_INDEXED: Final = 0x80
_INDEXED_MASK: Final = 0x7F
_INSERTED: Final = 0x40
_INSERTED_MASK: Final = 0x3F
_RESIZE: Final = 0x20
_RESIZE_MASK: Final = 0x1F
_NEVER: Final = 0x10
_LITERAL_MASK: Final = 0x0F
_HUFFMAN: Final = 0x80
_LENGTH_MASK: Final = 0x7F

_DEFAULT_TABLE_SIZE = 4096
_SHORT_SECRET = 20
_SEEN_FIELDS = 64
_KEPT_BLOCKS = 256
_KEPT_BLOCK_OCTETS = 4096
_KEPT_OCTETS = 65536

_NEVER_INSERTED = frozenset((b"grpc-timeout", b"grpc-message", b"grpc-status", b"content-length"))
_INSERTED_AT_ONCE = frozenset(
    (
        b":authority",
        b":path",
        b"te",
        b"content-type",
        b"user-agent",
        b"grpc-accept-encoding",
        b"grpc-encoding",
        b"accept-encoding",
    )
)
_SECRETS = frozenset((b"authorization", b"cookie"))

_LITERAL_NAMES = {name: encode_integer(n, _LITERAL_MASK) for name, n in STATIC_NAMES.items()}
for _name in _NEVER_INSERTED:
    _LITERAL_NAMES.setdefault(_name, b"\0" + encode_integer(len(_name), _LENGTH_MASK) + _name)


def encode_literal(name: bytes, value: bytes) -> bytes:
    """Encode one field as a literal without indexing (RFC 7541 §6.2.2), uncompressed.

    The result depends on no dynamic table: it may be appended to any block, or kept for ever.
    """
    start = _LITERAL_NAMES.get(name)
    if start is None:
        start = b"\0" + _plain(name)
    length = len(value)
    if length < 127:
        return b"%b%c%b" % (start, length, value)
    return start + _plain(value)


def _plain(data: bytes) -> bytes:
    return encode_integer(len(data), _LENGTH_MASK) + data


def _shortest(data: bytes) -> bytes:
    """Encode a string literal (§5.2), Huffman-coded if that is shorter."""
    coded = encode_huffman(data)
    if len(coded) < len(data):
        return encode_integer(len(coded), _LENGTH_MASK, _HUFFMAN) + coded
    return _plain(data)


class Encoder:
    """Encodes the header blocks of one direction of one connection, in the order sent.

    Every encoded block must be sent, and in order, for it may change the peer's table. A caller may
    keep a block to send it again without encoding it, as long as it keeps to these rules: keep it
    only if `generation` was the same before and after the `encode` that made it, and send it only
    while `generation` is still the same. A block made of `encode_literal` alone is good at any time
    that `pending_update` is empty; otherwise put `take_update()` in front of it.

    Args:
        max_table_size: the largest dynamic table to use, in octets, whatever the peer allows.

    Raises:
        LocalError: the size is negative.
    """

    __slots__ = (
        "_kept",
        "_kept_octets",
        "_limit",
        "_lowest",
        "_peer_limit",
        "_seen",
        "_table",
        "generation",
        "pending_update",
    )

    def __init__(self, max_table_size: int = _DEFAULT_TABLE_SIZE) -> None:
        """Make an encoder for a peer whose SETTINGS_HEADER_TABLE_SIZE is still the default."""
        if max_table_size < 0:
            raise LocalError(f"max_table_size is {max_table_size}; pass 0 octets or more")
        self.generation = 0
        """The number of changes so far of the dynamic table or of `pending_update`."""
        self.pending_update = b""
        """The size updates with which the next block must begin (§4.2); nearly always empty."""
        self._limit = max_table_size
        self._peer_limit = _DEFAULT_TABLE_SIZE
        self._table = EncoderTable(min(max_table_size, _DEFAULT_TABLE_SIZE))
        self._seen: dict[int, None] = {}
        self._kept: dict[tuple[Field, ...], bytes] = {}
        self._kept_octets = 0
        self._lowest: int | None = None
        if max_table_size < _DEFAULT_TABLE_SIZE:
            self._resize(max_table_size)

    def set_max_table_size(self, octets: int) -> None:
        """Follow a change of the peer's SETTINGS_HEADER_TABLE_SIZE, given in octets.

        If it matters, the next block begins with the size updates that RFC 7541 §4.2 demands: the
        lowest size since the last block, if it was lower, and the present one. Raises `LocalError`
        if `octets` is negative.
        """
        if octets < 0:
            raise LocalError(f"the peer's table size is {octets}; pass 0 octets or more")
        lowered = octets < self._peer_limit
        self._peer_limit = octets
        capacity = min(octets, self._limit)
        # A lowered setting is answered even where it leaves our own limit alone: only we know that
        # we use less than the peer allowed (RFC 9113 §4.3.1).
        if lowered or capacity != self._table.capacity:
            self._resize(capacity)

    def take_update(self) -> bytes:
        """Return `pending_update` and clear it: the caller's next block begins with it."""
        update = self.pending_update
        if update:
            self.pending_update = b""
            self._lowest = None
            self.generation += 1
        return update

    def encode(self, fields: tuple[Field, ...]) -> bytes:
        """Encode one header block, which must be sent before the next one is."""
        block = self._kept.get(fields)
        if block is not None:
            return block
        return self._encode(fields)

    def _encode(self, fields: tuple[Field, ...]) -> bytes:
        table = self._table
        find = table.found.get
        generation = self.generation
        waiting = False
        out = bytearray(self.take_update())
        for field in fields:
            known = find(field)
            if known is not None:
                index = -known if known < 0 else FIRST_DYNAMIC + table.inserted - known
                if index < _INDEXED_MASK:
                    out.append(_INDEXED | index)
                else:
                    out += encode_integer(index, _INDEXED_MASK, _INDEXED)
                continue
            name, value = field
            if name in _NEVER_INSERTED:
                out += encode_literal(name, value)
                continue
            size = len(name) + len(value) + ENTRY_OVERHEAD
            if name in _INSERTED_AT_ONCE:
                insert = size <= table.capacity // 2
            elif name in _SECRETS and len(value) < _SHORT_SECRET:
                out += encode_integer(STATIC_NAMES[name], _LITERAL_MASK, _NEVER)
                out += _plain(value)
                continue
            elif size > table.capacity // 4 or name.endswith(b"-bin"):
                insert = False
            else:
                insert = self._seen_before(field)
                waiting |= not insert
            if insert:
                out += self._insert(field, size)
            else:
                out += encode_literal(name, value)

        block = bytes(out)
        if self.generation == generation and not waiting and len(block) <= _KEPT_BLOCK_OCTETS:
            self._keep(fields, block)
        return block

    def _seen_before(self, field: Field) -> bool:
        """Tell whether `field` was met lately, and take it as met."""
        # A hash stands for the field: a collision only means an insertion one sighting too early.
        mark = hash(field)
        seen = self._seen
        if mark in seen:
            del seen[mark]
            return True
        if len(seen) == _SEEN_FIELDS:
            del seen[next(iter(seen))]
        seen[mark] = None
        return False

    def _insert(self, field: Field, size: int) -> bytes:
        """Put `field` into the table and return its literal with incremental indexing (§6.2.1)."""
        name, value = field
        index = self._table.name_index(name)
        literal = encode_integer(index, _INSERTED_MASK, _INSERTED)
        if not index:
            literal += _shortest(name)
        literal += _shortest(value)
        self._table.insert(field, size)
        self._changed()
        return literal

    def _resize(self, capacity: int) -> None:
        self._table.resize(capacity)
        lowest = capacity if self._lowest is None else min(self._lowest, capacity)
        self._lowest = lowest
        update = encode_integer(capacity, _RESIZE_MASK, _RESIZE)
        if lowest < capacity:
            update = encode_integer(lowest, _RESIZE_MASK, _RESIZE) + update
        self.pending_update = update
        self._changed()

    def _changed(self) -> None:
        self.generation += 1
        self._kept.clear()
        self._kept_octets = 0

    def _keep(self, fields: tuple[Field, ...], block: bytes) -> None:
        """Remember the block of `fields` while the dynamic table is as it is."""
        self._kept_octets += len(block)
        if len(self._kept) == _KEPT_BLOCKS or self._kept_octets > _KEPT_OCTETS:
            self._kept.clear()
            self._kept_octets = len(block)
        self._kept[fields] = block
