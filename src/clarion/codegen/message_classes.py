"""The lines of a type stub that declare message classes and extensions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto

from clarion.codegen.comments import docstring
from clarion.codegen.enum_types import enum_lines
from clarion.codegen.field_types import FieldTypes, field_lines, field_types, read_type
from clarion.codegen.stub_words import DEPRECATED_USE, Words, is_sayable
from clarion.codegen.type_index import ProtoType, has_presence, oneofs_of, presence_of

__all__ = ["MessageWriter"]

_FIELD = DescriptorProto.FIELD_FIELD_NUMBER
_NESTED = DescriptorProto.NESTED_TYPE_FIELD_NUMBER
_ENUM = DescriptorProto.ENUM_TYPE_FIELD_NUMBER
_EXTENSION = DescriptorProto.EXTENSION_FIELD_NUMBER

# The runtime adds methods to these.
_MIXINS = frozenset(
    f"google.protobuf.{name}"
    for name in ("Any", "Duration", "FieldMask", "ListValue", "Struct", "Timestamp")
)


def _literals(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}", b"{name}"' for name in names)


class MessageWriter:
    """Writes the messages and extensions of one file.

    Args:
        words: the words of the stub.
        types: all messages and enums by their full name with a leading dot.
        comment: gives what the .proto file says about what is under a path.
    """

    def __init__(
        self,
        words: Words,
        types: dict[str, ProtoType],
        comment: Callable[[tuple[int, ...]], str],
    ) -> None:
        self._words = words
        self._types = types
        self._comment = comment
        # Features name what counts in editions; the older syntaxes have it fixed.
        self._presence = presence_of(words.file, words.file.syntax != "proto3")

    def message(
        self, message: DescriptorProto, full_name: str, path: tuple[int, ...]
    ) -> Iterator[str]:
        """Return the lines of one class, with what is in it."""
        yield from self._message(message, full_name, path, self._presence)

    def _message(
        self, message: DescriptorProto, full_name: str, path: tuple[int, ...], outer: bool
    ) -> Iterator[str]:
        words, named = self._words, self._types[full_name]
        indent = "    " * (len(named.path) - 1)
        inner = indent + "    "
        presence = presence_of(message, outer)
        if named.deprecated:
            yield f"{indent}{words.deprecated(message.name)}"
        yield f"{indent}@{words.library('typing', 'final')}"
        bases = words.library("message", "Message")
        if named.full_name in _MIXINS:
            bases += ", " + words.library("well_known_types", message.name)
        name = message.name if is_sayable(message.name) else f"_class_{message.name}"
        yield f"{indent}class {name}({bases}):"
        about = self._comment(path)
        if about:
            yield from docstring(about, inner)
            yield ""
        fields = [(field, field_types(field, words)) for field in message.field]
        names = {field.name for field in message.field}
        if "DESCRIPTOR" not in names:
            ignore = "  # pyright: ignore[reportIncompatibleVariableOverride]"
            yield f"{inner}DESCRIPTOR: {words.library('descriptor', 'Descriptor')}{ignore}"
        for index, enum in enumerate(message.enum_type):
            yield ""
            enum_type = self._types[f"{full_name}.{enum.name}"]
            yield from enum_lines(enum, enum_type, self._comment, (*path, _ENUM, index), words)
        for index, nested in enumerate(message.nested_type):
            yield ""
            nested_path = (*path, _NESTED, index)
            yield from self._message(nested, f"{full_name}.{nested.name}", nested_path, presence)
        if message.extension:
            yield ""
            yield from self.extensions(message.extension, (*path, _EXTENSION), inner)
        if fields:
            yield ""
            values = {value.name for enum in message.enum_type for value in enum.value}
            yield from self._numbers(message.field, values, inner)
        for index, (field, types) in enumerate(fields):
            if is_sayable(field.name):
                comment = self._comment((*path, _FIELD, index))
                yield from field_lines(field, types, comment, inner, words)
        if "__init__" not in names:
            yield from self._constructor(fields, inner)
        yield from self._lookups(message, presence, inner)

    def _numbers(
        self, fields: Iterable[FieldDescriptorProto], taken: AbstractSet[str], indent: str
    ) -> Iterator[str]:
        final = self._words.library("typing", "Final")
        # Fields whose names differ only in case have one constant; the last one's number counts.
        numbers = {f"{field.name.upper()}_FIELD_NUMBER": field.number for field in fields}
        for name, number in numbers.items():
            if name not in taken:
                yield f"{indent}{name}: {final} = {number}"

    def _constructor(
        self, fields: list[tuple[FieldDescriptorProto, FieldTypes]], indent: str
    ) -> Iterator[str]:
        words = self._words
        if not fields:
            yield f"{indent}def __init__(self) -> None: ..."
            return
        said = [(f, t) for f, t in fields if is_sayable(f.name)]
        others = [(f, t) for f, t in fields if not is_sayable(f.name)]
        if others:
            typed_dict = words.library("typing", "TypedDict")
            yield f"{indent}_Keywords = {typed_dict}("
            yield f'{indent}    "_Keywords",'
            yield f"{indent}    {{"
            for field, types in others:
                yield f'{indent}        "{field.name}": {types.argument} | None,{types.note}'
            yield f"{indent}    }},"
            yield f"{indent}    total=False,"
            yield f"{indent})"
        itself = "__self" if any(field.name == "self" for field, _ in said) else "self"
        yield f"{indent}def __init__("
        yield f"{indent}    {itself},"
        if said:
            yield f"{indent}    *,"
        for field, types in said:
            yield f"{indent}    {field.name}: {types.argument} | None = ...,{types.note}"
        if others:
            yield f"{indent}    **__keywords: {words.library('typing', 'Unpack')}[_Keywords],"
        yield f"{indent}) -> None: ..."

    def _lookups(self, message: DescriptorProto, outer: bool, indent: str) -> Iterator[str]:
        """The methods that take the names of fields and oneofs."""
        words = self._words
        literal, never = words.library("typing", "Literal"), words.library("typing", "Never")
        names = {field.name for field in message.field}
        oneofs = oneofs_of(message)
        groups = [name for name, _ in oneofs]
        present = [field.name for field in message.field if has_presence(field, outer)]
        known = [field.name for field in message.field]
        for method, words_known, result in (
            ("HasField", [*present, *groups], words.builtin("bool")),
            ("ClearField", [*known, *groups], "None"),
        ):
            if method not in names:
                taken = f"{literal}[{_literals(sorted(words_known))}]" if words_known else never
                yield f"{indent}def {method}(self, field_name: {taken}) -> {result}: ..."
        if "WhichOneof" in names:
            return
        if not oneofs:
            yield f"{indent}def WhichOneof(self, oneof_group: {never}) -> None: ..."
        for name, members in oneofs:
            if len(oneofs) > 1:
                yield f"{indent}@{words.library('typing', 'overload')}"
            fields = ", ".join(f'"{member}"' for member in members)
            yield f"{indent}def WhichOneof("
            yield f"{indent}    self, oneof_group: {literal}[{_literals([name])}]"
            yield f"{indent}) -> {literal}[{fields}] | None: ..."

    def extensions(
        self, fields: Iterable[FieldDescriptorProto], path: tuple[int, ...], indent: str
    ) -> Iterator[str]:
        """Return the lines that declare extensions: handles for `message.Extensions[...]`."""
        words = self._words
        fields = list(fields)
        yield from self._numbers(fields, set(), indent)
        handle = words.library("extension_dict", "_ExtensionFieldDescriptor")
        for index, field in enumerate(fields):
            if not is_sayable(field.name):
                continue
            extended = words.type_named(field.extendee)
            said, note = read_type(field, words)
            note = note or (DEPRECATED_USE if extended.deprecated else "")
            ignore = note or "  # pyright: ignore[reportPrivateUsage]"
            yield (f"{indent}{field.name}: {handle}[{words.class_of(extended)}, {said}]{ignore}")
            comment = self._comment((*path, index))
            if comment:
                yield from docstring(comment, indent)
