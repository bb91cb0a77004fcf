"""The channelz service, with Clarion's servicers."""

from __future__ import annotations

from clarion.channelz import add_service as add_channelz_servicer
from grpc_channelz.v1 import _async as aio
from grpc_channelz.v1._servicer import ChannelzServicer

__all__ = ["ChannelzServicer", "add_channelz_servicer", "aio"]
