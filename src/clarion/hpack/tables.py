"""The static table (RFC 7541 Appendix A) and the encoder's view of its dynamic table.

The decoder keeps its own dynamic table in the shape that its loop needs, see `decoder.py`; the
encoder asks the reverse question (which index has this field, or this name?) and so keeps
dictionaries.
"""

from __future__ import annotations

from collections import deque

__all__ = [
    "ENTRY_OVERHEAD",
    "FIRST_DYNAMIC",
    "STATIC_NAMES",
    "STATIC_TABLE",
    "EncoderTable",
    "Field",
]

Field = tuple[bytes, bytes]

ENTRY_OVERHEAD = 32
"""What RFC 7541 §4.1 adds to the length of name and value to get the size of an entry."""

STATIC_TABLE: tuple[Field, ...] = (
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
)
"""Entry 1 first."""

STATIC_NAMES: dict[bytes, int] = {}
"""The lowest index of each name in the static table."""
for _index, (_name, _) in enumerate(STATIC_TABLE, 1):
    STATIC_NAMES.setdefault(_name, _index)

_STATIC_FIELDS = {field: -index for index, field in enumerate(STATIC_TABLE, 1)}
FIRST_DYNAMIC = len(STATIC_TABLE) + 1
"""The index of the newest entry of a dynamic table (§2.3.3)."""


class EncoderTable:
    """The dynamic table as its encoder sees it, joined with the static table for look-ups.

    An entry is known by its ordinal, the count of insertions when it was made, because indexes move
    with every insertion; its index is then `FIRST_DYNAMIC + inserted - ordinal`. Entries are
    unique: the encoder inserts only fields that it did not find.
    """

    __slots__ = ("_entries", "_names", "_used", "capacity", "found", "inserted")

    def __init__(self, capacity: int) -> None:
        """Make an empty table of `capacity` octets (§4.1)."""
        self.capacity = capacity
        self.inserted = 0
        self.found: dict[Field, int] = _STATIC_FIELDS.copy()
        """Each known field's ordinal if dynamic, its negated index if static."""
        self._names: dict[bytes, int] = {}
        self._entries: deque[Field] = deque()
        self._used = 0

    def name_index(self, name: bytes) -> int:
        """Return an index whose entry has this name, or 0."""
        index = STATIC_NAMES.get(name)
        if index is not None:
            return index
        ordinal = self._names.get(name)
        return 0 if ordinal is None else FIRST_DYNAMIC + self.inserted - ordinal

    def insert(self, field: Field, size: int) -> None:
        """Insert `field`, of `size` octets and not larger than the table, evicting as needed."""
        self._evict(self.capacity - size)
        self._entries.append(field)
        self._used += size
        self.inserted += 1
        self.found[field] = self._names[field[0]] = self.inserted

    def resize(self, capacity: int) -> None:
        """Change the capacity, evicting as needed (§4.3)."""
        self.capacity = capacity
        self._evict(capacity)

    def _evict(self, room: int) -> None:
        while self._used > room:
            ordinal = self.inserted - len(self._entries) + 1
            field = self._entries.popleft()
            name, value = field
            self._used -= len(name) + len(value) + ENTRY_OVERHEAD
            del self.found[field]
            if self._names[name] == ordinal:
                del self._names[name]
