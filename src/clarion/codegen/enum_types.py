"""The lines of a type stub that declare an enum.

At run time an enum is an object with methods and values, and the values are plain ints. For type checkers it is a
class with a metaclass, as with mypy-protobuf: `E.Name(...)` and `E.ONE` are attributes of the metaclass, and the
values have a type of their own, `E.ValueType`, which is an int. Both helper classes exist for type checkers alone.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterator

from google.protobuf.descriptor_pb2 import EnumDescriptorProto, EnumValueDescriptorProto

from clarion.codegen.comments import docstring
from clarion.codegen.stub_words import DEPRECATED_USE, Words, enum_base, is_sayable
from clarion.codegen.type_index import ProtoType

__all__ = ["enum_lines"]

_VALUE = EnumDescriptorProto.VALUE_FIELD_NUMBER

# The wrapper has them itself, whatever values there are.
_WRAPPER_NAMES = frozenset(("DESCRIPTOR", "Name", "Value", "ValueType", "items", "keys", "values"))
_SHADOWS = "  # type: ignore[assignment,override,misc,unused-ignore]"


def enum_lines(
    enum: EnumDescriptorProto,
    named: ProtoType,
    comment: Callable[[tuple[int, ...]], str],
    path: tuple[int, ...],
    words: Words,
) -> Iterator[str]:
    """Return the lines that declare an enum and, beside it, its values.

    Args:
        enum: the enum.
        named: the same, as the index of types has it.
        comment: gives what the .proto file says about what is under a path.
        path: where the enum is in its file.
        words: the words of the stub.
    """
    indent = "    " * (len(named.path) - 1)
    base = enum_base(enum.name)
    values = [
        (value.name, _about(value, comment((*path, _VALUE, index))))
        for index, value in enumerate(enum.value)
    ]
    yield f"{indent}@{words.library('typing', 'type_check_only')}"
    yield f"{indent}class {base}:"
    new_type = words.library("typing", "NewType")
    yield f'{indent}    ValueType = {new_type}("ValueType", {words.builtin("int")})'
    if is_sayable(enum.name):
        kind = f"_type_{enum.name}"
        yield from _metaclass(kind, base, named, values, words)
        if named.deprecated:
            yield f"{indent}{words.deprecated(enum.name)}"
        about = comment(path)
        body = ":" if about else ": ..."
        yield f"{indent}class {enum.name}({base}, metaclass={kind}){body}"
        yield from _docstring(about, indent + "    ")
    value_type = words.value_of(named)
    note = DEPRECATED_USE if named.deprecated else ""
    # What every message has under this name comes before a value of it.
    hidden = "DESCRIPTOR" if indent else None
    for name, about in values:
        if not keyword.iskeyword(name) and name != hidden:
            yield f"{indent}{name}: {value_type}{note}"
            yield from _docstring(about, indent)


def _metaclass(
    kind: str, base: str, named: ProtoType, values: list[tuple[str, str]], words: Words
) -> Iterator[str]:
    indent = "    " * (len(named.path) - 1)
    wrapper = words.library("enum_type_wrapper", "_EnumTypeWrapper")
    value_type = words.value_inside(named)
    inside = [
        (name, about) for name, about in values if is_sayable(name) and name not in _WRAPPER_NAMES
    ]
    body = ":" if inside else ": ..."
    yield f"{indent}@{words.library('typing', 'type_check_only')}"
    yield (
        f"{indent}class {kind}({wrapper}[{base}.ValueType]){body}"
        "  # pyright: ignore[reportPrivateUsage]"
    )
    for name, about in inside:
        note = _SHADOWS if name == "mro" else ""
        yield f"{indent}    {name}: {value_type}{note}"
        yield from _docstring(about, indent + "    ")


def _about(value: EnumValueDescriptorProto, comment: str) -> str:
    # What is not a function or class cannot be marked otherwise.
    if value.HasField("options") and value.options.deprecated:
        return f"Deprecated. {comment}".rstrip()
    return comment


def _docstring(text: str, indent: str) -> list[str]:
    return docstring(text, indent) if text else []
