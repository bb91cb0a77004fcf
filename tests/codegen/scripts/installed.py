"""Writes a FileDescriptorSet with the files of all message modules of some installed distributions.

    python installed.py FILE DISTRIBUTION...

It prints the files that are theirs; what those import is in the set, too.
"""

import importlib
import importlib.metadata
import sys

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

if __name__ == "__main__":
    written, *distributions = sys.argv[1:]
    found = FileDescriptorSet()
    taken = set()

    def add(descriptor):
        if descriptor.name not in taken:
            taken.add(descriptor.name)
            for dependency in descriptor.dependencies:
                add(dependency)
            found.file.append(FileDescriptorProto.FromString(descriptor.serialized_pb))

    own = []
    for distribution in distributions:
        for path in sorted(importlib.metadata.files(distribution)):
            if path.name.endswith("_pb2.py"):
                name = ".".join(path.with_suffix("").parts)
                descriptor = importlib.import_module(name).DESCRIPTOR
                own.append(descriptor.name)
                add(descriptor)
    with open(written, "wb") as file:
        file.write(found.SerializeToString())
    print("\n".join(own))
