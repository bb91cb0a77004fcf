"""Python names of .proto names."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from clarion.codegen.names import (
    MessageName,
    attribute,
    find_messages,
    module_alias,
    module_name,
    output_path,
)


@pytest.mark.parametrize(
    ("proto", "module", "alias", "output"),
    [
        ("hello.proto", "hello_pb2", "hello__pb2", "hello_pb2_grpc.py"),
        ("a/b/c.proto", "a.b.c_pb2", "a_dot_b_dot_c__pb2", "a/b/c_pb2_grpc.py"),
        ("a-b/c-d.proto", "a_b.c_d_pb2", "a__b_dot_c__d__pb2", "a_b/c_d_pb2_grpc.py"),
        ("under_score.proto", "under_score_pb2", "under__score__pb2", "under_score_pb2_grpc.py"),
        ("old.protodevel", "old_pb2", "old__pb2", "old_pb2_grpc.py"),
        ("no_suffix", "no_suffix_pb2", "no__suffix__pb2", "no_suffix_pb2_grpc.py"),
    ],
)
def test_modules(proto: str, module: str, alias: str, output: str) -> None:
    assert module_name(proto) == module
    assert module_alias(proto) == alias
    assert output_path(proto) == output


@pytest.mark.parametrize(
    ("name", "expression"),
    [
        ("plain", "owner.plain"),
        ("print", "owner.print"),
        ("None", 'getattr(owner, "None")'),
        ("class", 'getattr(owner, "class")'),
        ("__mangled", 'getattr(owner, "__mangled")'),
        ("__dunder__", "owner.__dunder__"),
    ],
)
def test_attributes(name: str, expression: str) -> None:
    assert attribute("owner", name) == expression


def test_messages_are_found_at_any_depth_with_and_without_a_package() -> None:
    packaged = FileDescriptorProto(name="a.proto", package="p.q")
    packaged.message_type.add(name="A").nested_type.add(name="B").nested_type.add(name="C")
    bare = FileDescriptorProto(name="b.proto")
    bare.message_type.add(name="D")
    assert find_messages([packaged, bare]) == {
        ".p.q.A": MessageName("a.proto", ("A",)),
        ".p.q.A.B": MessageName("a.proto", ("A", "B")),
        ".p.q.A.B.C": MessageName("a.proto", ("A", "B", "C")),
        ".D": MessageName("b.proto", ("D",)),
    }
