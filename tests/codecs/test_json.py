"""`JSONCodec`: dataclasses to JSON and back, and what is said of JSON that does not fit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NewType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clarion.codecs import JSONCodec


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    SMALL = 1


UserId = NewType("UserId", int)


@dataclass
class Item:
    name: str
    count: int = 1


@dataclass
class Everything:
    text: str
    whole: int
    number: float
    truth: bool
    data: bytes
    when: datetime
    day: date
    hour: time
    colour: Colour
    size: Size
    user: UserId
    items: list[Item]
    by_name: dict[str, Item]
    by_number: dict[int, str]
    pair: tuple[int, str]
    many: tuple[int, ...]
    some: set[str]
    frozen: frozenset[int]
    maybe: Item | None
    either: int | str
    word: Literal["a", "b"]
    anything: Any
    sequence: Sequence[int]
    mapping: Mapping[str, float]
    noted: Annotated[int, "of something"]
    plain_list: list  # type: ignore[type-arg]
    plain_dict: dict  # type: ignore[type-arg]
    plain_tuple: tuple  # type: ignore[type-arg]
    nothing: None = None
    tree: Everything | None = None
    derived: int = field(init=False, default=5)


def everything(**changes: Any) -> Everything:
    values: dict[str, Any] = {
        "text": "ü\n",
        "whole": 2**70,
        "number": 1.5,
        "truth": True,
        "data": b"\x00\xff",
        "when": datetime(2024, 2, 29, 1, 2, 3, 4, UTC),
        "day": date(2024, 2, 29),
        "hour": time(1, 2),
        "colour": Colour.BLUE,
        "size": Size.SMALL,
        "user": UserId(7),
        "items": [Item("a"), Item("b", 2)],
        "by_name": {"x": Item("c")},
        "by_number": {1: "one"},
        "pair": (1, "one"),
        "many": (1, 2, 3),
        "some": {"s"},
        "frozen": frozenset({4}),
        "maybe": None,
        "either": "str",
        "word": "b",
        "anything": {"a": [None, 1.5]},
        "sequence": [1],
        "mapping": {"m": 1.0},
        "noted": 3,
        "plain_list": [1, "a"],
        "plain_dict": {"k": [1]},
        "plain_tuple": (1, "a"),
    }
    return Everything(**{**values, **changes})


def round_trip(message: Any, type: Any = None) -> Any:
    codec = JSONCodec()
    wanted = type or message.__class__
    return codec.deserializer(wanted)(codec.serializer(wanted)(message))


def test_everything_there_is() -> None:
    message = everything(maybe=Item("d"), tree=everything(), anything=[Item("e").__dict__])
    assert round_trip(message) == message


def test_what_it_looks_like() -> None:
    data = JSONCodec().serializer(Item)(Item("ü"))
    assert data == '{"name":"ü","count":1}'.encode()
    assert json.loads(JSONCodec().serializer(Everything)(everything()))["data"] == "AP8="


def test_what_a_sender_need_not_say() -> None:
    read = JSONCodec().deserializer(Item)
    assert read(b'{"name": "a", "unknown": {"x": []}}') == Item("a", 1)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
))  # fmt: skip
def test_json_as_it_comes(value: Any) -> None:
    assert round_trip(value, Any) == value


@pytest.mark.parametrize(
    ("type", "data", "said"),
    [
        (Item, b'{"count": 1}', r"\$: Item needs 'name', which is missing"),
        (Item, b'{"name": 1}', r"\$\.name: str was expected, not int"),
        (Item, b'{"name": "a", "count": true}', r"\$\.count: int was expected, not bool"),
        (Item, b"[]", r"\$: an object for Item was expected, not list"),
        (list[Item], b'[{"name": "a"}, null]', r"\$\[1\]: an object for Item was expected, not null"),
        (dict[str, list[int]], b'{"a": [1, "2"]}', r"\$\.a\[1\]: int was expected, not str"),
        (dict[str, int], b"1", r"\$: an object was expected, not int"),
        (dict[int, int], b'{"x": 1}', r"\$: the key 'x' is no int"),
        (list[int], b"{}", r"\$: an array was expected, not dict"),
        (tuple[int, str], b"[1]", r"\$: an array of 2 was expected, not list"),
        (tuple[int, str], b"[1, 2]", r"\$\[1\]: str was expected, not int"),
        (float, b'"1"', r"\$: a number was expected, not str"),
        (list[float], b"[1, -1e999]", r"\$\[1\]: the number is out of range"),
        (float, b"NaN", "NaN is no JSON"),
        (bytes, b"1", r"\$: base64 was expected, not int"),
        (bytes, b'"?"', r"\$: this is no base64"),
        (datetime, b'"today"', r"\$: Invalid isoformat string: 'today'"),
        (datetime, b"5", r"\$: fromisoformat: argument must be str"),
        (Colour, b'"green"', r"\$: 'green' is not a valid Colour"),
        (int | None, b'"1"', r"\$: int was expected, not str; \$: null was expected, not str"),
        (Literal["a", 1], b"true", r"\$: one of 'a', 1 was expected"),
        (Item, b"{", "Expecting property name"),
        (Item, b"\xff", "codec can't decode"),
        (Item, b"", "Expecting value"),
    ],
)  # fmt: skip
def test_json_that_does_not_fit(type: Any, data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        JSONCodec().deserializer(type)(data)


def test_types_that_it_does_not_know() -> None:
    for unknown in (complex, JSONCodec, list[complex], dict[float, int], "Item", {}):
        with pytest.raises(TypeError, match="JSONCodec"):
            JSONCodec().serializer(unknown)  # type: ignore[arg-type]
    codec = JSONCodec()
    with pytest.raises(TypeError):
        codec.deserializer(list[complex])
    # Nothing half-made is kept.
    with pytest.raises(TypeError):
        codec.deserializer(list[complex])


def test_values_that_it_cannot_encode() -> None:
    encode = JSONCodec().serializer(Any)
    with pytest.raises(TypeError, match="JSONCodec cannot encode complex"):
        encode(1j)
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode(float("nan"))


def test_it_says_what_it_is() -> None:
    assert repr(JSONCodec()) == "<JSONCodec 'json'>"
