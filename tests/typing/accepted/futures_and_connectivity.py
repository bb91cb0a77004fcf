"""Futures with callbacks, readiness of a channel, and its states."""

from __future__ import annotations

import threading
from typing import assert_type

import places_pb2
import places_pb2_grpc

import clarion as grpc


def on_future(future: grpc.Future[places_pb2.Place]) -> None:
    print(future.result())


def on_call(call: grpc.Call) -> None:
    print(call.code())


def on_anything(future: grpc.Future) -> None:
    print(future.done())


def futures(stub: places_pb2_grpc.PlacesStub) -> None:
    future = stub.Get.future(places_pb2.Point(), timeout=1)
    assert_type(future, grpc.CallFuture[places_pb2.Place])
    future.add_done_callback(on_future)
    future.add_done_callback(on_call)
    future.add_done_callback(on_anything)
    future.add_done_callback(lambda done: print(done.result().name))
    assert_type(future.result(), places_pb2.Place)
    try:
        print(future.result(timeout=0.5))
    except grpc.FutureTimeoutError:
        future.cancel()
    except grpc.FutureCancelledError:
        print(future.cancelled(), future.running(), future.exception(), future.traceback())
    finished = threading.Event()
    stub.List(places_pb2.Area()).add_done_callback(lambda call: finished.set())


def ready(channel: grpc.Channel) -> None:
    grpc.channel_ready_future(channel).result(timeout=10)
    waiting = grpc.channel_ready_future(channel)
    assert_type(waiting, grpc.Future[None])
    waiting.add_done_callback(lambda future: print(future.done()))
    waiting.cancel()


def states(channel: grpc.Channel) -> None:
    seen: list[grpc.ChannelConnectivity] = []
    channel.subscribe(seen.append, try_to_connect=True)
    channel.unsubscribe(seen.append)

    def on_state(state: grpc.ChannelConnectivity) -> None:
        if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            channel.unsubscribe(on_state)

    channel.subscribe(on_state)
    channel.close()
