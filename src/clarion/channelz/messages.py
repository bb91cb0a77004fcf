"""The messages of grpc.channelz.v1, and the handlers of a servicer."""

from __future__ import annotations

import functools
from typing import Any

from clarion.channelz.contract import CHANNELZ
from clarion.method import RpcMethodHandler, unary_unary_rpc_method_handler
from clarion.service_protos import ServiceMessages, load, own_pool

__all__ = ["METHODS", "SERVICE_NAME", "messages", "method_handlers"]

SERVICE_NAME = "grpc.channelz.v1.Channelz"
METHODS = (
    "GetTopChannels",
    "GetServers",
    "GetServer",
    "GetServerSockets",
    "GetChannel",
    "GetSubchannel",
    "GetSocket",
)


@functools.cache
def messages() -> ServiceMessages:
    """The message classes, by name."""
    from google.protobuf import any_pb2, duration_pb2, timestamp_pb2, wrappers_pb2

    for module in (any_pb2, duration_pb2, timestamp_pb2, wrappers_pb2):
        own_pool().AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    return load(CHANNELZ)


def method_handlers(servicer: Any) -> dict[str, RpcMethodHandler]:
    """The handlers of a servicer of either front end, by method name."""
    known = messages()
    return {
        name: unary_unary_rpc_method_handler(
            getattr(servicer, name),
            known[f"{name}Request"].FromString,
            known[f"{name}Response"].SerializeToString,
        )
        for name in METHODS
    }
