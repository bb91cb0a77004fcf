"""How the type stub of one message module says things: builtins, library types, messages and enums.

Rules:

- A word of a stub has to mean the same in every class body. A .proto file may name a field `int`, a message `type`, or
  a nested message as one outside. So what is imported has an underscore before it; builtins are qualified where the
  file has such a name anywhere; and a class of the module whose name stands in a class body too has a second name.
- Only what is used is imported.
- A class that Python cannot name (`None`) exists in stubs under another name that programs cannot import; so
  fields of its type still have a type.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

from clarion.codegen.class_names import free_name
from clarion.codegen.layout import Layout
from clarion.codegen.names import literal, module_alias, needs_getattr
from clarion.codegen.type_index import ProtoType

__all__ = ["DEPRECATED_USE", "Words", "enum_base", "is_sayable"]

DEPRECATED_USE = "  # type: ignore[deprecated,unused-ignore]"
"""Behind a line that names a deprecated class: those who use the stub need no warning about the stub."""

# The standard library first, then the others.
_IMPORTS = {
    "builtins": "import builtins",
    "datetime": "import datetime",
    "typing": "import typing",
    "abc": "from collections import abc",
    "descriptor": "from google.protobuf import descriptor",
    "message": "from google.protobuf import message",
    "containers": "from google.protobuf.internal import containers",
    "enum_type_wrapper": "from google.protobuf.internal import enum_type_wrapper",
    "extension_dict": "from google.protobuf.internal import extension_dict",
    "well_known_types": "from google.protobuf.internal import well_known_types",
    "deprecated": "from typing_extensions import deprecated",
}


def is_sayable(name: str) -> bool:
    """Tell whether a class body of a stub can have this name, and mean a field by it."""
    return not (needs_getattr(name) or (name.startswith("__") and name.endswith("__")))


def enum_base(name: str) -> str:
    """The class that has `ValueType` of an enum, beside the enum."""
    return f"_enum_{name}"


class Words:
    """The words of one stub, and what has been said.

    Args:
        file: what the stub is for.
        types: all messages and enums by their full name with a leading dot.
        generated: the files that are generated together with it.
        layout: where modules stand.
        public: the names that public imports bring into the stub.
    """

    def __init__(
        self,
        file: FileDescriptorProto,
        types: dict[str, ProtoType],
        generated: frozenset[str],
        layout: Layout,
        public: Iterable[str] = (),
    ) -> None:
        self.file = file
        self._types = types
        self._generated = generated
        self._layout = layout
        self._inner: set[str] = {"DESCRIPTOR", "HasField", "ClearField", "WhichOneof"}
        for message in file.message_type:
            self._collect(message)
        self.top = {
            *(message.name for message in file.message_type),
            *(field.name for field in file.extension),
        }
        for enum in file.enum_type:
            self.top.add(enum.name)
            self.top.update(value.name for value in enum.value)
        self._names = frozenset(self._inner | self.top | set(public))
        self._used: dict[str, str] = {}
        self._files: set[str] = set()
        self._said: dict[str, str] = {}
        self._second_names: set[str] = set()
        self._importable: dict[str, bool] = {}

    def _collect(self, message: DescriptorProto) -> None:
        inner = self._inner
        inner.update(field.name for field in message.field)
        inner.update(field.name for field in message.extension)
        for enum in message.enum_type:
            inner.add(enum.name)
            inner.update(value.name for value in enum.value)
        for nested in message.nested_type:
            inner.add(nested.name)
            self._collect(nested)

    def builtin(self, name: str) -> str:
        """A class or function that is always there."""
        return self.library("builtins", name) if name in self._names else name

    def library(self, module: str, name: str) -> str:
        """A name of a module in `_IMPORTS`."""
        return f"{self._alias(module)}.{name}"

    def _alias(self, module: str) -> str:
        alias = self._used.get(module)
        if alias is None:
            alias = self._used[module] = free_name(f"_{module}", self._names)
        return alias

    def deprecated(self, what: str) -> str:
        """The decorator (PEP 702) for `what`, which the .proto file says is deprecated."""
        message = literal(f"{what} is deprecated in {self.file.name}")
        return f"@{self._alias('deprecated')}({message})"

    def type_named(self, full_name: str) -> ProtoType:
        """The message or enum that a field names."""
        return self._types[full_name]

    def class_of(self, named: ProtoType) -> str:
        """The class of a message, or of an enum's wrapper; Any if no annotation can say it."""
        said = self._said.get(named.full_name)
        if said is None:
            said = self._said[named.full_name] = self._class_of(named)
        return said

    def _class_of(self, named: ProtoType) -> str:
        path = [name if is_sayable(name) else f"_class_{name}" for name in named.path]
        if named.is_enum and path[-1] != named.path[-1]:
            path[-1] = enum_base(named.path[-1])
        if named.file == self.file.name:
            if path[0] in self._inner:
                self._second_names.add(path[0])
                path[0] = f"_module_{path[0]}"
            return ".".join(path)
        ours = self._knows_style(named.file)
        if not self._can_import(named.file) or (not ours and tuple(path) != named.path):
            return self.library("typing", "Any")
        self._files.add(named.file)
        return ".".join((module_alias(named.file), *path))

    def _can_import(self, file: str) -> bool:
        """Whether a statement can say the module's name."""
        can = self._importable.get(file)
        if can is None:
            (line,) = self._layout.import_lines(self.file.name, [file])
            can = self._importable[file] = "importlib." not in line
        return can

    def value_of(self, named: ProtoType) -> str:
        """The type of an enum's values."""
        if not self._knows_style(named.file):
            # With protoc's own stubs, or none, it has no type of its own.
            return self.builtin("int")
        said = self.class_of(named)
        return said if said == self.library("typing", "Any") else f"{said}.ValueType"

    def value_inside(self, named: ProtoType) -> str:
        """The type of an enum's values, for what the enum itself is made of."""
        outer, _, _ = self.value_of(named).removesuffix(".ValueType").rpartition(".")
        base = enum_base(named.path[-1])
        return f"{outer}.{base}.ValueType" if outer else f"{base}.ValueType"

    def _knows_style(self, file: str) -> bool:
        """Whether a file's stub has what these stubs and mypy-protobuf's have, as types-protobuf does.

        Files of a package are generated together; others come from elsewhere. With protoc's layout, files may
        be generated one by one, and only Google's are often installed.
        """
        if file in self._generated or file.startswith("google/protobuf/"):
            return True
        if self._layout.is_relative(self.file.name):
            return self._layout.is_relative(file)
        return not file.startswith("google/")

    def head(self) -> Iterator[str]:
        """The import statements for all that was said."""
        for name, statement in _IMPORTS.items():
            if name in self._used:
                yield f"{statement} as {self._used[name]}"
        yield from self._layout.import_lines(self.file.name, self._files)

    def tail(self) -> Iterator[str]:
        """The second names that were said."""
        for name in sorted(self._second_names):
            alias = self.library("typing", "TypeAlias")
            yield f"_module_{name}: {alias} = {name}{DEPRECATED_USE}"
