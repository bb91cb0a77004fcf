"""Stubs, servicers and their registration, made while the program runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from clarion.codegen import generate
from clarion.codegen.class_names import FURTHER
from clarion.codegen.layout import Layout
from clarion.codegen.names import module_alias

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

__all__ = ["make_services"]


class _NoImports(Layout):
    """For generated code that finds the modules of its messages in its namespace.

    Were they imported by name, that would happen while one of them is being imported.
    """

    def import_lines(self, importer: str, proto_files: Iterable[str]) -> list[str]:
        return []


def make_services(
    file: FileDescriptorProto,
    descriptor: FileDescriptor,
    module: str,
    modules: Callable[[str], ModuleType],
) -> dict[str, Any]:
    """Run the code that would be generated for the services of a file; return what it defines.

    Args:
        file: the file; with source info, comments become docstrings.
        descriptor: the same file, as it was loaded.
        module: the name of the module that the classes say they are in.
        modules: gives the module with the messages of the file, or of one that it imports.
    """
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    if not file.service:
        return {}
    every = FileDescriptorSet()
    namespace: dict[str, Any] = {"__name__": module, "__builtins__": __builtins__}
    wanted = [descriptor]
    seen: set[str] = set()
    while wanted:
        each = wanted.pop()
        if each.name in seen:
            continue
        seen.add(each.name)
        wanted += each.dependencies
        if each is descriptor:
            every.file.append(file)
        else:
            each.CopyToProto(every.file.add())
        namespace[module_alias(each.name)] = modules(each.name)
    before = set(namespace)
    [text] = generate(every.SerializeToString(), [file.name], _NoImports()).values()
    exec(compile(text, f"<made from {file.name}>", "exec"), namespace)  # nosec B102  # made here
    # A generated module makes some classes when they are first used; a namespace cannot.
    for name in namespace[FURTHER]:
        namespace["__getattr__"](name)
    return {
        name: value
        for name, value in namespace.items()
        if name not in before and not name.startswith("_") and not isinstance(value, ModuleType)
    }
