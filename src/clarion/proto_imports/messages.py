"""Message classes from descriptors, as generated modules make them.

The classes do not depend on the protobuf package being as new as protoc, which generated files do.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import threading
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import (
        DescriptorProto,
        FieldDescriptorProto,
        FileDescriptorProto,
    )

__all__ = ["existing", "fill", "new_module", "publish"]

# One class is made at a time. Nothing is imported with this lock held, because threads that import hold locks, too.
_lock = threading.Lock()


def existing(name: str) -> ModuleType | None:
    """The module `name` if it is loaded, or can be."""
    if name not in sys.modules:
        importlib.invalidate_caches()
        try:
            found = importlib.util.find_spec(name) is not None
        except ModuleNotFoundError:
            # One of its packages.
            found = False
        if not found:
            return None
    # Also where it is loaded: another thread may not be done with it, and then this waits.
    return importlib.import_module(name)


def new_module(name: str, path: str) -> ModuleType:
    """An empty module for what is made from the .proto file `path`."""
    module = ModuleType(name, f"Made from {path} while the program runs.")
    module.__spec__ = ModuleSpec(name, None, origin=path)
    module.__package__ = name.rpartition(".")[0]
    return module


def publish(module: ModuleType) -> ModuleType:
    """Make a whole module known, to its package as well; return the one that another thread made first."""
    module = sys.modules.setdefault(module.__name__, module)
    package, _, child = module.__name__.rpartition(".")
    if package in sys.modules:
        setattr(sys.modules[package], child, module)
    return module


def fill(
    namespace: dict[str, Any],
    module: str,
    file: FileDescriptorProto,
    imported: Callable[[str], ModuleType],
) -> None:
    """Add what protoc's generated module for a file would hold.

    Args:
        namespace: where to.
        module: the name of the module that the classes say they are in; there `pickle` looks for them.
        file: the file.
        imported: gives the module of each file that it imports.

    Raises:
        TypeError: the process has other definitions of the same names.
    """
    from google.protobuf import descriptor_pool

    # What every generated module calls, of whatever version.
    from google.protobuf.internal import builder

    from clarion.codegen.names import module_alias

    modules = [imported(name) for name in file.dependency]
    for name, each in zip(file.dependency, modules, strict=True):
        namespace[module_alias(name)] = each
    for index in file.public_dependency:
        public = vars(modules[index]).items()
        namespace.update(
            {name: value for name, value in public if name[0] != "_" and name != "DESCRIPTOR"}
        )
    plain = type(file)()
    plain.CopyFrom(file)
    plain.ClearField("source_code_info")
    for extension in plain.extension:
        _clear_json_name(extension)
    for message in plain.message_type:
        _clear_json_names(message)
    with _lock:
        descriptor = descriptor_pool.Default().AddSerializedFile(plain.SerializeToString())
        namespace["DESCRIPTOR"] = descriptor
        builder.BuildMessageAndEnumDescriptors(descriptor, namespace)
        builder.BuildTopDescriptorsAndMessages(descriptor, module, namespace)


def _clear_json_names(message: DescriptorProto) -> None:
    """protoc's sets state the names that fields have by default, generated modules do not.

    One that came from elsewhere before must be the same to the byte.
    """
    for field in (*message.field, *message.extension):
        _clear_json_name(field)
    for nested in message.nested_type:
        _clear_json_names(nested)


def _clear_json_name(field: FieldDescriptorProto) -> None:
    default = re.sub("_+(.?)", lambda match: match[1].upper(), field.name)
    if field.json_name == default:
        field.ClearField("json_name")
