"""How .proto names turn into Python names: modules, their aliases, and message classes.

The rules are protoc's and grpcio-tools': `a/b-c.proto` is the module `a.b_c_pb2`, known inside the
generated file as `a_dot_b__c__pb2`. A name that Python keeps for itself cannot be written as an
attribute or in an import statement; it is reached with `getattr` or `importlib`.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

__all__ = [
    "MessageName",
    "UnusableNameError",
    "attribute",
    "find_messages",
    "is_plain",
    "literal",
    "module_alias",
    "module_name",
    "module_path",
    "needs_getattr",
    "output_path",
]


class UnusableNameError(ValueError):
    """A .proto file has a name for which no module can be generated; the message is one line."""


def literal(text: str) -> str:
    """Return the string literal for text from outside, such as a file's name, which may hold anything."""
    safe = text.replace("\\", "\\\\").replace('"', '\\"')
    if not safe.isprintable():
        safe = "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in safe)
    return f'"{safe}"'


def _stem(proto_file: str) -> str:
    for suffix in (".protodevel", ".proto"):
        if proto_file.endswith(suffix):
            return proto_file.removesuffix(suffix)
    return proto_file


@cache
def module_name(proto_file: str) -> str:
    """Return the dotted name of the module with the message classes of `proto_file`."""
    return _stem(proto_file).replace("-", "_").replace("/", ".") + "_pb2"


@cache
def module_alias(proto_file: str) -> str:
    """Return the name that `module_name(proto_file)` goes by in generated code."""
    alias = module_name(proto_file).replace("_", "__").replace(".", "_dot_")
    if alias.isidentifier():
        return alias
    # A file's name may hold anything; different ones must not become one.
    return "".join(c if f"_{c}".isidentifier() else f"_x{ord(c):x}_" for c in f"_{alias}")


@cache
def module_path(proto_file: str) -> str:
    """Return where the message classes of `proto_file` go, relative to the output directory.

    That is where Python looks for `module_name(proto_file)`: a dot in a file's name makes a folder.

    Raises:
        UnusableNameError: the path would lead out of that directory, as for `.x.proto`, or the name cannot be written
            into the first line of the module.
    """
    name = module_name(proto_file)
    if not (proto_file.isprintable() and "\\" not in proto_file and all(name.split("."))):
        raise UnusableNameError(f"{proto_file!r} is a name for which there can be no module")
    return name.replace(".", "/") + ".py"


@cache
def output_path(proto_file: str) -> str:
    """Return where the stubs of `proto_file` go, relative to the output directory; see `module_path`."""
    return module_path(proto_file).removesuffix(".py") + "_grpc.py"


@cache
def is_plain(dotted: str) -> bool:
    """Tell whether an import statement can say this module's name; leading dots are allowed."""
    parts = dotted.lstrip(".").split(".") if dotted.strip(".") else []
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in parts)


@cache
def needs_getattr(name: str) -> bool:
    """Tell whether `object.name` would not mean this name: a keyword, or one that classes mangle."""
    return keyword.iskeyword(name) or (name.startswith("__") and not name.endswith("__"))


def attribute(owner: str, name: str) -> str:
    """Return the expression for the attribute `name` of `owner`."""
    return f'getattr({owner}, "{name}")' if needs_getattr(name) else f"{owner}.{name}"


@dataclass(frozen=True)
class MessageName:
    """Where the class of one message is found."""

    proto_file: str
    path: tuple[str, ...]

    @cached_property
    def expression(self) -> str:
        """The class, as generated code says it."""
        text = module_alias(self.proto_file)
        for name in self.path:
            text = attribute(text, name)
        return text

    @cached_property
    def annotation(self) -> str:
        """The class, as an annotation says it; Any if no annotation can."""
        module = module_name(self.proto_file).split(".")
        if any(map(keyword.iskeyword, module)) or any(map(needs_getattr, self.path)):
            return "_typing.Any"
        return self.expression


def find_messages(files: Iterable[FileDescriptorProto]) -> dict[str, MessageName]:
    """Return all messages of `files` by their full name with a leading dot, as methods name them."""
    found: dict[str, MessageName] = {}

    def add(file: str, prefix: str, outer: tuple[str, ...], message: DescriptorProto) -> None:
        full_name, path = f"{prefix}.{message.name}", (*outer, message.name)
        found[full_name] = MessageName(file, path)
        for nested in message.nested_type:
            add(file, full_name, path, nested)

    for file in files:
        for message in file.message_type:
            add(file.name, f".{file.package}" if file.package else "", (), message)
    return found
