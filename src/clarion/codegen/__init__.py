"""The generator of `NAME_pb2_grpc.py`: stubs, servicers and their registration; and of their types, `NAME_pb2_grpc.pyi`.

It reads a serialized FileDescriptorSet and returns text. Rules: no file and no process is touched
here; the same input gives the same text, byte for byte; the names and shapes are those that
grpcio-tools generates, so that either one's output can stand in for the other's. There is no version
check in the generated code: what it uses is the public API, which stays.
"""

from __future__ import annotations

from clarion.codegen.module import generate
from clarion.codegen.stub_file import generate_types

__all__ = ["generate", "generate_types"]
