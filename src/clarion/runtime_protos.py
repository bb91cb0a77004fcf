"""Message classes and stubs from a .proto file while the program runs, without generated files.

`clarion.protos("hello.proto")` is what `import hello_pb2` would give had protoc been run before, and
`clarion.services("hello.proto")` what `import hello_pb2_grpc` would. Rules it keeps:

- A module that exists already, generated on disk or loaded before, is taken as it is.
- protoc says what the files mean, and the modules are built from its descriptors. So they do not depend on the
  protobuf package being as new as protoc, which generated files do.
- Modules go into `sys.modules` when they are whole, under their usual names, so that messages can be pickled and
  other modules can import them. No import hook is installed.
- Compiler and generator are imported with the first call: most programs never make one.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import threading
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import (
        DescriptorProto,
        FieldDescriptorProto,
        FileDescriptorProto,
    )

__all__ = ["protos", "protos_and_services", "services"]

# One at a time: two calls may need the same imports.
_lock = threading.RLock()

# `hello.proto:3:12: Expected ";".`, or without column, or without line.
_PLACE = r"(?m)^(?P<file>(?:[A-Za-z]:)?[^:\n]+):(?:(?P<line>\d+):)?(?:(?P<column>\d+):)?"


def protos(protobuf_path: str) -> ModuleType:
    """Compile a .proto file; return the module with its message classes, as `hello_pb2` would be.

    Args:
        protobuf_path: the file, relative to a directory on `sys.path`, such as `company/hello.proto`. What it
            imports is looked for there too.

    Raises:
        NotImplementedError: there is no protoc; says what to install.
        ModuleNotFoundError: no directory on `sys.path` has the file.
        SyntaxError: protoc does not accept the file, or one that it imports; says where and why.
    """
    with _lock:
        return _protos(_Source(protobuf_path))


def services(protobuf_path: str) -> ModuleType:
    """Compile a .proto file; return the module with its stubs and servicers, as `hello_pb2_grpc` would be.

    Args:
        protobuf_path: see `protos`.

    Raises:
        NotImplementedError, ModuleNotFoundError, SyntaxError: see `protos`.
    """
    return protos_and_services(protobuf_path)[1]


def protos_and_services(protobuf_path: str) -> tuple[ModuleType, ModuleType]:
    """Both `protos(protobuf_path)` and `services(protobuf_path)`.

    Args:
        protobuf_path: see `protos`.

    Raises:
        NotImplementedError, ModuleNotFoundError, SyntaxError: see `protos`.
    """
    with _lock:
        source = _Source(protobuf_path)
        messages = _protos(source)
        return messages, _services(source)


class _Source:
    """A .proto file to compile, at most once."""

    def __init__(self, path: str) -> None:
        from clarion.codegen.names import module_name

        self.path = path.replace(os.sep, "/")
        self.module = module_name(self.path)
        self._compiled: bytes | None = None

    @property
    def descriptors(self) -> bytes:
        """The serialized FileDescriptorSet of the file and all it imports, those first."""
        if self._compiled is None:
            self._compiled = _compile(self.path)
        return self._compiled


def _existing(name: str) -> ModuleType | None:
    """The module `name` if it is loaded, or can be."""
    module = sys.modules.get(name)
    if module is None:
        importlib.invalidate_caches()
        try:
            found = importlib.util.find_spec(name) is not None
        except ModuleNotFoundError:
            # One of its packages.
            found = False
        if not found:
            return None
        module = importlib.import_module(name)
    return module


def _add(module: ModuleType) -> None:
    """Make `module` known, to its package as well."""
    sys.modules[module.__name__] = module
    package, _, child = module.__name__.rpartition(".")
    if package in sys.modules:
        setattr(sys.modules[package], child, module)


def _new_module(name: str, path: str) -> ModuleType:
    module = ModuleType(name, f"Made from {path} while the program runs.")
    module.__spec__ = ModuleSpec(name, None, origin=path)
    module.__package__ = name.rpartition(".")[0]
    return module


def _protos(source: _Source) -> ModuleType:
    module = _existing(source.module)
    if module is not None:
        return module
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    from clarion.codegen.names import module_name

    for file in FileDescriptorSet.FromString(source.descriptors).file:
        if _existing(module_name(file.name)) is None:
            _add(_messages(file))
    return sys.modules[source.module]


def _messages(file: FileDescriptorProto) -> ModuleType:
    """The module of one file, all imports of which are modules already."""
    from google.protobuf import descriptor_pool

    # What every generated module calls, of whatever version.
    from google.protobuf.internal import builder

    from clarion.codegen.names import module_alias, module_name

    module = _new_module(module_name(file.name), file.name)
    for imported in file.dependency:
        setattr(module, module_alias(imported), sys.modules[module_name(imported)])
    for index in file.public_dependency:
        for name, value in vars(sys.modules[module_name(file.dependency[index])]).items():
            if not name.startswith("_") and name != "DESCRIPTOR":
                setattr(module, name, value)
    file.ClearField("source_code_info")
    for extension in file.extension:
        _clear_json_name(extension)
    for message in file.message_type:
        _clear_json_names(message)
    descriptor = descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    namespace = vars(module)
    namespace["DESCRIPTOR"] = descriptor
    builder.BuildMessageAndEnumDescriptors(descriptor, namespace)
    builder.BuildTopDescriptorsAndMessages(descriptor, module.__name__, namespace)
    return module


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


def _services(source: _Source) -> ModuleType:
    name = source.module + "_grpc"
    existing = _existing(name)
    if existing is not None:
        return existing
    from clarion.codegen import generate

    [text] = generate(source.descriptors, [source.path]).values()
    module = _new_module(name, source.path)
    exec(compile(text, f"<made from {source.path}>", "exec"), vars(module))
    _add(module)
    return module


def _compile(path: str) -> bytes:
    """The descriptors of the file `path` and its imports; see `protos` for what it raises."""
    import subprocess
    import tempfile

    from clarion.cli._protoc_binary import ProtocNotFoundError, find_protoc, include_flags

    try:
        protoc = find_protoc()
    except ProtocNotFoundError as error:
        raise NotImplementedError(f"cannot compile {path}: {error}") from None
    places = _places()
    if not any(os.path.isfile(os.path.join(place, path)) for place in places):
        raise ModuleNotFoundError(
            f"no directory on sys.path has {path}; looked in {', '.join(places)}", path=path
        )
    arguments = [f"-I{place}" for place in places]
    arguments += include_flags(protoc, arguments)
    # In an empty directory, so that a file of that name in the current one does not confuse protoc.
    with tempfile.TemporaryDirectory(prefix="clarion-protos-") as folder:
        done = subprocess.run(
            [
                protoc,
                *arguments,
                "--include_imports",
                "--include_source_info",
                "--descriptor_set_out=set",
                path,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=folder,
            check=False,
        )
        if done.returncode:
            raise _refused(path, done.stderr.decode("utf-8", "replace").strip())
        with open(os.path.join(folder, "set"), "rb") as descriptors:
            return descriptors.read()


def _places() -> list[str]:
    """The directories on `sys.path`, in order, as protoc takes them."""
    found = dict.fromkeys(os.path.abspath(place) for place in sys.path)
    return [place for place in found if os.path.isdir(place) and os.pathsep not in place]


def _refused(path: str, messages: str) -> SyntaxError:
    error = SyntaxError(f"protoc does not accept {path}:\n{messages}")
    place = re.search(_PLACE, messages)
    if place is not None:
        error.filename = place["file"]
        error.lineno = int(place["line"]) if place["line"] else None
        error.offset = int(place["column"]) if place["column"] else None
    return error
