"""The types of one field: what reading it gives, what may be assigned to it, and what the constructor takes for it.

They are what the protobuf runtime does in every release that Clarion works with:

- Message fields cannot be assigned to. Four well-known types take something else: Timestamp a datetime, Duration a
  timedelta, Struct a mapping and ListValue a list.
- An enum is read as a number, and takes the name of a value too.
- The constructor takes None for a field that is not given, a dict for a message, any iterable for a repeated field
  and any mapping for a map.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from clarion.codegen.comments import docstring
from clarion.codegen.stub_words import DEPRECATED_USE, Words

__all__ = ["FieldTypes", "field_lines", "field_types", "read_type"]

_REPEATED = FieldDescriptorProto.LABEL_REPEATED
_SCALARS = {
    FieldDescriptorProto.TYPE_DOUBLE: "float",
    FieldDescriptorProto.TYPE_FLOAT: "float",
    FieldDescriptorProto.TYPE_INT64: "int",
    FieldDescriptorProto.TYPE_UINT64: "int",
    FieldDescriptorProto.TYPE_INT32: "int",
    FieldDescriptorProto.TYPE_FIXED64: "int",
    FieldDescriptorProto.TYPE_FIXED32: "int",
    FieldDescriptorProto.TYPE_BOOL: "bool",
    FieldDescriptorProto.TYPE_STRING: "str",
    FieldDescriptorProto.TYPE_BYTES: "bytes",
    FieldDescriptorProto.TYPE_UINT32: "int",
    FieldDescriptorProto.TYPE_SFIXED32: "int",
    FieldDescriptorProto.TYPE_SFIXED64: "int",
    FieldDescriptorProto.TYPE_SINT32: "int",
    FieldDescriptorProto.TYPE_SINT64: "int",
}
# What every message has: a field of that name takes its place in instances.
_MESSAGE_NAMES = frozenset(
    "ByteSize Clear ClearExtension ClearField CopyFrom DESCRIPTOR DiscardUnknownFields Extensions FromString"
    " HasExtension HasField IsInitialized ListFields MergeFrom MergeFromString ParseFromString"
    " SerializePartialToString SerializeToString SetInParent UnknownFields WhichOneof".split()
)
_SHADOWS = "  # type: ignore[assignment,override,misc,unused-ignore]"


@dataclass(frozen=True, slots=True)
class FieldTypes:
    """The types of one field, as annotations.

    Attributes:
        read: what reading gives.
        write: what may be assigned; "" if nothing.
        argument: what the constructor takes, besides None.
        note: a comment for the lines that say them, or "".
    """

    read: str
    write: str
    argument: str
    note: str


def _value_type(field: FieldDescriptorProto, words: Words) -> tuple[str, str]:
    """The type of one value of a field, and the note for lines that say it."""
    if not field.type_name:
        return words.builtin(_SCALARS[field.type]), ""
    named = words.type_named(field.type_name)
    note = DEPRECATED_USE if named.deprecated else ""
    return (words.value_of(named) if named.is_enum else words.class_of(named)), note


def read_type(field: FieldDescriptorProto, words: Words) -> tuple[str, str]:
    """Return the type of what reading a field or an extension gives, and the note for lines that say it."""
    named = words.type_named(field.type_name) if field.type_name else None
    if named is not None and named.entry is not None:
        key, value = named.entry
        said, note = _value_type(value, words)
        kind = "MessageMap" if _is_message(value, words) else "ScalarMap"
        container = words.library("containers", kind)
        return f"{container}[{_value_type(key, words)[0]}, {said}]", note
    said, note = _value_type(field, words)
    if field.label == _REPEATED:
        kind = "Composite" if _is_message(field, words) else "Scalar"
        container = words.library("containers", f"Repeated{kind}FieldContainer")
        return f"{container}[{said}]", note
    return said, note


def _is_message(field: FieldDescriptorProto, words: Words) -> bool:
    return bool(field.type_name) and not words.type_named(field.type_name).is_enum


def _taken(field: FieldDescriptorProto, words: Words) -> str:
    """What stands for one value: a dict for a message, a name for an enum."""
    said, _ = _value_type(field, words)
    if not field.type_name:
        return said
    string = words.builtin("str")
    if words.type_named(field.type_name).is_enum:
        return f"{said} | {string}"
    return f"{said} | {words.builtin('dict')}[{string}, {words.library('typing', 'Any')}]"


def field_types(field: FieldDescriptorProto, words: Words) -> FieldTypes:
    """Return the types of a field of a message."""
    read, note = read_type(field, words)
    named = words.type_named(field.type_name) if field.type_name else None
    if named is not None and named.entry is not None:
        key, value = named.entry
        # Runtimes before 6.x take no dict for a message in a map.
        value_type = (
            _value_type(value, words)[0] if _is_message(value, words) else _taken(value, words)
        )
        mapping = words.library("abc", "Mapping")
        return FieldTypes(read, "", f"{mapping}[{_value_type(key, words)[0]}, {value_type}]", note)
    taken = _taken(field, words)
    if field.label == _REPEATED:
        return FieldTypes(read, "", f"{words.library('abc', 'Iterable')}[{taken}]", note)
    if named is None or named.is_enum:
        return FieldTypes(read, taken, taken, note)
    return _well_known(named.full_name, read, taken, words) or FieldTypes(read, "", taken, note)


def _well_known(full_name: str, said: str, taken: str, words: Words) -> FieldTypes | None:
    package, _, name = full_name.rpartition(".")
    if package != "google.protobuf":
        return None
    if name == "Timestamp":
        time = words.library("datetime", "datetime")
        return FieldTypes(said, time, f"{taken} | {time}", "")
    if name == "Duration":
        delta = words.library("datetime", "timedelta")
        return FieldTypes(said, delta, f"{taken} | {delta}", "")
    anything = words.library("typing", "Any")
    if name == "Struct":
        mapping = f"{words.library('abc', 'Mapping')}[{words.builtin('str')}, {anything}]"
        return FieldTypes(said, f"{said} | {mapping}", f"{said} | {mapping}", "")
    if name == "ListValue":
        items = f"{words.builtin('list')}[{anything}]"
        return FieldTypes(said, f"{said} | {items}", f"{taken} | {items}", "")
    return None


def field_lines(
    field: FieldDescriptorProto, types: FieldTypes, comment: str, indent: str, words: Words
) -> Iterator[str]:
    """Return the lines of a class body that declare a field."""
    name = field.name
    note = _SHADOWS if name in _MESSAGE_NAMES else types.note
    deprecated = field.HasField("options") and field.options.deprecated
    if types.read == types.write and not deprecated:
        yield f"{indent}{name}: {types.read}{note}"
        if comment:
            yield from docstring(comment, indent)
        return
    mark = f"{indent}{words.deprecated(name)}" if deprecated else ""
    yield f"{indent}@{words.builtin('property')}{note}"
    if mark:
        yield mark
    if comment:
        yield f"{indent}def {name}(self) -> {types.read}:{note}"
        yield from docstring(comment, indent + "    ")
    else:
        yield f"{indent}def {name}(self) -> {types.read}: ...{note}"
    if types.write:
        yield f"{indent}@{name}.setter"
        if mark:
            yield mark
        yield f"{indent}def {name}(self, value: {types.write}) -> None: ...{note}"
