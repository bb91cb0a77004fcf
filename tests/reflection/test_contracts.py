"""The contracts that are shipped as descriptors are those that are shipped as .proto files."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

import clarion
from clarion.cli._protoc_binary import ProtocNotFoundError
from clarion.health.contract import HEALTH
from clarion.proto_imports.compiler import run_protoc
from clarion.proto_imports.messages import _clear_json_names
from clarion.reflection.contract import V1, V1ALPHA

FOLDER = Path(clarion.__file__).parent


@pytest.mark.parametrize(
    ("room", "path", "contract"),
    [
        ("health", "grpc_health/v1/health.proto", HEALTH),
        ("reflection", "grpc/reflection/v1/reflection.proto", V1),
        ("reflection", "grpc_reflection/v1alpha/reflection.proto", V1ALPHA),
    ],
)
def test_contract(room: str, path: str, contract: bytes) -> None:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    try:
        compiled = run_protoc([path], [str(FOLDER / room / "protos")])
    except ProtocNotFoundError as error:
        pytest.skip(str(error))
    [file] = FileDescriptorSet.FromString(compiled).file
    file.ClearField("source_code_info")
    for message in file.message_type:
        _clear_json_names(message)
    assert FileDescriptorProto.FromString(contract) == file, (
        f"{room}/contract.py should have {file.SerializeToString()!r}"
    )
