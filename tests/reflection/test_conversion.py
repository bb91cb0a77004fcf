"""From plain values to messages and back."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from google.protobuf import any_pb2, struct_pb2, timestamp_pb2, wrappers_pb2

from clarion.reflection import to_dict
from clarion.reflection.conversion import near, new_message
from support.trial import Guest, type_of

NOON = datetime.datetime(2024, 1, 2, 12, tzinfo=datetime.UTC)


def guest(value: Any = None, **fields: Any) -> Any:
    return new_message(Guest, value, fields)


def test_every_kind_of_field() -> None:
    made = guest(
        {
            "firstName": "Ann",
            "mood": "MERRY",
            "moods": ["CALM", 1],
            "friends": [{"first_name": "Bob"}, Guest(first_name="Cid")],
            "tags": ("a", "b"),
            "scores": {"x": 1, "y": 2},
            "kin": {1: {"first_name": "Dee"}, 2: Guest(first_name="Eve")},
            "picture": b"\xff",
            "born": NOON,
            "host": {},
            "extra": {"fields": 3, "more": [None, {"a": True}]},
            "age": None,
        }
    )
    assert made.first_name == "Ann"
    assert (made.mood, list(made.moods)) == (1, [0, 1])
    assert [each.first_name for each in made.friends] == ["Bob", "Cid"]
    assert (list(made.tags), dict(made.scores)) == (["a", "b"], {"x": 1, "y": 2})
    assert {key: value.first_name for key, value in made.kin.items()} == {1: "Dee", 2: "Eve"}
    assert made.picture == b"\xff"
    assert made.born.ToDatetime(datetime.UTC) == NOON
    assert made.HasField("host")
    assert not made.HasField("age")
    assert dict(made.extra)["fields"] == 3


def test_back_again() -> None:
    made = guest(first_name="Ann", mood=1, picture=b"\xff", born="2024-01-02T12:00:00Z")
    assert to_dict(made) == {
        "first_name": "Ann",
        "mood": "MERRY",
        "picture": "/w==",
        "born": "2024-01-02T12:00:00Z",
    }
    inside = any_pb2.Any()
    inside.Pack(made)
    found = to_dict(inside, pool=Guest.DESCRIPTOR.file.pool)
    assert found["first_name"] == "Ann"


def test_messages() -> None:
    ann = Guest(first_name="Ann")
    assert guest(ann) is ann
    made = guest(ann, age=3)
    assert (made.first_name, made.age, ann.age) == ("Ann", 3, 0)
    # Of the same type, but from another pool.
    made = guest(born=timestamp_pb2.Timestamp(seconds=7), extra=struct_pb2.Struct())
    assert made.born.seconds == 7
    assert made.HasField("extra")
    with pytest.raises(TypeError, match=r"must be a trial.Guest, not a trial.Greeting"):
        guest(type_of("trial.Greeting")())


def test_values_that_json_has_too() -> None:
    assert guest(born={"seconds": 7}).born.seconds == 7
    assert new_message(wrappers_pb2.Int32Value, 7).value == 7
    assert new_message(wrappers_pb2.BytesValue, b"\xff").value == b"\xff"
    duration = new_message(type_of_duration(), datetime.timedelta(seconds=90))
    assert duration.seconds == 90
    assert new_message(struct_pb2.Value, [1, "a"]).list_value.values[1].string_value == "a"
    packed = {"@type": "type.googleapis.com/google.protobuf.Int32Value", "value": 3}
    value = wrappers_pb2.Int32Value()
    assert new_message(any_pb2.Any, packed).Unpack(value)
    assert value.value == 3


def type_of_duration() -> Any:
    from google.protobuf.duration_pb2 import Duration

    return Duration


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ("Ann", TypeError, "trial.Guest must be a mapping or a trial.Guest, not str"),
        (
            {"frist_name": ""},
            ValueError,
            "trial.Guest has no field 'frist_name': did you mean first_name?",
        ),
        ({"zzz": 1}, ValueError, "there are age, born, "),
        ({3: 1}, ValueError, "trial.Guest has no field 3: there are"),
        ({"first_name": 3}, TypeError, "trial.Guest.first_name must be a string, which 3 is not"),
        (
            {"age": 1 << 40},
            ValueError,
            "trial.Guest.age must be a int32, which 1099511627776 is not",
        ),
        ({"picture": "x" * 99}, TypeError, "must be a bytes, which 'x"),
        ({"mood": "merry"}, ValueError, "trial.Mood has no value 'merry': did you mean MERRY?"),
        ({"moods": ["SAD"]}, ValueError, "trial.Guest.moods[0]: trial.Mood has no value 'SAD': "),
        ({"tags": "abc"}, TypeError, "trial.Guest.tags is repeated: give a list, not str"),
        ({"tags": 3}, TypeError, "trial.Guest.tags is repeated: give a list, not int"),
        ({"tags": ["a", 3]}, TypeError, "trial.Guest.tags[1] must be a string, which 3 is not"),
        ({"friends": [{}, {"age": "x"}]}, TypeError, "trial.Guest.friends[1].age must be a int32"),
        ({"scores": [1]}, TypeError, "trial.Guest.scores is a map: give a mapping, not list"),
        ({"scores": {"a": "b"}}, TypeError, "trial.Guest.scores['a'] must be a int32"),
        ({"scores": {1: 1}}, TypeError, "the key of trial.Guest.scores[1] must be a string"),
        ({"kin": {"a": {}}}, TypeError, "the key of trial.Guest.kin['a'] must be a int32"),
        ({"kin": {1: {"age": ""}}}, TypeError, "trial.Guest.kin[1].age must be a int32"),
        ({"host": 3}, TypeError, "trial.Guest.host must be a mapping or a trial.Guest, not int"),
        ({"born": "noon"}, ValueError, "trial.Guest.born is no google.protobuf.Timestamp: "),
        ({"extra": 3}, ValueError, "trial.Guest.extra is no google.protobuf.Struct: "),
    ],
)
def test_what_does_not_fit(value: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        guest(value)
    assert message in str(caught.value)


def test_near() -> None:
    assert near("SAYHELLO", ["SayHello", "Other"]) == "did you mean SayHello?"
    assert near("Sx", ["S", "S"]) == "did you mean S?"
    assert near("x", []) == "there are none"
    assert near("x", [f"name{number}" for number in range(30)]).endswith(", ...")
