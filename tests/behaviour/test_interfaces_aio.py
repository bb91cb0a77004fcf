"""The abstract classes of the asyncio API: applications subclass them and ask `isinstance`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from support.front_end import FrontEnd
from support.interception_aio import AioRig, expected, kind, on_the_loop
from support.libraries import PATTERNS

patterns = pytest.mark.parametrize("pattern", PATTERNS)

CONTEXT = {"cancel", "cancelled", "done", "time_remaining", "add_done_callback"}
CALL = CONTEXT | {
    "initial_metadata",
    "trailing_metadata",
    "code",
    "details",
    "wait_for_connection",
}
ABSTRACT = {
    "RpcContext": CONTEXT,
    "Call": CALL,
    "UnaryUnaryCall": CALL | {"__await__"},
    "UnaryStreamCall": CALL | {"__aiter__", "read"},
    "StreamUnaryCall": CALL | {"__await__", "write", "done_writing"},
    "StreamStreamCall": CALL | {"__aiter__", "read", "write", "done_writing"},
    "UnaryUnaryMultiCallable": {"__call__"},
    "UnaryStreamMultiCallable": {"__call__"},
    "StreamUnaryMultiCallable": {"__call__"},
    "StreamStreamMultiCallable": {"__call__"},
    "Channel": {
        "__aenter__",
        "__aexit__",
        "close",
        "get_state",
        "wait_for_state_change",
        "channel_ready",
        *PATTERNS,
    },
    "ServicerContext": {
        "read",
        "write",
        "send_initial_metadata",
        "abort",
        "abort_with_status",
        "set_trailing_metadata",
        "invocation_metadata",
        "set_code",
        "set_details",
        "set_compression",
        "disable_next_message_compression",
        "peer",
        "peer_identities",
        "peer_identity_key",
        "auth_context",
    },
    "ClientInterceptor": set(),
    "UnaryUnaryClientInterceptor": {"intercept_unary_unary"},
    "UnaryStreamClientInterceptor": {"intercept_unary_stream"},
    "StreamUnaryClientInterceptor": {"intercept_stream_unary"},
    "StreamStreamClientInterceptor": {"intercept_stream_stream"},
    "ServerInterceptor": {"intercept_service"},
}
GENERIC = [name for name in ABSTRACT if name.endswith(("yCall", "mCall", "MultiCallable"))]


@pytest.fixture
def rig(aio: FrontEnd) -> Iterator[AioRig]:
    rig = aio.loop.call(AioRig, aio.library, aio.loop)
    aio.loop.run(rig.serve)
    yield rig
    aio.loop.run(rig.close)


@pytest.mark.parametrize("name", ABSTRACT)
def test_what_is_abstract(aio: FrontEnd, name: str) -> None:
    assert getattr(aio.library.aio, name).__abstractmethods__ == ABSTRACT[name]


@pytest.mark.parametrize("name", [name for name in ABSTRACT if ABSTRACT[name]])
def test_a_subclass_has_to_have_the_abstract_methods(aio: FrontEnd, name: str) -> None:
    base = getattr(aio.library.aio, name)
    with pytest.raises(TypeError, match="abstract"):
        type("Fake", (base,), {})()
    fake = type("Fake", (base,), dict.fromkeys(ABSTRACT[name], lambda self: None))()
    assert isinstance(fake, base)
    fake.note = "instances have attributes of their own"


def test_a_server_of_the_applications_own(aio: FrontEnd) -> None:
    class Fake(aio.library.aio.Server):  # type: ignore[misc]
        def add_generic_rpc_handlers(self, generic_rpc_handlers: Any) -> None: ...
        def add_insecure_port(self, address: str) -> int:
            return 1

        def add_secure_port(self, address: str, server_credentials: Any) -> int:
            return 2

        async def start(self) -> None: ...
        async def stop(self, grace: float | None) -> None: ...
        async def wait_for_termination(self, timeout: float | None = None) -> bool:
            return False

    fake = Fake()
    assert isinstance(fake, aio.library.aio.Server)
    assert fake.add_registered_method_handlers("a", {}) is None


@pytest.mark.parametrize("name", [*GENERIC, "ServicerContext"])
def test_generic_in_request_and_response(aio: FrontEnd, name: str) -> None:
    base = getattr(aio.library.aio, name)
    typed = base[int, str]
    assert typed.__origin__ is base
    assert typed.__args__ == (int, str)


@pytest.mark.parametrize(
    "name",
    [
        "time_remaining",
        "trailing_metadata",
        "code",
        "details",
        "cancelled",
        "done",
    ],
)
def test_what_a_context_of_the_applications_own_need_not_have(aio: FrontEnd, name: str) -> None:
    base = aio.library.aio.ServicerContext
    methods = dict.fromkeys(ABSTRACT["ServicerContext"], lambda self: None)
    fake = type("Fake", (base,), methods)()
    with pytest.raises(NotImplementedError):
        getattr(fake, name)()
    assert fake.add_done_callback(print) is None


@patterns
@on_the_loop
async def test_what_the_library_makes_is_an_instance(rig: AioRig, pattern: str) -> None:
    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(details, request)

    for interceptors in ([], [rig.interceptor(pattern, intercept)]):
        channel = rig.connect(*interceptors)
        assert isinstance(channel, rig.aio.Channel)
        callable_ = getattr(channel, pattern)("/test.Echo/" + pattern)
        name = kind(rig.aio, pattern).__name__.replace("Call", "MultiCallable")
        assert isinstance(callable_, getattr(rig.aio, name))
        call = rig.open(channel, pattern, b"x")
        assert isinstance(call, kind(rig.aio, pattern))
        assert isinstance(call, rig.aio.Call)
        assert isinstance(call, rig.aio.RpcContext)
        others = [kind(rig.aio, each) for each in PATTERNS if each != pattern]
        assert not isinstance(call, tuple(others))
        assert await rig.finish(call, pattern) == expected(pattern)


@on_the_loop
async def test_an_intercepted_call_by_its_name(rig: AioRig) -> None:
    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        return b"answer"

    channel = rig.connect(rig.interceptor("unary_unary", intercept))
    call = rig.open(channel, "unary_unary", b"x")
    assert isinstance(call, rig.aio.InterceptedUnaryUnaryCall)
    assert await call == b"answer"
    plain = rig.open(rig.connect(), "unary_unary", b"x")
    assert not isinstance(plain, rig.aio.InterceptedUnaryUnaryCall)
    assert await plain == b"x"


@on_the_loop
async def test_server_and_error_are_instances(rig: AioRig) -> None:
    server = rig.aio.server()
    assert isinstance(server, rig.aio.Server)
    await server.stop(None)
    with pytest.raises(rig.grpc.RpcError) as failed:
        await rig.invoke(rig.connect(), "unary_unary", b"fail")
    assert isinstance(failed.value, rig.aio.AioRpcError)


@on_the_loop
async def test_a_context_is_an_instance(rig: AioRig) -> None:
    if rig.library.name != "clarion":
        pytest.skip("grpcio: its context is of a class of the extension module alone")
    seen: list[bool] = []

    async def handler(request: bytes, context: Any) -> bytes:
        seen.append(isinstance(context, rig.aio.ServicerContext))
        return request

    rig.handlers["context"] = rig.grpc.unary_unary_rpc_method_handler(handler)
    await rig.serve()
    assert await rig.invoke(rig.connect(), "unary_unary", b"x", method="context") == [b"x"]
    assert seen == [True]


def test_init_and_shutdown_may_be_called(aio: FrontEnd) -> None:
    async def both() -> tuple[Any, Any]:
        return aio.library.aio.init_grpc_aio(), aio.library.aio.shutdown_grpc_aio()

    assert aio.loop.run(both) == (None, None)


@patterns
def test_a_callable_takes_what_grpcio_takes(aio: FrontEnd, pattern: str) -> None:
    name = kind(aio.library.aio, pattern).__name__.replace("Call", "MultiCallable")
    parameters = inspect.signature(getattr(aio.library.aio, name).__call__).parameters
    request = "request_iterator" if pattern.startswith("stream") else "request"
    options = ["timeout", "metadata", "credentials", "wait_for_ready", "compression"]
    assert list(parameters) == ["self", request, *options]
    positional = parameters["timeout"].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert positional == pattern.startswith("stream")


def test_call_details_are_those_of_grpc_too(aio: FrontEnd) -> None:
    details = aio.library.aio.ClientCallDetails(b"/s/M", None, None, None, None)
    assert isinstance(details, aio.library.root.ClientCallDetails)
