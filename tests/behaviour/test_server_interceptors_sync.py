"""Interceptors of sync servers."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import pytest

from support.front_end import FrontEnd
from support.interception import PATH, Log, Rig, expected, handlers, invoke, styles
from support.libraries import LIMIT, pairs


@pytest.fixture
def serve(sync: FrontEnd) -> Iterator[Callable[..., Rig]]:
    with contextlib.ExitStack() as stack:

        def make(interceptors: Any = None, **options: Any) -> Rig:
            rig = Rig(sync.library.root, interceptors, **options)
            stack.callback(rig.close)
            return rig

        yield make


@pytest.fixture
def grpc(sync: FrontEnd) -> Any:
    return sync.library.root


def server_interceptor(grpc: Any, intercept: Callable[[Any, Any], Any]) -> Any:
    class Interceptor(grpc.ServerInterceptor):  # type: ignore[misc]
        def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            return intercept(continuation, handler_call_details)

    return Interceptor()


@styles
def test_server_interceptors_are_asked_in_order(
    grpc: Any, serve: Callable[..., Rig], pattern: str, style: str
) -> None:
    log: Log = []

    def named(name: str) -> Any:
        def intercept(continuation: Any, details: Any) -> Any:
            log.append((name, details.method))
            handler = continuation(details)
            log.append(name)
            return handler

        return server_interceptor(grpc, intercept)

    rig = serve([named("a"), named("b")])
    assert invoke(rig.channel, pattern, style, b"x") == expected(pattern)
    assert log == [("a", PATH + pattern), ("b", PATH + pattern), "b", "a"]


def test_a_server_interceptor_sees_metadata(grpc: Any, serve: Callable[..., Rig]) -> None:
    log: Log = []

    def intercept(continuation: Any, details: Any) -> Any:
        log.append(details)
        return continuation(details)

    rig = serve([server_interceptor(grpc, intercept)])
    invoke(rig.channel, "unary_unary", "call", b"x", metadata=(("tag", "1"), ("b-bin", b"\0")))
    (details,) = log
    assert isinstance(details, grpc.HandlerCallDetails)
    assert ("tag", "1") in pairs(details.invocation_metadata)
    assert ("b-bin", b"\0") in pairs(details.invocation_metadata)
    assert [each.value for each in details.invocation_metadata if each.key == "tag"] == ["1"]
    assert details._replace(method="/a/b").method == "/a/b"


@styles
def test_no_handler_is_unimplemented(
    grpc: Any, serve: Callable[..., Rig], pattern: str, style: str
) -> None:
    rig = serve([server_interceptor(grpc, lambda go_on, details: None)])
    with pytest.raises(grpc.RpcError) as caught:
        invoke(rig.channel, pattern, style, b"x")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert caught.value.details().startswith("Method not found!")


def test_an_unknown_method_is_seen(grpc: Any, serve: Callable[..., Rig]) -> None:
    log: Log = []

    def intercept(continuation: Any, details: Any) -> Any:
        log.append(continuation(details))
        return log[-1]

    rig = serve([server_interceptor(grpc, intercept)])
    with pytest.raises(grpc.RpcError) as caught:
        rig.channel.unary_unary("/no.Such/Method")(b"x", timeout=LIMIT)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert log == [None]


@styles
def test_an_exception_of_a_server_interceptor(
    grpc: Any, serve: Callable[..., Rig], pattern: str, style: str
) -> None:
    def intercept(continuation: Any, details: Any) -> Any:
        raise ZeroDivisionError("oops")

    rig = serve([server_interceptor(grpc, intercept)])
    for _ in range(2):
        with pytest.raises(grpc.RpcError) as caught:
            invoke(rig.channel, pattern, style, b"x")
        assert caught.value.code() is grpc.StatusCode.UNKNOWN
        assert caught.value.details().startswith("Error in service handler")


def test_a_handler_can_be_wrapped(grpc: Any, serve: Callable[..., Rig]) -> None:
    def intercept(continuation: Any, details: Any) -> Any:
        handler = continuation(details)

        def behavior(request: bytes, context: Any) -> Any:
            context.user = "somebody"
            return handler.unary_unary(request, context) + b" for " + context.user.encode()

        return handler._replace(unary_unary=behavior)

    rig = serve([server_interceptor(grpc, intercept)])
    assert invoke(rig.channel, "unary_unary", "call", b"x") == [b"x for somebody"]


def test_the_usual_denial(grpc: Any, serve: Callable[..., Rig]) -> None:
    def deny(request: Any, context: Any) -> None:
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")

    def intercept(continuation: Any, details: Any) -> Any:
        if ("token", "good") in pairs(details.invocation_metadata):
            return continuation(details)
        return grpc.unary_unary_rpc_method_handler(deny)

    rig = serve([server_interceptor(grpc, intercept)])
    with pytest.raises(grpc.RpcError) as caught:
        invoke(rig.channel, "unary_unary", "call", b"x")
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert caught.value.details() == "who are you?"
    metadata = (("token", "good"),)
    assert invoke(rig.channel, "unary_unary", "call", b"x", metadata=metadata) == [b"x"]


def test_a_handler_of_another_pattern(grpc: Any, serve: Callable[..., Rig]) -> None:
    streaming = handlers(grpc)["stream_stream"]
    rig = serve([server_interceptor(grpc, lambda go_on, details: streaming)])
    assert invoke(rig.channel, "unary_unary", "call", b"x") == [b"x"]
    assert invoke(rig.channel, "stream_stream", "call", b"x", b"y") == [b"x", b"y"]


def test_a_handler_of_the_applications_own_class(grpc: Any, serve: Callable[..., Rig]) -> None:
    class Handler(grpc.RpcMethodHandler):  # type: ignore[misc]
        request_streaming = response_streaming = False
        request_deserializer = staticmethod(bytes.decode)
        response_serializer = staticmethod(str.encode)
        unary_stream = stream_unary = stream_stream = None

        def unary_unary(self, request: str, context: Any) -> str:
            return request * 2

    handler = Handler()
    assert isinstance(handler, grpc.RpcMethodHandler)
    rig = serve([server_interceptor(grpc, lambda go_on, details: handler)])
    assert invoke(rig.channel, "unary_unary", "call", b"x") == [b"xx"]


def test_a_call_can_be_sent_to_another_method(grpc: Any, serve: Callable[..., Rig]) -> None:
    class Details(grpc.HandlerCallDetails):  # type: ignore[misc]
        def __init__(self, method: str, metadata: Any) -> None:
            self.method = method
            self.invocation_metadata = metadata

    def intercept(continuation: Any, details: Any) -> Any:
        return continuation(Details(PATH + "unary_unary", details.invocation_metadata))

    rig = serve([server_interceptor(grpc, intercept)])
    assert rig.channel.unary_unary("/no.Such/Method")(b"x", timeout=LIMIT) == b"x"


def test_a_continuation_can_be_asked_twice(grpc: Any, serve: Callable[..., Rig]) -> None:
    inner: Log = []

    def outer(continuation: Any, details: Any) -> Any:
        continuation(details)
        return continuation(details)

    def count(continuation: Any, details: Any) -> Any:
        inner.append(details.method)
        return continuation(details)

    rig = serve([server_interceptor(grpc, outer), server_interceptor(grpc, count)])
    assert invoke(rig.channel, "unary_unary", "call", b"x") == [b"x"]
    assert inner == [PATH + "unary_unary"] * 2


def test_interceptors_and_handler_share_a_context(grpc: Any, serve: Callable[..., Rig]) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    log: Log = []

    def outer(continuation: Any, details: Any) -> Any:
        log.append(variable.get())
        variable.set("set")
        return continuation(details)

    def inner(continuation: Any, details: Any) -> Any:
        log.append(variable.get())
        handler = continuation(details)

        def behavior(request: bytes, context: Any) -> Any:
            log.append(variable.get())
            return handler.unary_unary(request, context)

        return handler._replace(unary_unary=behavior)

    rig = serve([server_interceptor(grpc, outer), server_interceptor(grpc, inner)])
    for _ in range(20):
        invoke(rig.channel, "unary_unary", "call", b"x")
    assert log == ["unset", "set", "set"] * 20


def test_any_object_with_the_method_will_do(grpc: Any, serve: Callable[..., Rig]) -> None:
    class Duck:
        def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            return continuation(handler_call_details)

    rig = serve(Duck() for _ in range(2))
    assert invoke(rig.channel, "unary_unary", "call", b"x") == [b"x"]
    with pytest.raises(TypeError):
        grpc.server(futures.ThreadPoolExecutor(1), interceptors=Duck())


@pytest.mark.parametrize("none", [None, (), []])
def test_no_server_interceptors(serve: Callable[..., Rig], none: Any) -> None:
    assert invoke(serve(none).channel, "unary_unary", "call", b"x") == [b"x"]


def test_a_blocking_server_interceptor_stops_no_other_call(
    sync: FrontEnd, grpc: Any, serve: Callable[..., Rig]
) -> None:
    sync.clarion_only("runs interceptors on the thread that serves all calls")
    entered, go_on = threading.Event(), threading.Event()

    def intercept(continuation: Any, details: Any) -> Any:
        if ("tag", "slow") in pairs(details.invocation_metadata):
            entered.set()
            go_on.wait(LIMIT)
        return continuation(details)

    rig = serve([server_interceptor(grpc, intercept)])
    method = rig.channel.unary_unary(PATH + "unary_unary")
    slow = method.future(b"slow", timeout=LIMIT, metadata=(("tag", "slow"),))
    assert entered.wait(LIMIT)
    assert method(b"quick", timeout=LIMIT) == b"quick"
    assert not slow.done()
    go_on.set()
    assert slow.result(LIMIT) == b"slow"


def test_a_call_that_ends_while_an_interceptor_decides(
    sync: FrontEnd, grpc: Any, serve: Callable[..., Rig]
) -> None:
    sync.clarion_only("runs interceptors on the thread that serves all calls")
    entered, go_on = threading.Event(), threading.Event()
    handled: Log = []

    def intercept(continuation: Any, details: Any) -> Any:
        handler = continuation(details)
        if ("tag", "slow") not in pairs(details.invocation_metadata):
            return handler
        entered.set()
        go_on.wait(LIMIT)
        return handler._replace(unary_unary=lambda request, context: handled.append(request))

    rig = serve([server_interceptor(grpc, intercept)], maximum_concurrent_rpcs=1)
    method = rig.channel.unary_unary(PATH + "unary_unary")
    call = method.future(b"x", timeout=LIMIT, metadata=(("tag", "slow"),))
    assert entered.wait(LIMIT)
    call.cancel()
    # Until the server has heard of the end, it has no room for another call.
    while (error := method.future(b"y", timeout=LIMIT).exception()) is not None:
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    go_on.set()
    rig.close()
    assert handled == []


@styles
def test_large_requests(grpc: Any, serve: Callable[..., Rig], pattern: str, style: str) -> None:
    rig = serve([server_interceptor(grpc, lambda go_on, details: go_on(details))])
    large = bytes(1_000_000)
    assert set(invoke(rig.channel, pattern, style, large)) == {large}


def test_a_request_that_comes_after_the_decision(grpc: Any, serve: Callable[..., Rig]) -> None:
    decided = threading.Event()

    def intercept(continuation: Any, details: Any) -> Any:
        decided.set()
        return continuation(details)

    def requests() -> Iterator[bytes]:
        assert decided.wait(LIMIT)
        yield b"x"

    rig = serve([server_interceptor(grpc, intercept)])
    responses = rig.channel.stream_stream(PATH + "unary_unary")(requests(), timeout=LIMIT)
    assert list(responses) == [b"x"]


def test_a_method_with_one_request_gets_none(grpc: Any, serve: Callable[..., Rig]) -> None:
    decided = threading.Event()

    def intercept(continuation: Any, details: Any) -> Any:
        decided.set()
        return continuation(details)

    def late() -> Iterator[bytes]:
        assert decided.wait(LIMIT)
        yield from ()

    rig = serve([server_interceptor(grpc, intercept)])
    for requests in (iter([]), late()):
        with pytest.raises(grpc.RpcError) as caught:
            rig.channel.stream_unary(PATH + "unary_unary")(requests, timeout=LIMIT)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        decided.clear()


def test_a_method_with_one_request_gets_two(
    sync: FrontEnd, grpc: Any, serve: Callable[..., Rig]
) -> None:
    sync.clarion_only("takes the first and ignores the other")
    rig = serve([server_interceptor(grpc, lambda go_on, details: go_on(details))])
    with pytest.raises(grpc.RpcError) as caught:
        invoke(rig.channel, "stream_unary", "call", b"x", b"y", method="unary_unary")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_deadline_passes_while_an_interceptor_decides(
    sync: FrontEnd, grpc: Any, serve: Callable[..., Rig]
) -> None:
    sync.clarion_only("runs interceptors on the thread that serves all calls")
    go_on = threading.Event()

    def intercept(continuation: Any, details: Any) -> Any:
        go_on.wait(LIMIT)
        return continuation(details)

    rig = serve([server_interceptor(grpc, intercept)])
    with pytest.raises(grpc.RpcError) as caught:
        invoke(rig.channel, "unary_unary", "call", b"x", timeout=0.05)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    go_on.set()
    assert invoke(rig.channel, "unary_unary", "call", b"x") == [b"x"]


def test_an_interceptor_that_tries_to_end_its_thread(
    sync: FrontEnd, grpc: Any, serve: Callable[..., Rig]
) -> None:
    sync.clarion_only("stops serving")

    def intercept(continuation: Any, details: Any) -> Any:
        raise SystemExit

    rig = serve([server_interceptor(grpc, intercept)])
    for _ in range(10):
        with pytest.raises(grpc.RpcError) as caught:
            invoke(rig.channel, "unary_unary", "call", b"x")
        assert caught.value.code() is grpc.StatusCode.UNKNOWN
