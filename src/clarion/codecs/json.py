"""A codec for JSON with nothing but the standard library: dataclasses, and what they are made of.

Rules: bytes are base64, times are ISO 8601, enum members are their values, as in most JSON APIs. Decoding checks every
value against its type, and says by its path where one is wrong (`$.items[2].name`). Names that a type does not have
are ignored, so that a sender may know more than a receiver; names that are missing take their defaults.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import enum
import json
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from clarion.codecs.codec import Codec

__all__ = ["JSONCodec"]

Message = TypeVar("Message")
_Read = Callable[[Any, str], Any]

# `type` is an argument's name in what follows.
_CLASS = type
_TIMES = (datetime.datetime, datetime.date, datetime.time)
_SEQUENCES: dict[Any, Callable[[Any], Any]] = {
    list: list,
    set: set,
    frozenset: frozenset,
    Sequence: list,
}


class JSONCodec(Codec):
    """Messages as JSON: dataclasses of str, int, float, bool, bytes, times, enums, lists, dicts, and each other.

    Types may also be `dict`, `list` or `Any`, for JSON as it comes.
    """

    name = "json"

    def __init__(self) -> None:
        self._readers: dict[Any, _Read] = {}

    def serializer(self, type: type[Message]) -> Callable[[Message], bytes]:
        # That it can be decoded on the other side.
        self._reader(type)
        return _encode

    def deserializer(self, type: type[Message]) -> Callable[[bytes], Message]:
        read = self._reader(type)

        def decode(data: bytes) -> Message:
            message: Message = read(json.loads(data, parse_constant=_no_constant), "$")
            return message

        return decode

    def _reader(self, type: Any) -> _Read:
        try:
            known = self._readers.get(type)
        except TypeError:
            raise TypeError(f"JSONCodec knows no type {type!r}") from None
        if known is not None:
            return known
        # For types that contain themselves.
        self._readers[type] = lambda value, path: self._readers[type](value, path)
        try:
            reader = self._make(type)
        except BaseException:
            del self._readers[type]
            raise
        self._readers[type] = reader
        return reader

    def _make(self, type: Any) -> _Read:
        if type is Any or type is object:
            return lambda value, path: value
        if type is None or type is types.NoneType:
            return _exactly(types.NoneType, "null")
        if isinstance(type, typing.NewType):
            return self._reader(type.__supertype__)
        origin = typing.get_origin(type)
        arguments = typing.get_args(type)
        if origin is typing.Annotated:
            return self._reader(arguments[0])
        if origin is typing.Union or origin is types.UnionType:
            return self._union(arguments)
        if origin is typing.Literal:
            return _one_of(arguments)
        base = origin or type
        if base in (dict, Mapping):
            return self._dict(*(arguments or (str, Any)))
        if base is tuple:
            return self._tuple(arguments)
        if base in _SEQUENCES:
            return self._sequence(_SEQUENCES[base], *(arguments or (Any,)))
        if isinstance(type, _CLASS):
            if dataclasses.is_dataclass(type):
                return self._dataclass(type)
            scalar = _scalar(type)
            if scalar is not None:
                return scalar
        raise TypeError(
            f"JSONCodec knows no type {type!r}: messages are dataclasses, lists, dicts and what JSON has"
        )

    def _dataclass(self, type: Any) -> _Read:
        hints = typing.get_type_hints(type, include_extras=True)
        fields = [
            (
                field.name,
                self._reader(hints[field.name]),
                field.default is dataclasses.MISSING
                and field.default_factory is dataclasses.MISSING,
            )
            for field in dataclasses.fields(type)
            if field.init
        ]

        def read(value: Any, path: str) -> Any:
            if not isinstance(value, dict):
                raise _wrong(path, f"an object for {type.__name__}", value)
            found = {}
            for name, inner, needed in fields:
                if name in value:
                    found[name] = inner(value[name], f"{path}.{name}")
                elif needed:
                    raise ValueError(f"{path}: {type.__name__} needs {name!r}, which is missing")
            return type(**found)

        return read

    def _union(self, types: Sequence[Any]) -> _Read:
        readers = [self._reader(each) for each in types]

        def read(value: Any, path: str) -> Any:
            errors = []
            for each in readers:
                try:
                    return each(value, path)
                except ValueError as error:
                    errors.append(str(error))
            raise ValueError("; ".join(errors))

        return read

    def _dict(self, key: Any, value: Any) -> _Read:
        # JSON's keys are strings.
        if key not in (str, int, Any):
            raise TypeError(f"JSONCodec: keys of dicts are str or int, not {key!r}")
        read_key: _Read = _int_key if key is int else self._reader(key)
        read_value = self._reader(value)

        def read(found: Any, path: str) -> Any:
            if not isinstance(found, dict):
                raise _wrong(path, "an object", found)
            return {
                read_key(name, path): read_value(each, f"{path}.{name}")
                for name, each in found.items()
            }

        return read

    def _sequence(self, make: Callable[[Any], Any], item: Any) -> _Read:
        reader = self._reader(item)

        def read(value: Any, path: str) -> Any:
            if not isinstance(value, list):
                raise _wrong(path, "an array", value)
            return make([reader(each, f"{path}[{index}]") for index, each in enumerate(value)])

        return read

    def _tuple(self, items: Sequence[Any]) -> _Read:
        if not items or (len(items) == 2 and items[1] is ...):
            return self._sequence(tuple, items[0] if items else Any)
        readers = [self._reader(each) for each in items]

        def read(value: Any, path: str) -> Any:
            if not isinstance(value, list) or len(value) != len(readers):
                raise _wrong(path, f"an array of {len(readers)}", value)
            return tuple(
                each(item, f"{path}[{index}]")
                for index, (each, item) in enumerate(zip(readers, value, strict=True))
            )

        return read


def _wrong(path: str, wanted: str, value: Any) -> ValueError:
    name = "null" if value is None else type(value).__name__
    return ValueError(f"{path}: {wanted} was expected, not {name}")


def _exactly(wanted: Any, word: str) -> _Read:
    def read(value: Any, path: str) -> Any:
        # bool is an int to Python, and not to JSON.
        if type(value) is not wanted:
            raise _wrong(path, word, value)
        return value

    return read


def _one_of(values: Sequence[Any]) -> _Read:
    def read(value: Any, path: str) -> Any:
        if not any(value == each and type(value) is type(each) for each in values):
            raise ValueError(f"{path}: one of {', '.join(map(repr, values))} was expected")
        return value

    return read


def _int_key(value: Any, path: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"{path}: the key {value!r} is no int") from None


def _float(value: Any, path: str) -> float:
    if type(value) not in (int, float):
        raise _wrong(path, "a number", value)
    number = float(value)
    # JSON has 1e999, but nothing that it could be sent as again.
    if not math.isfinite(number):
        raise ValueError(f"{path}: the number is out of range")
    return number


def _bytes(value: Any, path: str) -> bytes:
    if not isinstance(value, str):
        raise _wrong(path, "base64", value)
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{path}: this is no base64: {error}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _scalar(type: Any) -> _Read | None:
    if type in (str, int, bool):
        return _exactly(type, type.__name__)
    if type is float:
        return _float
    if type is bytes:
        return _bytes
    if type in _TIMES or issubclass(type, enum.Enum):
        make = type.fromisoformat if type in _TIMES else type

        def read(value: Any, path: str) -> Any:
            try:
                return make(value)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{path}: {error}") from None

        return read
    return None


def _encode(message: Any) -> bytes:
    return json.dumps(
        message, default=_plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()


def _plain(value: Any) -> Any:
    """What `json` can encode, for what it cannot."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: getattr(value, field.name)
            for field in dataclasses.fields(value)
            if field.init
        }
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, _TIMES):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, set | frozenset):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"JSONCodec cannot encode {type(value).__name__}")
