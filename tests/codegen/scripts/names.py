"""Names in names.proto that are in each other's way, or in Python's."""

from __future__ import annotations

import asyncio
import inspect
import types

import names_pb2
import names_pb2_grpc
from google.protobuf import descriptor

import clarion.aio


class Channel:
    def __getattr__(self, pattern):
        return lambda path, **more: types.SimpleNamespace(path=path)


class Server:
    def add_generic_rpc_handlers(self, handlers):
        pass

    def add_registered_method_handlers(self, service, handlers):
        self.service, self.handlers = service, handlers


class Context:
    def set_code(self, code):
        self.code = code.name

    def set_details(self, details):
        pass


def check(service):
    """The classes of one service have what they must."""
    name = service.name
    methods = {method.name: method for method in service.methods}
    stub = getattr(names_pb2_grpc, f"{name}Stub")(Channel())
    paths = {key: value.path for key, value in vars(stub).items()}
    assert paths == {key: f"/{service.full_name}/{key}" for key in methods}
    base = getattr(names_pb2_grpc, f"{name}Servicer")
    everything = [getattr(names_pb2_grpc, each) for each in dir(names_pb2_grpc)]
    kinds = {each for each in everything if inspect.isclass(each) and issubclass(each, base)}
    assert len(kinds) == 3
    for kind in kinds:
        asynchronous = kind.__name__.removeprefix(name).startswith("Async")
        servicer, server = kind(), Server()
        getattr(names_pb2_grpc, f"add_{name}Servicer_to_server")(servicer, server)
        assert server.service == service.full_name
        assert set(server.handlers) == set(methods)
        for method in methods:
            unimplemented(getattr(servicer, method), asynchronous)
    if "DESCRIPTOR" not in methods:
        for kind in (type(stub), base):
            assert isinstance(kind.DESCRIPTOR, descriptor.ServiceDescriptor)
            assert kind.DESCRIPTOR.name == name


def unimplemented(method, asynchronous):
    context = Context()
    assert inspect.iscoroutinefunction(method) is asynchronous, method
    try:
        result = method(None, context)
        if asynchronous:
            asyncio.run(result)
    except NotImplementedError:
        assert context.code == "UNIMPLEMENTED"
    else:
        raise AssertionError(method)


def static(name, *methods):
    kind = getattr(names_pb2_grpc, name)
    assert [key for key in vars(kind) if not key.startswith("__") or key == "__hidden"] == list(
        methods
    ), vars(kind).keys()
    for method in methods:
        assert list(inspect.signature(getattr(kind, method)).parameters)[1] == "target"


for service in names_pb2.DESCRIPTOR.services_by_name.values():
    check(service)

# What a service brings has its name, what Clarion adds gives way.
assert names_pb2_grpc.TwinsAsyncStub.DESCRIPTOR.name == "TwinsAsync"
assert names_pb2_grpc.TwinsAsyncServicer.DESCRIPTOR.name == "TwinsAsync"
assert names_pb2_grpc.TwinsStub.DESCRIPTOR.name == "Twins"
assert issubclass(names_pb2_grpc.TwinsAsyncStub_, names_pb2_grpc.TwinsStub)
assert issubclass(names_pb2_grpc.TwinsAsyncServicer_, names_pb2_grpc.TwinsServicer)
for name in ("Twins", "__Hidden"):
    stub = getattr(names_pb2_grpc, f"{name}Stub")(clarion.aio.insecure_channel("127.0.0.1:1"))
    assert type(stub) is getattr(names_pb2_grpc, f"{name}AsyncStub{'_' * (name == 'Twins')}")

static("Twins", "Get", "get", "GET")
static("Item", "Get")
static("__Hidden", "Get")
# The class would be a mere keyword, or in the way of what the module needs.
assert not hasattr(names_pb2_grpc, "class")
assert names_pb2_grpc.clarion is clarion
static("Attributes", *(m.name for m in names_pb2.DESCRIPTOR.services_by_name["Attributes"].methods))
