"""`grpc_channelz` where Clarion stands in grpcio's place."""

from __future__ import annotations

from support.processes import run_script

IN_ITS_PLACE = """
import sys
import clarion
clarion.install_as_grpc()
import grpc
from concurrent import futures
from grpc_channelz.v1 import channelz, channelz_pb2, channelz_pb2_grpc
from grpc_channelz.v1 import _async, _servicer

for module in (channelz, channelz_pb2, channelz_pb2_grpc):
    assert module.__file__.startswith(clarion.replace.FOLDER), module.__file__
assert channelz.aio is _async and channelz.ChannelzServicer is _servicer.ChannelzServicer
assert set(channelz.__all__) == {"ChannelzServicer", "add_channelz_servicer", "aio"}
for servicer in (channelz.ChannelzServicer, channelz.aio.ChannelzServicer):
    assert issubclass(servicer, channelz_pb2_grpc.ChannelzServicer)
assert channelz_pb2.DESCRIPTOR.name == "grpc_channelz/v1/channelz.proto"
assert channelz_pb2.ChannelConnectivityState.READY == 3
import pickle
reference = channelz_pb2.ChannelRef(channel_id=3)
assert pickle.loads(pickle.dumps(reference)) == reference

pool = futures.ThreadPoolExecutor(1)
server = grpc.server(pool)
channelz.add_channelz_servicer(server)
other = grpc.server(pool)
channelz_pb2_grpc.add_ChannelzServicer_to_server(channelz.ChannelzServicer(), other)
for one in (server, other):
    port = one.add_insecure_port("127.0.0.1:0")
    one.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = channelz_pb2_grpc.ChannelzStub(channel)
        found = stub.GetServers(channelz_pb2.GetServersRequest(), timeout=30)
        assert len(found.server) == (2 if one is server else 1), found
        answer = channelz.ChannelzServicer.GetServers(channelz_pb2.GetServersRequest(), None)
        assert type(answer) is channelz_pb2.GetServersResponse
        try:
            stub.GetSocket(channelz_pb2.GetSocketRequest(socket_id=10**6), timeout=30)
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.NOT_FOUND
        else:
            raise AssertionError
    one.stop(None).wait(30)
print("right")
"""


def test_the_names_of_grpcio_channelz() -> None:
    done = run_script(IN_ITS_PLACE)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "right\n")
