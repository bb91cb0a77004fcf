"""The abstract classes of the sync API: what is an instance of them, and what a program that implements one needs."""

from __future__ import annotations

import abc
import collections
import inspect
import threading
from concurrent import futures
from typing import Any

import pytest

from support.front_end import FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT, PATTERNS
from support.simple import ECHOES

FUTURE = "add_done_callback cancel cancelled done exception result running traceback"
CONTEXT = "add_callback cancel is_active time_remaining"
MULTI_CALLABLES = {
    pattern: "".join(map(str.capitalize, pattern.split("_"))) + "MultiCallable"
    for pattern in PATTERNS
}
ABSTRACT = {
    "Future": FUTURE,
    "RpcContext": CONTEXT,
    "Call": f"{CONTEXT} code details initial_metadata trailing_metadata",
    "ServicerContext": f"{CONTEXT} abort abort_with_status auth_context invocation_metadata peer"
    " peer_identities peer_identity_key send_initial_metadata set_code set_details"
    " set_trailing_metadata",
    "Channel": "close stream_stream stream_unary subscribe unary_stream unary_unary unsubscribe",
    "UnaryUnaryMultiCallable": "__call__ future with_call",
    "UnaryStreamMultiCallable": "__call__",
    "StreamUnaryMultiCallable": "__call__ future with_call",
    "StreamStreamMultiCallable": "__call__",
    "UnaryUnaryClientInterceptor": "intercept_unary_unary",
    "UnaryStreamClientInterceptor": "intercept_unary_stream",
    "StreamUnaryClientInterceptor": "intercept_stream_unary",
    "StreamStreamClientInterceptor": "intercept_stream_stream",
    "ServerInterceptor": "intercept_service",
    "GenericRpcHandler": "service",
    "ServiceRpcHandler": "service service_name",
    "ClientCallDetails": "",
    "Status": "",
    "RpcMethodHandler": "",
}


@pytest.fixture
def grpc(sync: FrontEnd) -> Any:
    return sync.library.root


@pytest.mark.parametrize("name", ABSTRACT)
def test_a_program_implements_what_is_abstract_and_no_more(grpc: Any, name: str) -> None:
    interface = getattr(grpc, name)
    assert isinstance(interface, abc.ABCMeta)
    assert interface.__abstractmethods__ == set(ABSTRACT[name].split())
    methods = {method: lambda *_: None for method in ABSTRACT[name].split()}
    instance = type("Mine", (interface,), methods)()
    assert isinstance(instance, interface)
    instance.anything = 1
    if methods:
        with pytest.raises(TypeError):
            interface()


def test_a_server_of_the_application(grpc: Any) -> None:
    names = "add_generic_rpc_handlers add_insecure_port add_secure_port start stop".split()
    server = type("Mine", (grpc.Server,), {name: lambda *_: None for name in names})()
    assert isinstance(server, grpc.Server)
    assert server.add_registered_method_handlers("a.B", {}) is None
    with pytest.raises(NotImplementedError):
        server.wait_for_termination()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("trailing_metadata", ()),
        ("set_compression", (None,)),
        ("disable_next_message_compression", ()),
        ("code", ()),
        ("details", ()),
    ],
)
def test_what_a_context_of_the_application_may_leave_out(
    grpc: Any, name: str, arguments: Any
) -> None:
    methods = {name: lambda *_: None for name in ABSTRACT["ServicerContext"].split()}
    context = type("Mine", (grpc.ServicerContext,), methods)()
    with pytest.raises(NotImplementedError):
        getattr(context, name)(*arguments)


def test_a_call_that_is_a_future(grpc: Any) -> None:
    names = f"{ABSTRACT['Call']} {FUTURE}".split()
    mine = type(
        "Mine",
        (grpc.RpcError, grpc.Call, grpc.Future),
        {name: lambda *_: None for name in names},
    )
    with pytest.raises(grpc.RpcError) as caught:
        raise mine()
    assert isinstance(caught.value, grpc.Call)


@pytest.mark.parametrize("name", ["Status", "ClientCallDetails", "RpcMethodHandler"])
def test_named_tuples_implement_what_has_only_attributes(grpc: Any, name: str) -> None:
    fields = collections.namedtuple("fields", "code details")
    made = type("Mine", (fields, getattr(grpc, name)), {})("a", "b")
    assert (made.code, made.details) == ("a", "b")
    assert isinstance(made, getattr(grpc, name))


def test_handler_call_details_are_what_has_the_attributes(grpc: Any) -> None:
    fields = collections.namedtuple("fields", "method invocation_metadata")
    assert isinstance(fields("/a/b", ()), grpc.HandlerCallDetails)
    assert not isinstance("/a/b", grpc.HandlerCallDetails)
    made = type("Mine", (fields, grpc.HandlerCallDetails), {})("/a/b", ())
    assert made.method == "/a/b"


