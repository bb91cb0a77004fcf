"""Generated code of options.proto, called and served on both front ends. PACKAGE is where its modules are."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import importlib
import inspect
import pickle
import warnings
from concurrent import futures

import clarion
import clarion.aio

messages = importlib.import_module(f"{PACKAGE}options_pb2")  # noqa: F821
services = importlib.import_module(f"{PACKAGE}options_pb2_grpc")  # noqa: F821
Rule = messages.Rule
SECONDS = 20


class Sync(services.OptionalSyncServicer):
    def Read(self, request, context):
        return Rule(role=f"sync {request.role}")

    def OldChat(self, request_iterator, context):
        return request_iterator


class Async(services.OptionalAsyncServicer):
    async def Read(self, request, context):
        return Rule(role=f"async {request.role}")

    # Responses by an async generator, and by a coroutine that writes.
    async def OldList(self, request, context):
        yield request
        yield request

    async def OldChat(self, request_iterator, context):
        async for request in request_iterator:
            await context.write(request)


class Either(services.OptionalServicer):
    async def Read(self, request, context):
        return Rule(role="either")


@contextlib.contextmanager
def sync_server(servicer):
    server = clarion.server(futures.ThreadPoolExecutor(4))
    services.add_OptionalServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with clarion.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel, f"127.0.0.1:{port}"
    server.stop(None).wait()


@contextlib.asynccontextmanager
async def async_server(servicer):
    server = clarion.aio.server()
    services.add_OptionalServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with clarion.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


def refused(call):
    try:
        call()
    except clarion.RpcError as error:
        return error.code().name, error.details()
    raise AssertionError("the method is served")


async def refused_too(call):
    try:
        await call
    except clarion.RpcError as error:
        return error.code().name, error.details()
    raise AssertionError("the method is served")


UNIMPLEMENTED = ("UNIMPLEMENTED", "Method not implemented!")


def in_sync_program():
    with sync_server(Sync()) as (channel, target):
        stub = services.OptionalStub(channel)
        assert type(stub) is services.OptionalStub
        assert stub.Read(Rule(role="a"), timeout=SECONDS).role == "sync a"
        response, call = stub.Read.with_call(Rule(role="b"), timeout=SECONDS)
        assert (response.role, call.code()) == ("sync b", clarion.StatusCode.OK)
        assert stub.Read.future(Rule(role="c"), timeout=SECONDS).result().role == "sync c"
        echoed = stub.OldChat(iter([Rule(role="d"), Rule(role="e")]), timeout=SECONDS)
        assert [rule.role for rule in echoed] == ["d", "e"]
        assert refused(lambda: stub.Old(Rule(), timeout=SECONDS)) == UNIMPLEMENTED
        assert refused(lambda: list(stub.OldList(Rule(), timeout=SECONDS))) == UNIMPLEMENTED
        assert refused(lambda: stub.OldSum(iter([Rule()]), timeout=SECONDS)) == UNIMPLEMENTED
        static = services.Optional.Read(Rule(role="f"), target, insecure=True, timeout=SECONDS)
        assert static.role == "sync f"
        chat = services.Optional.OldChat(iter([Rule(role="g")]), target, (), None, None, True)
        assert [rule.role for rule in chat] == ["g"]


async def in_async_program():
    async with async_server(Async()) as channel:
        stub = services.OptionalStub(channel)
        assert type(stub) is services.OptionalAsyncStub
        assert type(services.OptionalAsyncStub(channel)) is services.OptionalAsyncStub
        assert type(Own(channel)) is Own
        assert (await stub.Read(Rule(role="a"), timeout=SECONDS)).role == "async a"
        listed = stub.OldList(Rule(role="b"), timeout=SECONDS)
        assert [rule.role async for rule in listed] == ["b", "b"]
        chat = stub.OldChat(timeout=SECONDS)
        await chat.write(Rule(role="c"))
        assert (await chat.read()).role == "c"
        await chat.done_writing()
        assert await chat.read() is clarion.aio.EOF
        assert await refused_too(stub.Old(Rule(), timeout=SECONDS)) == UNIMPLEMENTED
        assert await refused_too(stub.OldSum([Rule()], timeout=SECONDS)) == UNIMPLEMENTED
    async with async_server(Either()) as channel:
        stub = services.OptionalStub(channel)
        assert (await stub.Read(Rule(), timeout=SECONDS)).role == "either"
    for kind in ("OptionalServicer", "OptionalSyncServicer", "OptionalAsyncServicer"):
        async with async_server(getattr(services, kind)()) as channel:
            stub = services.OptionalStub(channel)
            for call in (
                stub.Read(Rule(), timeout=SECONDS),
                anext(aiter(stub.OldList(Rule(), timeout=SECONDS))),
                stub.OldSum([Rule()], timeout=SECONDS),
                anext(aiter(stub.OldChat([Rule()], timeout=SECONDS))),
            ):
                assert await refused_too(call) == UNIMPLEMENTED, kind


def in_introspection():
    """Classes that are made when they are used are as if they had always been there."""
    kind = services.OptionalAsyncServicer
    assert kind is services.OptionalAsyncServicer
    assert (kind.__module__, kind.__qualname__) == (services.__name__, "OptionalAsyncServicer")
    assert pickle.loads(pickle.dumps(kind)) is kind
    assert inspect.getdoc(kind.Old) == "Superseded."
    assert list(inspect.signature(kind.OldSum).parameters)[1:] == ["request_iterator", "context"]
    assert inspect.iscoroutinefunction(kind.OldChat)
    assert not inspect.iscoroutinefunction(services.OptionalSyncServicer.Old)
    parameters = list(inspect.signature(services.Optional.Old).parameters)
    assert parameters[:3] == ["request", "target", "options"]
    assert "request_iterator" in inspect.signature(services.Optional.OldSum).parameters
    copied = copy.copy(services.OptionalStub(clarion.aio.insecure_channel("127.0.0.1:1")))
    assert type(copied) is services.OptionalAsyncStub
    assert not hasattr(services, "__path__")
    said = ""
    try:
        services.Missing  # noqa: B018
    except AttributeError as error:
        said = str(error)
    assert said == f"module {services.__name__!r} has no attribute 'Missing'"


class Own(services.OptionalStub):
    pass


# That is for other tests.
warnings.simplefilter("ignore")
in_sync_program()
in_introspection()
asyncio.run(in_async_program())
