"""Generated modules load, and fit the message classes, stubs and servers that they are for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

_RECORDER = """
import json
import clarion

class Channel:
    def __getattr__(self, pattern):
        def make(path, *, request_serializer, response_deserializer, _registered_method):
            assert _registered_method is True
            return pattern, path, request_serializer, response_deserializer
        return make

class Server:
    def add_generic_rpc_handlers(self, handlers):
        (self.generic,) = handlers
    def add_registered_method_handlers(self, service, handlers):
        self.service, self.handlers = service, handlers

class Context:
    def set_code(self, code):
        self.code = code
    def set_details(self, details):
        self.details = details
"""


def test_a_stub_has_a_callable_for_each_method(
    clarion_protoc: Callable[..., Path], run_in: Callable[[Path, str], str]
) -> None:
    folder = clarion_protoc("shop/orders.proto", "shop/cart-items.proto")
    program = """
from shop import orders_pb2, orders_pb2_grpc, cart_items_pb2
stub = orders_pb2_grpc.OrdersStub(Channel())
print(json.dumps({name: value[:2] for name, value in vars(stub).items()}))
serializer, deserializer = stub.Fill[2:]
line = orders_pb2.Order.Line(count=3)
assert orders_pb2.Order.Line.FromString(serializer(line)) == line
item = cart_items_pb2.Item(id=cart_items_pb2.Item.Id(value="x"))
assert deserializer(item.SerializeToString()) == item
"""
    assert json.loads(run_in(folder, _RECORDER + program)) == {
        "Place": ["unary_unary", "/codegen.shop.Orders/Place"],
        "Follow": ["unary_stream", "/codegen.shop.Orders/Follow"],
        "Fill": ["stream_unary", "/codegen.shop.Orders/Fill"],
        "Talk": ["stream_stream", "/codegen.shop.Orders/Talk"],
    }


def test_a_servicer_is_registered_with_each_method(
    clarion_protoc: Callable[..., Path], run_in: Callable[[Path, str], str]
) -> None:
    folder = clarion_protoc("shop/orders.proto", "shop/cart-items.proto")
    program = """
from shop import orders_pb2_grpc
server = Server()
orders_pb2_grpc.add_OrdersServicer_to_server(orders_pb2_grpc.OrdersServicer(), server)
print(json.dumps([server.service, server.generic.service_name(), {
    name: [handler.request_streaming, handler.response_streaming]
    for name, handler in server.handlers.items()
}]))
"""
    assert json.loads(run_in(folder, _RECORDER + program)) == [
        "codegen.shop.Orders",
        "codegen.shop.Orders",
        {
            "Place": [False, False],
            "Follow": [False, True],
            "Fill": [True, False],
            "Talk": [True, True],
        },
    ]


def test_a_method_that_is_not_overridden_is_unimplemented(
    clarion_protoc: Callable[..., Path], run_in: Callable[[Path, str], str]
) -> None:
    program = """
import plain_pb2_grpc
context = Context()
try:
    plain_pb2_grpc.PlainServicer().print(None, context)
except NotImplementedError as error:
    print(error, context.code.name, context.details, sep="|")
"""
    printed = run_in(clarion_protoc("plain.proto"), _RECORDER + program)
    assert printed == "Method not implemented!|UNIMPLEMENTED|Method not implemented!\n"


def test_names_that_python_reserves_work(
    clarion_protoc: Callable[..., Path], run_in: Callable[[Path, str], str]
) -> None:
    folder = clarion_protoc("reserved.proto", "import/lambda.proto", "shop/cart-items.proto")
    program = """
import reserved_pb2_grpc
stub = reserved_pb2_grpc.ReservedStub(Channel())
servicer = reserved_pb2_grpc.ReservedServicer()
server = Server()
reserved_pb2_grpc.add_ReservedServicer_to_server(servicer, server)
print(getattr(stub, "None")[1], getattr(stub, "__hidden")[1], *server.handlers)
print(getattr(servicer, "None").__doc__)
print([name for name in dir(servicer) if name.startswith("_method_")])
"""
    assert run_in(folder, _RECORDER + program).splitlines() == [
        "/codegen.reserved.Reserved/None /codegen.reserved.Reserved/__hidden None __hidden",
        "Named like a keyword.",
        "[]",
    ]