def test_method_handlers_are_named_tuples(grpc: Any) -> None:
    handler = grpc.unary_unary_rpc_method_handler(print)
    assert isinstance(handler, grpc.RpcMethodHandler)
    assert handler._replace(response_streaming=True).response_streaming
    assert handler._fields == (
        "request_streaming",
        "response_streaming",
        "request_deserializer",
        "response_serializer",
        "unary_unary",
        "unary_stream",
        "stream_unary",
        "stream_stream",
    )


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_is_handed_out_is_an_instance(sync: FrontEnd, grpc: Any, pattern: str) -> None:
    contexts: list[bool] = []

    async def handler(call: ServerCall) -> Any:
        contexts.append(isinstance(call.context, grpc.ServicerContext))
        contexts.append(isinstance(call.context, grpc.RpcContext))
        return await ECHOES[pattern](call)

    rig = sync.rig(**{pattern: handler})
    assert isinstance(rig.client.raw, grpc.Channel)
    assert isinstance(rig.server.raw, grpc.Server)
    method = getattr(rig.client.raw, pattern)("/a/b")
    assert isinstance(method, getattr(grpc, MULTI_CALLABLES[pattern]))
    call = rig.open(pattern, [b"x"])
    assert isinstance(call.raw, grpc.Call)
    assert isinstance(call.raw, grpc.Future)
    assert isinstance(call.raw, grpc.RpcContext)
    call.finish()
    assert contexts == [True, True]


def test_errors_are_calls_and_futures(sync: FrontEnd, grpc: Any) -> None:
    async def handler(call: ServerCall) -> None:
        await call.abort("NOT_FOUND", "nothing")

    rig = sync.rig(unary_unary=handler)
    method = rig.client.raw.unary_unary("/test.Service/UnaryUnary")
    with pytest.raises(grpc.RpcError) as caught:
        method(b"", timeout=LIMIT)
    error = caught.value
    assert isinstance(error, grpc.Call)
    assert isinstance(error, grpc.Future)
    assert error.exception() is error
    assert inspect.istraceback(error.traceback())
    assert (error.done(), error.running(), error.cancelled()) == (True, False, False)
    assert error.cancel() is False
    called: list[Any] = []
    error.add_done_callback(called.append)
    assert called == [error]
    with pytest.raises(grpc.RpcError) as again:
        error.result()
    assert again.value is error
    sync.clarion_only("implements no more than that")
    assert (error.is_active(), error.time_remaining()) == (False, None)
    assert error.add_callback(print) is False


def test_a_ready_future_is_a_future(sync: FrontEnd, grpc: Any) -> None:
    rig = sync.rig(**ECHOES)
    ready = grpc.channel_ready_future(rig.client.raw)
    assert isinstance(ready, grpc.Future)
    ready.result(LIMIT)


def test_a_future_gives_the_same_response_each_time(sync: FrontEnd) -> None:
    rig = sync.rig(**ECHOES)
    future = rig.open("unary_unary", [b"x"], deserializer=list).raw
    assert future.result(LIMIT) is future.result(LIMIT)


def test_a_future_with_a_response_that_cannot_be_read(sync: FrontEnd, grpc: Any) -> None:
    def fail(data: bytes) -> None:
        raise ValueError("not this")

    rig = sync.rig(**ECHOES)
    future = rig.open("unary_unary", [b"x"], deserializer=fail).raw
    error = future.exception(LIMIT)
    assert error.code() is grpc.StatusCode.INTERNAL
    assert future.code() is grpc.StatusCode.INTERNAL


def test_a_handler_whose_call_is_over_gets_rpc_errors(sync: FrontEnd, grpc: Any) -> None:
    raised: list[BaseException] = []
    ended = threading.Event()

    async def handler(call: ServerCall) -> bytes:
        over = threading.Event()
        assert call.context.add_callback(over.set)
        started.set()
        over.wait(LIMIT)
        for action in (
            lambda: call.context.send_initial_metadata((("a", "b"),)),
            lambda: list(call.request),
        ):
            try:
                action()
            except Exception as error:
                raised.append(error)
        ended.set()
        return b""

    started = threading.Event()
    call = sync.rig(stream_unary=handler).open("stream_unary")
    call.write(b"x")
    assert started.wait(LIMIT)
    call.cancel()
    assert ended.wait(LIMIT)
    call.done_writing()
    assert [isinstance(error, grpc.RpcError) for error in raised] == [True, True]


def test_a_server_with_a_pool_of_the_application(grpc: Any) -> None:
    with futures.ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        assert isinstance(server, grpc.Server)
        server.stop(None)
