"""Messages and enums of a descriptor set by their full names, and what the types of their fields need to know.

Rules: only descriptors are read, no pool is made of them; so a file may be of an edition that the protobuf library
here does not know. Whether a field has presence follows descriptor.proto: features of a field, of the messages
around it and of its file, the closest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FeatureSet,
    FieldDescriptorProto,
    FileDescriptorProto,
)

__all__ = ["ProtoType", "find_types", "has_presence", "oneofs_of", "presence_of"]

_REPEATED = FieldDescriptorProto.LABEL_REPEATED
_MESSAGES = (FieldDescriptorProto.TYPE_MESSAGE, FieldDescriptorProto.TYPE_GROUP)
_IMPLICIT = FeatureSet.IMPLICIT


@dataclass(frozen=True, slots=True)
class ProtoType:
    """A message or an enum.

    Attributes:
        file: the .proto file that has it.
        path: its name after those of the messages around it.
        full_name: with the package, without a leading dot.
        is_enum: whether it is an enum.
        deprecated: whether the .proto file says so.
        entry: the fields `key` and `value` if this is the entry of a map.
    """

    file: str
    path: tuple[str, ...]
    full_name: str
    is_enum: bool
    deprecated: bool
    entry: tuple[FieldDescriptorProto, FieldDescriptorProto] | None = None


def find_types(files: Iterable[FileDescriptorProto]) -> dict[str, ProtoType]:
    """Return all messages and enums of `files` by their full name with a leading dot, as fields name them."""
    found: dict[str, ProtoType] = {}

    def add_enum(file: str, prefix: str, outer: tuple[str, ...], enum: EnumDescriptorProto) -> None:
        full_name = f"{prefix}.{enum.name}"
        deprecated = enum.HasField("options") and enum.options.deprecated
        found[full_name] = ProtoType(file, (*outer, enum.name), full_name[1:], True, deprecated)

    def add(file: str, prefix: str, outer: tuple[str, ...], message: DescriptorProto) -> None:
        full_name, path = f"{prefix}.{message.name}", (*outer, message.name)
        entry = None
        deprecated = False
        if message.HasField("options"):
            deprecated = message.options.deprecated
            if message.options.map_entry:
                entry = (message.field[0], message.field[1])
        found[full_name] = ProtoType(file, path, full_name[1:], False, deprecated, entry)
        for nested in message.nested_type:
            add(file, full_name, path, nested)
        for enum in message.enum_type:
            add_enum(file, full_name, path, enum)

    for file in files:
        prefix = f".{file.package}" if file.package else ""
        for message in file.message_type:
            add(file.name, prefix, (), message)
        for enum in file.enum_type:
            add_enum(file.name, prefix, (), enum)
    return found


def presence_of(
    thing: FileDescriptorProto | DescriptorProto | FieldDescriptorProto, outer: bool
) -> bool:
    """Tell whether singular fields of `thing` have presence where only features decide.

    Args:
        thing: a file, message or field.
        outer: the same of what is around it; of a file, what counts without a word about it.
    """
    if thing.HasField("options") and thing.options.HasField("features"):
        features = thing.options.features
        if features.HasField("field_presence"):
            return features.field_presence != _IMPLICIT
    return outer


def has_presence(field: FieldDescriptorProto, outer: bool) -> bool:
    """Tell whether `HasField` knows a field of a message, or of an extension.

    Args:
        field: the field.
        outer: `presence_of` what is around it.
    """
    if field.label == _REPEATED:
        return False
    if field.type in _MESSAGES or field.HasField("oneof_index") or field.HasField("extendee"):
        return True
    return presence_of(field, outer)


def oneofs_of(message: DescriptorProto) -> Sequence[tuple[str, list[str]]]:
    """Return the oneofs of a message with the names of their fields; `optional` in proto3 makes one, too."""
    members: list[tuple[str, list[str]]] = [(oneof.name, []) for oneof in message.oneof_decl]
    for field in message.field:
        if field.HasField("oneof_index"):
            members[field.oneof_index][1].append(field.name)
    return members
