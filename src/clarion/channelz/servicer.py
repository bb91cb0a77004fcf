"""grpc.channelz.v1.Channelz for threads."""

from __future__ import annotations

from typing import Any, NoReturn

from clarion.channelz.answers import ANSWERS, Refused

__all__ = ["ChannelzServicer"]


def _answer(method: str, request: Any, context: Any) -> Any:
    try:
        return ANSWERS[method](request)
    except Refused as refused:
        _abort(context, refused)


def _abort(context: Any, refused: Refused) -> NoReturn:
    context.abort(refused.code, refused.details)
    raise AssertionError("abort() returned")


class ChannelzServicer:
    """Answers questions about this process's channels, servers and connections.

    It has the names and arguments of grpcio-channelz. It keeps nothing of its own, so any number of servers may have one.
    """

    @staticmethod
    def GetTopChannels(request: Any, context: Any) -> Any:
        """The channels that there are, page by page."""
        return _answer("GetTopChannels", request, context)

    @staticmethod
    def GetServers(request: Any, context: Any) -> Any:
        """The servers that there are, page by page."""
        return _answer("GetServers", request, context)

    @staticmethod
    def GetServer(request: Any, context: Any) -> Any:
        """One server."""
        return _answer("GetServer", request, context)

    @staticmethod
    def GetServerSockets(request: Any, context: Any) -> Any:
        """The connections of a server, page by page."""
        return _answer("GetServerSockets", request, context)

    @staticmethod
    def GetChannel(request: Any, context: Any) -> Any:
        """One channel."""
        return _answer("GetChannel", request, context)

    @staticmethod
    def GetSubchannel(request: Any, context: Any) -> Any:
        """One subchannel."""
        return _answer("GetSubchannel", request, context)

    @staticmethod
    def GetSocket(request: Any, context: Any) -> Any:
        """One connection, or one listening socket."""
        return _answer("GetSocket", request, context)
