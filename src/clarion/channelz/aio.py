"""grpc.channelz.v1.Channelz for asyncio."""

from __future__ import annotations

from typing import Any

from clarion.channelz.answers import ANSWERS, Refused

__all__ = ["ChannelzServicer"]


async def _answer(method: str, request: Any, context: Any) -> Any:
    try:
        return ANSWERS[method](request)
    except Refused as refused:
        await context.abort(refused.code, refused.details)


class ChannelzServicer:
    """See `clarion.channelz.ChannelzServicer`."""

    @staticmethod
    async def GetTopChannels(request: Any, context: Any) -> Any:
        """The channels that there are, page by page."""
        return await _answer("GetTopChannels", request, context)

    @staticmethod
    async def GetServers(request: Any, context: Any) -> Any:
        """The servers that there are, page by page."""
        return await _answer("GetServers", request, context)

    @staticmethod
    async def GetServer(request: Any, context: Any) -> Any:
        """One server."""
        return await _answer("GetServer", request, context)

    @staticmethod
    async def GetServerSockets(request: Any, context: Any) -> Any:
        """The connections of a server, page by page."""
        return await _answer("GetServerSockets", request, context)

    @staticmethod
    async def GetChannel(request: Any, context: Any) -> Any:
        """One channel."""
        return await _answer("GetChannel", request, context)

    @staticmethod
    async def GetSubchannel(request: Any, context: Any) -> Any:
        """One subchannel."""
        return await _answer("GetSubchannel", request, context)

    @staticmethod
    async def GetSocket(request: Any, context: Any) -> Any:
        """One connection, or one listening socket."""
        return await _answer("GetSocket", request, context)
