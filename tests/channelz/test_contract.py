"""The descriptor that is shipped is that of the .proto file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clarion import channelz
from clarion.channelz.contract import CHANNELZ
from clarion.cli._protoc_binary import ProtocNotFoundError
from clarion.proto_imports.compiler import run_protoc

PATH = "grpc_channelz/v1/channelz.proto"


def test_contract() -> None:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

    place = Path(channelz.__file__).parent / "protos"
    try:
        compiled = run_protoc([PATH], [str(place)])
    except ProtocNotFoundError as error:
        pytest.skip(str(error))
    [file] = [each for each in FileDescriptorSet.FromString(compiled).file if each.name == PATH]
    file.ClearField("source_code_info")

    def clear(message: Any) -> None:
        for field in message.field:
            field.ClearField("json_name")
        for nested in message.nested_type:
            clear(nested)

    for message in file.message_type:
        clear(message)
    assert FileDescriptorProto.FromString(CHANNELZ) == file, (
        f"CHANNELZ in contract.py has to be {file.SerializeToString()!r}"
    )
