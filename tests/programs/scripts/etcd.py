"""etcd-sdk-python: get, put, prefix, delete, transaction, lease and watch against servicers."""

from __future__ import annotations

import queue

import grpc
import pyetcd
from common import LIMIT, serving
from pyetcd.etcdrpc import kv_pb2, rpc_pb2, rpc_pb2_grpc


class KV(rpc_pb2_grpc.KVServicer):
    def __init__(self):
        self.store = {}
        self.changes = queue.SimpleQueue()

    def Put(self, request, context):
        self.store[request.key] = request.value
        self.changes.put(kv_pb2.KeyValue(key=request.key, value=request.value))
        return rpc_pb2.PutResponse()

    def Range(self, request, context):
        if request.key == b"/out-of-order":
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "out of order")
        if request.range_end:
            keys = sorted(key for key in self.store if request.key <= key < request.range_end)
        else:
            keys = [key for key in self.store if key == request.key]
        kvs = [kv_pb2.KeyValue(key=key, value=self.store[key]) for key in keys]
        return rpc_pb2.RangeResponse(kvs=kvs, count=len(kvs))

    def DeleteRange(self, request, context):
        return rpc_pb2.DeleteRangeResponse(
            deleted=int(self.store.pop(request.key, None) is not None)
        )


class Lease(rpc_pb2_grpc.LeaseServicer):
    def LeaseGrant(self, request, context):
        return rpc_pb2.LeaseGrantResponse(ID=7, TTL=request.TTL)

    def LeaseKeepAlive(self, request_iterator, context):
        for request in request_iterator:
            yield rpc_pb2.LeaseKeepAliveResponse(ID=request.ID, TTL=9)


class Watch(rpc_pb2_grpc.WatchServicer):
    def __init__(self, kv):
        self.kv = kv

    def Watch(self, request_iterator, context):
        assert next(request_iterator).HasField("create_request")
        yield rpc_pb2.WatchResponse(watch_id=1, created=True)
        change = self.kv.changes.get(timeout=LIMIT)
        event = kv_pb2.Event(type=kv_pb2.Event.PUT, kv=change)
        yield rpc_pb2.WatchResponse(watch_id=1, events=[event])
        for _ in request_iterator:
            yield rpc_pb2.WatchResponse(watch_id=1, canceled=True)


kv = KV()


def add(server):
    rpc_pb2_grpc.add_KVServicer_to_server(kv, server)
    rpc_pb2_grpc.add_LeaseServicer_to_server(Lease(), server)
    rpc_pb2_grpc.add_WatchServicer_to_server(Watch(kv), server)


with serving(add) as target:
    host, port = target.split(":")
    with pyetcd.client(host=host, port=int(port), timeout=LIMIT) as etcd:
        for key, value in ("/a/1", "x"), ("/a/2", "y"), ("/b", "z"):
            etcd.put(key, value)
        kv.changes = queue.SimpleQueue()
        assert etcd.get("/b")[0] == b"z"
        assert etcd.get("/none")[0] is None
        assert [value for value, _ in etcd.get_prefix("/a/")] == [b"x", b"y"]
        assert etcd.delete("/b")
        assert not etcd.delete("/b")
        try:
            etcd.get("/out-of-order")
        except pyetcd.exceptions.PreconditionFailedError:
            pass
        else:
            raise AssertionError("no error")
        lease = etcd.lease(60)
        assert lease.id == 7
        assert [answer.TTL for answer in lease.refresh()] == [9]
        events, cancel = etcd.watch("/a/1")
        etcd.put("/a/1", "changed")
        assert next(events).value == b"changed"
        cancel()

with pyetcd.client(host="127.0.0.1", port=1, timeout=LIMIT) as etcd:
    try:
        etcd.get("/a/1")
    except pyetcd.exceptions.ConnectionFailedError:
        pass
    else:
        raise AssertionError("no error")
