"""Showing what a process does with gRPC while it runs: the service grpc.channelz.v1.Channelz (gRFC A14).

    clarion.channelz.add_service(server)

Whoever may call that server sees the channels, subchannels, servers and connections of the whole process, with their
states, what happened to them, and what they counted. `clarion channelz HOST:PORT` shows it to people. It works with both
front ends. `ChannelzServicer`, and `aio.ChannelzServicer`, have the API of grpcio-channelz.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from clarion.channelz.messages import SERVICE_NAME, messages, method_handlers
from clarion.first_use import on_first_use

if TYPE_CHECKING:
    from clarion.aio import interfaces as aio_interfaces
    from clarion.channelz import aio as aio
    from clarion.channelz.servicer import ChannelzServicer
    from clarion.sync.interfaces import Server
else:
    __getattr__ = on_first_use(
        __name__, {"clarion.channelz.servicer": "ChannelzServicer"}, submodules=("aio",)
    )

__all__ = ["SERVICE_NAME", "ChannelzServicer", "add_service", "aio", "messages"]


def add_service(server: Server | aio_interfaces.Server) -> None:
    """Let clients of `server` ask about this process.

    What they are told is no secret of calls, but addresses, targets, certificates and how busy the process is. Where
    others than operators can reach the server, see `clarion.auth` for who may call it.

    Args:
        server: a server of either front end, before or after it was started.
    """
    loaded = sys.modules.get("clarion.aio")
    servicer: Any
    if loaded is not None and isinstance(server, loaded.Server):
        from clarion.channelz.aio import ChannelzServicer as AioServicer

        servicer = AioServicer()
    else:
        from clarion.channelz.servicer import ChannelzServicer

        servicer = ChannelzServicer()
    server.add_registered_method_handlers(SERVICE_NAME, method_handlers(servicer))
