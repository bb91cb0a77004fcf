"""Generated messages, as programs use them. All of it runs when this is loaded."""

from __future__ import annotations

import datetime
from typing import Any, Literal, TypeVar, assert_type

from generated.typed import (
    awkward_names_pb2,
    classic_pb2,
    edition_2023_pb2,
    edition_2024_pb2,
    modern_pb2,
    through_pb2,
)
from generated.typed.modern_pb2 import Material, Thing
from google.protobuf import any_pb2, duration_pb2, struct_pb2, timestamp_pb2, wrappers_pb2
from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.internal.containers import (
    MessageMap,
    RepeatedCompositeFieldContainer,
    RepeatedScalarFieldContainer,
    ScalarMap,
)
from google.protobuf.message import Message

AnyMessage = TypeVar("AnyMessage", bound=Message)
KIND: Material.ValueType = modern_pb2.WOOD


def scalars(thing: Thing) -> None:
    assert_type(thing.name, str)
    assert_type(thing.data, bytes)
    assert_type(thing.good, bool)
    assert_type(thing.wide, float)
    assert_type(thing.j, int)
    thing.name = "bridge"
    thing.data = b"\x00"
    thing.good = True
    thing.narrow = 1
    thing.wide = 1.5
    thing.a += 1
    thing.nickname = "b"
    assert thing.HasField("nickname")
    thing.ClearField("nickname")
    thing.ClearField(b"choice")
    assert_type(thing.WhichOneof("_nickname"), Literal["nickname"] | None)


def enums(thing: Thing) -> None:
    assert_type(thing.material, Material.ValueType)
    assert_type(Material.WOOD, Material.ValueType)
    assert_type(modern_pb2.WOOD, Material.ValueType)
    thing.material = Material.WOOD
    thing.material = "WOOD"
    thing.material = Material.Value("WOOD")
    thing.material = Material.ValueType(1)
    thing.color = Thing.GREEN
    thing.color = Thing.Color.GREEN
    assert_type(Material.Name(thing.material), str)
    assert_type(Material.keys(), list[str])
    assert_type(Material.items(), list[tuple[str, Material.ValueType]])
    number: int = thing.material
    assert number == KIND
    thing.materials.append(Material.STONE)
    assert_type(thing.materials, RepeatedScalarFieldContainer[Material.ValueType])
    thing.parts["leg"] = Material.WOOD
    assert_type(thing.parts, ScalarMap[str, Material.ValueType])
    print(Material.DESCRIPTOR.full_name)


def composites(thing: Thing) -> None:
    assert_type(thing.part, Thing.Part)
    assert_type(thing.part.depth.metres, int)
    thing.part.label = "leg"
    thing.part.CopyFrom(Thing.Part(label="arm"))
    assert_type(thing.more, RepeatedCompositeFieldContainer[Thing.Part])
    assert_type(thing.more.add(label="leg"), Thing.Part)
    thing.more.append(Thing.Part())
    assert_type(thing.by_number, MessageMap[int, Thing.Part])
    thing.by_number[1].label = "one"
    assert_type(thing.blobs, ScalarMap[bool, bytes])
    thing.tags.extend(["a", "b"])
    for part in thing.more:
        assert_type(part, Thing.Part)
    assert thing.HasField("part")


def choices(thing: Thing) -> str:
    chosen = thing.WhichOneof("choice")
    assert_type(chosen, Literal["text", "chosen", "color"] | None)
    assert_type(thing.WhichOneof("other_choice"), Literal["number"] | None)
    if chosen == "chosen":
        return thing.chosen.label
    return thing.text if thing.HasField("text") else str(thing.HasField("choice"))


def constructors() -> Thing:
    day = datetime.datetime(2020, 2, 20, tzinfo=datetime.UTC)
    Thing(name=None, material=None, part=None, more=None, parts=None, made=None)
    Thing(material="WOOD", materials=["WOOD", Material.STONE], parts={"leg": "WOOD"})
    Thing(made=timestamp_pb2.Timestamp(seconds=1), lasts={"seconds": 1})
    return Thing(
        name="table",
        material=Material.WOOD,
        part={"label": "leg", "depth": {"metres": 1}},
        more=(Thing.Part(label=each) for each in ("a", "b")),
        by_number={1: Thing.Part()},
        blobs={True: b""},
        chosen=Thing.Part(whole=Thing()),
        made=day,
        lasts=datetime.timedelta(seconds=2),
        extra={"key": [1, {"deep": None}]},
        list=[1, "two", None],
        boxed={"value": 3},
    )


