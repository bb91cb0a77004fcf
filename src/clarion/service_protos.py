"""Message classes of services that Clarion brings itself, such as `grpc.health.v1.Health`.

Rules:

- The contracts are shipped as serialized descriptors, so that neither protoc nor a fitting protobuf release is needed.
- Other libraries bring the same files, in one version or another. Where the process has the same file in protobuf's
  default pool already, its classes are taken. Otherwise they are from a pool of Clarion's own: so no module that is
  imported later finds its names taken.
- protobuf is imported when the first message is needed, not before.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor
    from google.protobuf.descriptor_pool import DescriptorPool

__all__ = ["ServiceMessages", "fill_module", "load", "own_pool"]

_lock = threading.Lock()


@functools.cache
def own_pool() -> DescriptorPool:
    """The pool of Clarion's own; it has every file that was loaded."""
    from google.protobuf import descriptor_pool

    return descriptor_pool.DescriptorPool()


class ServiceMessages(Mapping[str, Any]):
    """The message classes of a file, by name; they are also its attributes.

    Attributes:
        file: its descriptor.
    """

    def __init__(self, file: FileDescriptor) -> None:
        from google.protobuf import message_factory

        self.file = file
        self._classes: dict[str, Any] = {
            name: message_factory.GetMessageClass(message)
            for name, message in file.message_types_by_name.items()
        }

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._classes:
            raise AttributeError(f"{self.file.name} defines no message {name!r}")
        return self._classes[name]

    def __getitem__(self, name: str) -> Any:
        return self._classes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)


@functools.cache
def load(serialized: bytes) -> ServiceMessages:
    """The messages of a file.

    Args:
        serialized: its `FileDescriptorProto`, which imports no other.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool

    name = descriptor_pb2.FileDescriptorProto.FromString(serialized).name
    with _lock:
        own_pool().AddSerializedFile(serialized)
    file = own_pool().FindFileByName(name)
    try:
        present = descriptor_pool.Default().FindFileByName(name)
        if present.serialized_pb == serialized:
            file = present
    except KeyError:
        pass
    return ServiceMessages(file)


def fill_module(namespace: dict[str, Any], module: str, serialized: bytes) -> None:
    """Make a module what protoc would generate for a file, in protobuf's default pool.

    Args:
        namespace: the module's.
        module: its name; there `pickle` looks for the classes.
        serialized: as for `load`.

    Raises:
        TypeError: the process has other definitions of the same names.
    """
    from google.protobuf import descriptor_pool
    from google.protobuf.internal import builder

    with _lock:
        namespace["DESCRIPTOR"] = file = descriptor_pool.Default().AddSerializedFile(serialized)
        builder.BuildMessageAndEnumDescriptors(file, namespace)
        builder.BuildTopDescriptorsAndMessages(file, module, namespace)
