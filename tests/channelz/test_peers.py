"""Channelz between Clarion and grpcio with grpcio-channelz."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

import clarion
from support.libraries import LIMIT

grpc = pytest.importorskip("grpc")
stubs = pytest.importorskip("grpc_channelz.v1.channelz_pb2_grpc")
theirs = pytest.importorskip("grpc_channelz.v1.channelz")
pb = pytest.importorskip("grpc_channelz.v1.channelz_pb2")


class Side:
    """A process of which one asks: a server, a channel of the same library to it, and the answers it gives."""

    def __init__(self, library: Any, add: Callable[[Any], object], ask_with: Any) -> None:
        self._pool = futures.ThreadPoolExecutor(4)
        self._server: Any = library.server(self._pool)
        add(self._server)

        def echo(request: bytes, context: Any) -> bytes:
            return request

        handlers = {"Echo": library.unary_unary_rpc_method_handler(echo)}
        generic = library.method_handlers_generic_handler("test.Service", handlers)
        self._server.add_generic_rpc_handlers((generic,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self._channel = library.insecure_channel(f"127.0.0.1:{self.port}")
        self._asking = ask_with.insecure_channel(f"127.0.0.1:{self.port}")
        self.stub = stubs.ChannelzStub(self._asking)

    def call(self, method: str) -> None:
        self._channel.unary_unary(f"/test.Service/{method}")(b"x", timeout=LIMIT)

    def find(self) -> tuple[Any, Any]:
        """The channel and the server."""
        target = f"127.0.0.1:{self.port}"
        channels = self.stub.GetTopChannels(pb.GetTopChannelsRequest(), timeout=LIMIT).channel
        [channel] = [
            each
            for each in channels
            if each.data.target.endswith(target) and each.data.calls_failed
        ]
        servers = self.stub.GetServers(pb.GetServersRequest(), timeout=LIMIT).server
        # Nothing else makes any meanwhile.
        server = max(servers, key=lambda each: each.ref.server_id)
        return channel, server

    def close(self) -> None:
        self._channel.close()
        self._asking.close()
        self._server.stop(None).wait(LIMIT)
        self._pool.shutdown()


@pytest.fixture
def sides() -> Iterator[dict[str, Side]]:
    from clarion import channelz

    sides = {
        "clarion": Side(clarion, channelz.add_service, grpc),
        "grpcio": Side(grpc, theirs.add_channelz_servicer, clarion),
    }
    yield sides
    for side in sides.values():
        side.close()


def shape(message: Any, prefix: str = "") -> set[str]:
    """The names of all fields that are set, those of repeated messages once."""
    found = set()
    for field, value in message.ListFields():
        name = f"{prefix}{field.name}"
        found.add(name)
        if field.message_type is not None:
            several = isinstance(value, type(message)) or hasattr(value, "ListFields")
            for each in [value] if several else value:
                found |= shape(each, f"{name}.")
    return found


def test_answers_are_like_those_of_grpcio(sides: dict[str, Side]) -> None:
    shapes: dict[str, dict[str, set[str]]] = {}
    counts: dict[str, list[int]] = {}
    for name, side in sides.items():
        for _ in range(2):
            # What Clarion's times begin with is the first question.
            side.call("Echo")
            with pytest.raises((clarion.RpcError, grpc.RpcError)):
                side.call("Unknown")
            channel, server = side.find()
            [reference] = channel.subchannel_ref
            subchannel = side.stub.GetSubchannel(
                pb.GetSubchannelRequest(subchannel_id=reference.subchannel_id), timeout=LIMIT
            ).subchannel
            [mine] = subchannel.socket_ref
            sockets = side.stub.GetServerSockets(
                pb.GetServerSocketsRequest(server_id=server.ref.server_id), timeout=LIMIT
            )
            ends = [
                side.stub.GetSocket(pb.GetSocketRequest(socket_id=each), timeout=LIMIT).socket
                for each in (mine.socket_id, sockets.socket_ref[0].socket_id)
            ]
            listening = side.stub.GetSocket(
                pb.GetSocketRequest(socket_id=server.listen_socket[0].socket_id), timeout=LIMIT
            ).socket
        shapes[name] = {
            "channel": shape(channel),
            "subchannel": shape(subchannel),
            "server": shape(server),
            "client socket": shape(ends[0]),
            "server socket": shape(ends[1]),
            "listening": shape(listening),
        }
        data = channel.data, subchannel.data
        counts[name] = [
            *((each.calls_started, each.calls_succeeded, each.calls_failed) for each in data),
            ends[0].data.streams_started,
            ends[0].data.streams_succeeded,
            ends[0].data.messages_sent,
            ends[0].data.messages_received,
        ]
        assert ends[0].remote.tcpip_address.port == side.port
    assert counts["clarion"] == counts["grpcio"]
    # grpcio sends a PING now and then to measure the bandwidth, and counts it as a sign of life that it wanted.
    unasked = {"data.keep_alives_sent"}
    for what, theirs in shapes["grpcio"].items():
        assert theirs - shapes["clarion"][what] <= unasked, what


@pytest.mark.parametrize("name", ["clarion", "grpcio"])
def test_errors_are_those_of_grpcio(sides: dict[str, Side], name: str) -> None:
    stub = sides[name].stub
    unknown = 2**40
    for ask, request in (
        (stub.GetChannel, pb.GetChannelRequest(channel_id=unknown)),
        (stub.GetSubchannel, pb.GetSubchannelRequest(subchannel_id=unknown)),
        (stub.GetServer, pb.GetServerRequest(server_id=unknown)),
        (stub.GetServerSockets, pb.GetServerSocketsRequest(server_id=unknown)),
        (stub.GetSocket, pb.GetSocketRequest(socket_id=unknown)),
    ):
        with pytest.raises((clarion.RpcError, grpc.RpcError)) as caught:
            ask(request, timeout=LIMIT)
        error: Any = caught.value
        assert error.code().name == "NOT_FOUND"
        assert str(unknown) in error.details()
