"""The channelz service, with Clarion's servicer."""

from __future__ import annotations

from clarion import channelz as _channelz
from grpc_channelz.v1 import channelz_pb2_grpc as _channelz_pb2_grpc

__all__ = ["ChannelzServicer"]


class ChannelzServicer(_channelz.ChannelzServicer, _channelz_pb2_grpc.ChannelzServicer):  # type: ignore[misc]
    """Clarion's, and one of the generated class's."""
