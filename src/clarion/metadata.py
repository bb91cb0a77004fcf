"""Metadata as applications see it: pairs in order, and grpcio's multi-dictionary for asyncio."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, ItemsView, Iterable, Iterator, KeysView, ValuesView
from typing import Any, ClassVar, NamedTuple, Self, cast

__all__ = ["Metadata", "Metadatum"]

Value = str | bytes


class Metadatum(NamedTuple):
    """One entry: `value` is bytes under a key that ends in `-bin`, and text otherwise."""

    key: str
    value: str | bytes


class Metadata(Collection[tuple[str, Value]]):
    """Metadata with dictionary access; a key may have several values, kept in order.

    Indexing gives the first value of a key, assigning replaces the first, `add` appends. Iteration gives
    all `(key, value)` pairs, so an instance can be passed wherever metadata is taken. It is no `Mapping`, as
    it iterates over pairs.

    Args:
        args: `(key, value)` pairs.
    """

    def __init__(self, *args: tuple[str, Value]) -> None:
        self._values: OrderedDict[str, list[Value]] = OrderedDict()
        for key, value in args:
            self.add(key, value)

    @classmethod
    def from_tuple(cls, raw_metadata: Iterable[tuple[str, Value]] | None) -> Self:
        """Make one from pairs; None gives an empty one."""
        return cls(*raw_metadata) if raw_metadata else cls()

    def add(self, key: str, value: Value) -> None:
        """Append a value to `key`."""
        self._values.setdefault(key, []).append(value)

    def __len__(self) -> int:
        return sum(map(len, self._values.values()))

    def __getitem__(self, key: str) -> Value:
        values = self._values.get(key)
        if not values:
            raise KeyError(key)
        return values[0]

    def __setitem__(self, key: str, value: Value) -> None:
        self._values.setdefault(key, [])[:1] = [value]

    def __delitem__(self, key: str) -> None:
        values = self._values.get(key)
        if not values:
            raise KeyError(key)
        del values[0]
        if not values:
            del self._values[key]

    def delete_all(self, key: str) -> None:
        """Remove every value of `key`.

        Raises:
            KeyError: there is none.
        """
        del self._values[key]

    def __iter__(self) -> Iterator[tuple[str, Value]]:
        for key, values in self._values.items():
            for value in values:
                yield key, value

    def keys(self) -> KeysView[str]:
        """The keys, each once."""
        return self._values.keys()

    def values(self) -> ValuesView[list[Value]]:
        """For each key, the list of its values."""
        return self._values.values()

    def items(self) -> ItemsView[str, list[Value]]:
        """For each key, the key and the list of its values. Iterate over the object itself for single pairs."""
        return self._values.items()

    def get(self, key: str, default: Any = None) -> Any:
        """The first value of `key`, or `default`."""
        values = self._values.get(key)
        return values[0] if values else default

    def get_all(self, key: str) -> list[Value]:
        """Every value of `key`: the list itself if there are any, so that changing it changes the metadata."""
        return self._values.get(key, [])

    def set_all(self, key: str, values: Iterable[Value]) -> None:
        """Replace every value of `key`."""
        self._values[key] = list(values)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key in self._values

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Metadata):
            return self._values == other._values
        if isinstance(other, tuple):
            return tuple(self) == other
        return NotImplemented

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __add__(self, other: Any) -> Metadata:
        if isinstance(other, (Metadata, tuple)):
            return Metadata(*self, *cast("Iterable[Any]", other))
        return NotImplemented

    def __repr__(self) -> str:
        return f"{type(self).__name__}({tuple(self)!r})"
