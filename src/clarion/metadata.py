"""Metadata as applications see it: pairs in order, and grpcio's multi-dictionary for asyncio."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

__all__ = ["Metadata", "Metadatum"]


class Metadatum(NamedTuple):
    """One entry: `value` is bytes under a key that ends in `-bin`, and text otherwise."""

    key: str
    value: str | bytes


class Metadata(Mapping[str, Any]):
    """Metadata with dictionary access; a key may have several values, kept in order.

    Indexing gives the first value of a key, assigning replaces the first, `add` appends. Iteration gives
    all `(key, value)` pairs, so an instance can be passed wherever metadata is taken.
    """

    def __init__(self, *args: tuple[str, str | bytes]) -> None:
        self._values: OrderedDict[str, list[str | bytes]] = OrderedDict()
        for key, value in args:
            self.add(key, value)

    @classmethod
    def from_tuple(cls, raw_metadata: Any) -> Metadata:
        """Make one from pairs; None gives an empty one."""
        return cls(*raw_metadata) if raw_metadata else cls()

    def add(self, key: str, value: str | bytes) -> None:
        """Append a value to `key`."""
        self._values.setdefault(key, []).append(value)

    def __len__(self) -> int:
        return sum(map(len, self._values.values()))

    def __getitem__(self, key: str) -> str | bytes:
        return self._values[key][0]

    def __setitem__(self, key: str, value: str | bytes) -> None:
        if key in self._values:
            self._values[key][0] = value
        else:
            self._values[key] = [value]

    def __delitem__(self, key: str) -> None:
        values = self._values[key]
        values.pop(0)
        if not values:
            del self._values[key]

    def delete_all(self, key: str) -> None:
        """Remove every value of `key`; KeyError if there is none."""
        del self._values[key]

    def __iter__(self) -> Iterator[Any]:
        for key, values in self._values.items():
            for value in values:
                yield key, value

    def keys(self) -> Any:
        """The keys, each once."""
        return self._values.keys()

    def values(self) -> Any:
        """All values."""
        return [value for values in self._values.values() for value in values]

    def items(self) -> Any:
        """All `(key, value)` pairs."""
        return list(self)

    def get(self, key: str, default: Any = None) -> Any:
        """The first value of `key`, or `default`."""
        values = self._values.get(key)
        return values[0] if values else default

    def get_all(self, key: str) -> list[str | bytes]:
        """Every value of `key`."""
        return list(self._values.get(key, ()))

    def set_all(self, key: str, values: list[str | bytes]) -> None:
        """Replace every value of `key`."""
        self._values[key] = list(values)

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Metadata):
            return self._values == other._values
        if isinstance(other, tuple):
            return tuple(self) == other
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Any) -> Metadata:
        return Metadata(*self, *other)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({tuple(self)!r})"