def well_known(thing: Thing) -> None:
    assert_type(thing.made, timestamp_pb2.Timestamp)
    thing.made = datetime.datetime.now(datetime.UTC)
    thing.made.GetCurrentTime()
    assert_type(thing.made.ToDatetime(), datetime.datetime)
    thing.lasts = datetime.timedelta(seconds=1)
    assert_type(thing.lasts, duration_pb2.Duration)
    thing.extra = {"key": 1}
    thing.extra["other"] = "text"
    assert_type(thing.extra, struct_pb2.Struct)
    thing.list = [1, 2]
    thing.boxed.value = 7
    assert_type(thing.boxed, wrappers_pb2.Int64Value)
    thing.any_message.Pack(thing.part)
    assert_type(thing.any_message, any_pb2.Any)
    thing.times.add().FromSeconds(1)
    thing.structs["a"]["b"] = 1


def extensions(classic: classic_pb2.Classic) -> None:
    assert_type(classic.Extensions[classic_pb2.number], int)
    classic.Extensions[classic_pb2.number] = 1
    classic.Extensions[classic_pb2.words].append("word")
    held = classic.Extensions[classic_pb2.Classic.Holder.held]
    assert_type(held, classic_pb2.Classic.Holder)
    held.number = 2
    assert_type(classic.Extensions[classic_pb2.its_level], classic_pb2.Level.ValueType)
    assert_type(classic.HasExtension(classic_pb2.number), bool)
    classic.ClearExtension(classic_pb2.number)
    options = classic_pb2.Measured.DESCRIPTOR.fields_by_name["length"].GetOptions()
    assert options.Extensions[classic_pb2.unit] == "m"


def presence() -> None:
    classic = classic_pb2.Classic(name="c", inner={"word": "w"}, row=[{"cell": 1}])
    assert classic.HasField("name")
    assert_type(classic.inner, classic_pb2.Classic.Inner)
    assert not classic.HasField("level")
    mixed = edition_2023_pb2.Mixed(explicit=0)
    assert mixed.HasField("explicit")
    assert not mixed.HasField("choice")
    assert edition_2024_pb2.Present(by_default=0).HasField("by_default")


def names() -> None:
    builtins = awkward_names_pb2.Builtins(int=1, str="s", list=["l"], dict={"d": 1})
    assert_type(builtins.int, int)
    assert_type(builtins.list, RepeatedScalarFieldContainer[str])
    assert_type(builtins.property, awkward_names_pb2.type)
    odd = awkward_names_pb2.type(self="me", type=[awkward_names_pb2.type(cls="c")])
    assert_type(odd.self, str)
    words: dict[str, Any] = {"class": "first", "from": 2}
    keywords = awkward_names_pb2.Keywords(plain=True, **words)
    assert_type(keywords.plain, bool)
    setattr(keywords, "from", 3)
    assert keywords.WhichOneof("lambda") is None
    same = awkward_names_pb2.Same(Outside="o", outside=awkward_names_pb2.Outside(word="w"))
    assert_type(same.same, awkward_names_pb2.Same.Same)
    assert_type(same.whole, awkward_names_pb2.Same)
    methods = awkward_names_pb2.Methods(Clear="all", HasField=1)
    assert_type(methods.Clear, str)
    assert_type(methods.HasField, int)


def generic(message: AnyMessage) -> AnyMessage:
    copy = type(message)()
    copy.MergeFromString(message.SerializeToString())
    return copy


def everything_else() -> None:
    assert_type(generic(Thing()), Thing)
    assert_type(Thing.FromString(b""), Thing)
    assert_type(Thing.DESCRIPTOR, Descriptor)
    assert_type(modern_pb2.DESCRIPTOR, FileDescriptor)
    number: int = Thing.NAME_FIELD_NUMBER
    assert number == 1
    assert_type(Thing.Part.Depth().metres, int)
    through = through_pb2.Through(other={"thing": {"name": "n"}}, thing=through_pb2.Thing().thing)
    # What is imported publicly has the name here too, and is the same class.
    assert_type(through_pb2.Material.WOOD, Material.ValueType)
    assert_type(through.thing, Thing)
    assert not through.HasField("classic")


thing = constructors()
for use in (scalars, enums, composites, well_known):
    use(thing)
assert choices(thing) == "True"
extensions(classic_pb2.Classic(name="c"))
presence()
names()
everything_else()
