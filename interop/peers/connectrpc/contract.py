"""What client and server share: flags, messages from the descriptor set, methods as connectrpc has them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodOptions
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

__all__ = ["INITIAL", "REQUESTS", "RESPONSES", "TRAILING", "Contract", "flags"]

INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"
REQUESTS = (27182, 8, 1828, 45904)
RESPONSES = (31415, 9, 2653, 58979)

_KINDS = {
    (False, False): StreamType.UNARY,
    (True, False): StreamType.CLIENT_STREAM,
    (False, True): StreamType.SERVER_STREAM,
    (True, True): StreamType.BIDI_STREAM,
}


def flags() -> argparse.Namespace:
    """The flags of either program; what is not known to it does not matter to it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--server_host", default="localhost")
    parser.add_argument("--server_port", type=int, default=0)
    parser.add_argument("--test_case", default="")
    parser.add_argument("--use_tls", default="false")
    parser.add_argument("--protocol", default="connect")
    parser.add_argument("--http_version", default="2")
    parser.add_argument("--codec", default="proto")
    parser.add_argument("--descriptors", type=Path)
    parser.add_argument("--certificates", type=Path)
    return parser.parse_known_args()[0]


class Contract:
    """Messages and methods by their names."""

    def __init__(self, descriptors: Path) -> None:
        self._pool = DescriptorPool()
        for file in FileDescriptorSet.FromString(descriptors.read_bytes()).file:
            self._pool.Add(file)

    def message(self, name: str) -> Any:
        return GetMessageClass(self._pool.FindMessageTypeByName(f"grpc.testing.{name}"))

    def payload(self, size: int) -> Any:
        return self.message("Payload")(body=bytes(size))

    def method(self, name: str, service: str = "TestService") -> MethodInfo[Any, Any]:
        full = f"grpc.testing.{service}"
        found = self._pool.FindServiceByName(full).methods_by_name[name]
        safe = found.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
        return MethodInfo(
            name=name,
            service_name=full,
            input=GetMessageClass(found.input_type),
            output=GetMessageClass(found.output_type),
            idempotency_level=IdempotencyLevel.NO_SIDE_EFFECTS
            if safe
            else IdempotencyLevel.UNKNOWN,
            stream_type=_KINDS[found.client_streaming, found.server_streaming],
        )
