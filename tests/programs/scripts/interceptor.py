"""grpc-interceptor: its bases and its exceptions on both servers and on the client, and its own test service."""

from __future__ import annotations

import asyncio

import grpc
from common import LIMIT, handlers, serving, serving_aio
from grpc_interceptor import AsyncServerInterceptor, ClientInterceptor, ServerInterceptor
from grpc_interceptor.exception_to_status import (
    AsyncExceptionToStatusInterceptor,
    ExceptionToStatusInterceptor,
)
from grpc_interceptor.exceptions import NotFound
from grpc_interceptor.testing import DummyRequest, dummy_client, raises


class Recording(ServerInterceptor):
    def __init__(self):
        self.methods = []

    def intercept(self, method, request_or_iterator, context, method_name):
        self.methods.append(method_name)
        return method(request_or_iterator, context)


class AsyncRecording(AsyncServerInterceptor):
    def __init__(self):
        self.methods = []

    async def intercept(self, method, request_or_iterator, context, method_name):
        self.methods.append(method_name)
        response = method(request_or_iterator, context)
        return response if hasattr(response, "__aiter__") else await response


class Tagging(ClientInterceptor):
    def intercept(self, method, request_or_iterator, call_details):
        details = call_details._replace(metadata=[*(call_details.metadata or ()), ("tag", "blue")])
        return method(request_or_iterator, details)


recording = Recording()
special = {"lost": raises(NotFound("lost it")), "bad": raises(ZeroDivisionError("by zero"))}
with dummy_client(
    special_cases=special,
    interceptors=[
        recording,
        ExceptionToStatusInterceptor(status_on_unknown_exception=grpc.StatusCode.DATA_LOSS),
    ],
) as client:
    assert client.Execute(DummyRequest(input="a")).output == "a"
    one_by_one = (DummyRequest(input=letter) for letter in "bcd")
    assert client.ExecuteClientStream(one_by_one).output == "bcd"
    got = client.ExecuteServerStream(DummyRequest(input="efg"))
    assert [response.output for response in got] == ["e", "f", "g"]
    one_by_one = (DummyRequest(input=letter) for letter in "hij")
    got = client.ExecuteClientServerStream(one_by_one)
    assert [response.output for response in got] == ["h", "i", "j"]
    for name, code, details in (
        ("lost", grpc.StatusCode.NOT_FOUND, "lost it"),
        ("bad", grpc.StatusCode.DATA_LOSS, "ZeroDivisionError('by zero')"),
    ):
        try:
            client.Execute(DummyRequest(input=name))
        except grpc.RpcError as error:
            assert (error.code(), error.details()) == (code, details), error
        else:
            raise AssertionError("no error")
assert recording.methods[0] == "/DummyService/Execute"
assert len(recording.methods) == 6


def show(request, context):
    return dict(context.invocation_metadata())["tag"].encode()


def show_all(request, context):
    yield show(request, context)


services = handlers(
    "test.Tags",
    Show=("unary_unary", show, None, None),
    ShowAll=("unary_stream", show_all, None, None),
)
with serving(services) as target, grpc.insecure_channel(target) as plain:
    channel = grpc.intercept_channel(plain, Tagging())
    assert channel.unary_unary("/test.Tags/Show")(b"", timeout=LIMIT) == b"blue"
    assert channel.unary_unary("/test.Tags/Show").future(b"", timeout=LIMIT).result() == b"blue"
    assert list(channel.unary_stream("/test.Tags/ShowAll")(b"", timeout=LIMIT)) == [b"blue"]


async def main():
    async def fail(request, context):
        raise NotFound("nothing here")

    async def echo(request, context):
        return request

    async def twice(request, context):
        yield request
        yield request

    recording = AsyncRecording()
    services = handlers(
        "test.Aio",
        Fail=("unary_unary", fail, None, None),
        Echo=("unary_unary", echo, None, None),
        Twice=("unary_stream", twice, None, None),
    )
    interceptors = [recording, AsyncExceptionToStatusInterceptor()]
    async with (
        serving_aio(services, interceptors=interceptors) as target,
        grpc.aio.insecure_channel(target) as channel,
    ):
        assert await channel.unary_unary("/test.Aio/Echo")(b"x", timeout=LIMIT) == b"x"
        got = channel.unary_stream("/test.Aio/Twice")(b"y", timeout=LIMIT)
        assert [message async for message in got] == [b"y", b"y"]
        try:
            await channel.unary_unary("/test.Aio/Fail")(b"", timeout=LIMIT)
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.NOT_FOUND
            assert error.details() == "nothing here"
        else:
            raise AssertionError("no error")
    assert recording.methods == ["/test.Aio/Echo", "/test.Aio/Twice", "/test.Aio/Fail"]


asyncio.run(main())
