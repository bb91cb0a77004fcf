"""What options.proto says of its service and methods, at run time: by the stubs, and in interceptors."""

from __future__ import annotations

import asyncio
import importlib
import sys
from concurrent import futures

import clarion

messages = importlib.import_module(f"{PACKAGE}options_pb2")  # noqa: F821
services = importlib.import_module(f"{PACKAGE}options_pb2_grpc")  # noqa: F821

# What few programs use has not been loaded.
loaded = {"aio", "descriptors", "experimental", "generated", "sync"}
assert not {f"clarion.{name}" for name in loaded} & set(sys.modules)

made = {"OptionalAsyncStub", "OptionalSyncServicer", "OptionalAsyncServicer", "Optional"}
assert made < set(dir(services))
assert made.isdisjoint(vars(services))

Rule = messages.Rule
PATH = "/codegen.options.Optional/Read"


def role(path):
    options = clarion.method_descriptor(path).GetOptions()
    if options.idempotency_level == options.NO_SIDE_EFFECTS:
        return options.Extensions[messages.rule].role
    return "?"


def failure(path):
    try:
        clarion.method_descriptor(path)
    except LookupError as error:
        return str(error)
    raise AssertionError(path)


def by_descriptors():
    service = services.OptionalStub.DESCRIPTOR
    assert service.full_name == "codegen.options.Optional"
    assert service.GetOptions().Extensions[messages.host] == "example.org"
    assert services.OptionalAsyncServicer.DESCRIPTOR is services.OptionalServicer.DESCRIPTOR
    assert services.OptionalServicer.DESCRIPTOR.full_name == service.full_name
    assert role(PATH) == role(PATH.encode()) == "reader"
    assert role("/codegen.options.Optional/Old") == "?"
    assert clarion.method_descriptor("/codegen.options.Optional/Old").GetOptions().deprecated
    assert clarion.method_descriptor(PATH).containing_service.full_name == service.full_name
    assert failure("/codegen.options.Optional/Missing") == (
        "the service 'codegen.options.Optional', as options.proto defines it, has no method 'Missing'"
    )
    assert failure("/un.Known/Method").startswith(
        "no .proto file known to this process defines the service 'un.Known' of '/un.Known/Method'; "
    )
    for path in ("", "/", "Optional", b"\xff", "/codegen.options/Optional.Read", "//"):
        failure(path)


class Server(clarion.ServerInterceptor):
    def intercept_service(self, continuation, handler_call_details):
        seen.append(role(handler_call_details.method))
        return continuation(handler_call_details)


class Client(clarion.UnaryUnaryClientInterceptor):
    def intercept_unary_unary(self, continuation, client_call_details, request):
        seen.append(role(client_call_details.method))
        return continuation(client_call_details, request)


class Servicer(services.OptionalServicer):
    def Read(self, request, context):
        return request


seen = []


def in_sync_interceptors():
    server = clarion.server(futures.ThreadPoolExecutor(2), interceptors=[Server()])
    services.add_OptionalServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with clarion.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = services.OptionalStub(clarion.intercept_channel(channel, Client()))
        stub.Read(Rule(), timeout=20)
    server.stop(None).wait()


async def in_async_interceptors():
    class AsyncServer(clarion.aio.ServerInterceptor):
        async def intercept_service(self, continuation, handler_call_details):
            seen.append(role(handler_call_details.method))
            return await continuation(handler_call_details)

    class AsyncClient(clarion.aio.UnaryUnaryClientInterceptor):
        async def intercept_unary_unary(self, continuation, client_call_details, request):
            seen.append(role(client_call_details.method))
            return await continuation(client_call_details, request)

    server = clarion.aio.server(interceptors=[AsyncServer()])
    services.add_OptionalServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    target, interceptors = f"127.0.0.1:{port}", [AsyncClient()]
    async with clarion.aio.insecure_channel(target, interceptors=interceptors) as channel:
        stub = services.OptionalStub(channel)
        assert type(stub) is services.OptionalAsyncStub
        await stub.Read(Rule(), timeout=20)
    await server.stop(None)


by_descriptors()
in_sync_interceptors()
asyncio.run(in_async_interceptors())
assert seen == ["reader"] * 4
