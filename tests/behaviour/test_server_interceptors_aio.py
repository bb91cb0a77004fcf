"""Interceptors of asyncio servers."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator
from typing import Any

import pytest

from support.front_end import FrontEnd
from support.interception_aio import PATH, AioRig, expected, on_the_loop
from support.libraries import LIMIT, PATTERNS, pairs
from support.servers import thread_pool

patterns = pytest.mark.parametrize("pattern", PATTERNS)

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


@pytest.fixture
def rig(aio: FrontEnd) -> Iterator[AioRig]:
    rig = aio.loop.call(AioRig, aio.library, aio.loop)
    yield rig
    aio.loop.run(rig.close)


async def outcome(call: Any) -> tuple[str, str]:
    return (await call.code()).name, await call.details()


@patterns
@on_the_loop
async def test_an_interceptor_sees_method_and_metadata(rig: AioRig, pattern: str) -> None:
    seen: list[Any] = []

    async def intercept(continuation: Any, details: Any) -> Any:
        seen.append(details)
        return await continuation(details)

    await rig.serve(rig.server_interceptor(intercept))
    channel = rig.connect()
    responses = await rig.invoke(channel, pattern, b"x", metadata=[("tag", "1"), ("tag", "2")])
    assert responses == expected(pattern)
    (details,) = seen
    assert details.method == PATH + pattern
    assert [pair for pair in pairs(details.invocation_metadata) if pair[0] == "tag"] == [
        ("tag", "1"),
        ("tag", "2"),
    ]


@patterns
@on_the_loop
async def test_the_first_interceptor_is_the_outermost(rig: AioRig, pattern: str) -> None:
    order: list[str] = []

    def noting(name: str) -> Any:
        async def intercept(continuation: Any, details: Any) -> Any:
            order.append(f"{name} begins")
            handler = await continuation(details)
            order.append(f"{name} ends")
            return handler

        return rig.server_interceptor(intercept)

    await rig.serve(noting("1"), noting("2"))
    assert await rig.invoke(rig.connect(), pattern, b"x") == expected(pattern)
    assert order == ["1 begins", "2 begins", "2 ends", "1 ends"]


@patterns
@on_the_loop
async def test_no_handler_is_unimplemented(rig: AioRig, pattern: str) -> None:
    async def intercept(continuation: Any, details: Any) -> Any:
        return None

    await rig.serve(rig.server_interceptor(intercept))
    call = rig.open(rig.connect(), pattern, b"x")
    code, details = await outcome(call)
    assert code == "UNIMPLEMENTED"
    assert details.startswith("Method not found!")


@on_the_loop
async def test_an_unknown_method_is_seen_too(rig: AioRig) -> None:
    seen: list[Any] = []

    async def intercept(continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        seen.append((details.method, handler))
        return handler

    await rig.serve(rig.server_interceptor(intercept))
    call = rig.open(rig.connect(), "unary_unary", b"x", method="no_such_method")
    assert (await outcome(call))[0] == "UNIMPLEMENTED"
    assert seen == [(PATH + "no_such_method", None)]


@patterns
@on_the_loop
async def test_an_unknown_method_can_be_served(rig: AioRig, pattern: str) -> None:
    async def intercept(continuation: Any, details: Any) -> Any:
        assert await continuation(details) is None
        return rig.handlers[pattern]

    await rig.serve(rig.server_interceptor(intercept))
    channel = rig.connect()
    assert await rig.invoke(channel, pattern, b"x", method="unknown") == expected(pattern)


@patterns
@on_the_loop
async def test_details_can_be_changed(rig: AioRig, pattern: str) -> None:
    if rig.library.name != "clarion":
        pytest.skip("grpcio: takes only the details that it made")

    class Changed:
        method = PATH + pattern
        invocation_metadata = ()

    async def intercept(continuation: Any, details: Any) -> Any:
        return await continuation(Changed)

    await rig.serve(rig.server_interceptor(intercept))
    channel = rig.connect()
    assert await rig.invoke(channel, pattern, b"x", method="alias") == expected(pattern)


@pytest.mark.parametrize("given", PATTERNS)
@pytest.mark.parametrize("served", PATTERNS)
@on_the_loop
async def test_the_handler_may_have_another_pattern(rig: AioRig, given: str, served: str) -> None:
    async def intercept(continuation: Any, details: Any) -> Any:
        return rig.handlers[served]

    await rig.serve(rig.server_interceptor(intercept))
    too_many = served == "unary_stream" and not given.endswith("stream")
    if too_many and rig.library.name != "clarion":
        pytest.skip("grpcio: three responses where one is due leave the client waiting")
    call = rig.open(rig.connect(), given, b"x")
    if too_many:
        assert (await outcome(call))[0] != "OK"
    else:
        assert await rig.finish(call, given) == expected(served)


@on_the_loop
async def test_the_number_of_requests_is_checked(rig: AioRig) -> None:
    if rig.library.name != "clarion":
        pytest.skip("grpcio: takes the first request, and waits for ever where there is none")

    async def intercept(continuation: Any, details: Any) -> Any:
        return rig.handlers["unary_unary"]

    await rig.serve(rig.server_interceptor(intercept))
    channel = rig.connect()
    call = rig.open(channel, "stream_unary", b"x", b"y")
    assert (await outcome(call))[0] == "UNIMPLEMENTED"
    empty = rig.open(channel, "stream_unary")
    await empty.done_writing()
    assert (await outcome(empty))[0] == "UNIMPLEMENTED"


@patterns
@on_the_loop
async def test_an_interceptor_may_wait(rig: AioRig, pattern: str) -> None:
    go_on, started = asyncio.Event(), asyncio.Event()

    async def intercept(continuation: Any, details: Any) -> Any:
        started.set()
        await go_on.wait()
        return await continuation(details)

    await rig.serve(rig.server_interceptor(intercept))
    call = rig.open(rig.connect(), pattern, b"x")
    await started.wait()
    go_on.set()
    assert await rig.finish(call, pattern) == expected(pattern)


@on_the_loop
async def test_the_behaviour_can_be_wrapped(rig: AioRig) -> None:
    async def intercept(continuation: Any, details: Any) -> Any:
        handler = await continuation(details)

        async def louder(request: bytes, context: Any) -> Any:
            context.set_trailing_metadata((("wrapped", "yes"),))
            return await handler.unary_unary(request, context) + b"!"

        return rig.grpc.unary_unary_rpc_method_handler(
            louder, handler.request_deserializer, handler.response_serializer
        )

    await rig.serve(*[rig.server_interceptor(intercept)] * 2)
    assert await rig.invoke(rig.connect(), "unary_unary", b"x") == [b"x!!"]


@on_the_loop
async def test_a_call_can_be_refused(rig: AioRig) -> None:
    async def refuse(request: bytes, context: Any) -> bytes:
        await context.abort(rig.grpc.StatusCode.UNAUTHENTICATED, "who are you?")
        return b""

    async def intercept(continuation: Any, details: Any) -> Any:
        return rig.grpc.unary_unary_rpc_method_handler(refuse)

    await rig.serve(rig.server_interceptor(intercept))
    call = rig.open(rig.connect(), "unary_unary", b"x")
    assert await outcome(call) == ("UNAUTHENTICATED", "who are you?")


@patterns
@on_the_loop
async def test_an_exception_is_unknown_and_tells_its_text_if_asked(
    rig: AioRig, pattern: str
) -> None:
    async def intercept(continuation: Any, details: Any) -> Any:
        raise LookupError("the interceptor is broken")

    options = [("clarion.expose_exceptions", 1)]
    await rig.serve(rig.server_interceptor(intercept), options=options)
    call = rig.open(rig.connect(), pattern, b"x")
    assert await outcome(call) == (
        "UNKNOWN",
        "Unexpected <class 'LookupError'>: the interceptor is broken",
    )


@on_the_loop
async def test_a_client_that_cancels_cancels_the_interceptor(rig: AioRig) -> None:
    started, told = asyncio.Event(), asyncio.Event()

    async def intercept(continuation: Any, details: Any) -> Any:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.set()
            raise

    await rig.serve(rig.server_interceptor(intercept))
    call = rig.open(rig.connect(), "unary_unary", b"x")
    await started.wait()
    call.cancel()
    await told.wait()
    assert call.cancelled()


@on_the_loop
async def test_a_deadline_holds_for_interceptors(rig: AioRig) -> None:
    told = asyncio.Event()

    async def intercept(continuation: Any, details: Any) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.set()
            raise

    await rig.serve(rig.server_interceptor(intercept))
    call = rig.open(rig.connect(), "unary_unary", b"x", timeout=0.05)
    assert (await outcome(call))[0] == "DEADLINE_EXCEEDED"
    await told.wait()


@pytest.mark.parametrize("plain", [False, True])
@on_the_loop
async def test_context_variables_reach_the_handler(rig: AioRig, plain: bool) -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        return VARIABLE.get().encode()

    def plain_handler(request: bytes, context: Any) -> bytes:
        return VARIABLE.get().encode()

    if plain and rig.library.name != "clarion":
        pytest.skip("grpcio: not those on threads")

    async def intercept(continuation: Any, details: Any) -> Any:
        VARIABLE.set(dict(pairs(details.invocation_metadata))["tag"])
        return await continuation(details)

    rig.handlers["get"] = rig.grpc.unary_unary_rpc_method_handler(
        plain_handler if plain else handler
    )
    async with thread_pool(1) as pool:
        await rig.serve(rig.server_interceptor(intercept), migration_thread_pool=pool)
        channel = rig.connect()
        for tag in ("1", "2"):
            options = {"method": "get", "metadata": [("tag", tag)]}
            assert await rig.invoke(channel, "unary_unary", b"", **options) == [tag.encode()]
        await rig.close()
    assert VARIABLE.get() == "unset"


@on_the_loop
async def test_a_limit_on_calls_counts_those_in_interceptors(rig: AioRig) -> None:
    if rig.library.name != "clarion":
        pytest.skip("grpcio: runs the interceptors before it refuses")
    started = asyncio.Event()

    async def intercept(continuation: Any, details: Any) -> Any:
        started.set()
        await rig.gate.wait()
        return await continuation(details)

    await rig.serve(rig.server_interceptor(intercept), maximum_concurrent_rpcs=1)
    channel = rig.connect()
    first = rig.open(channel, "unary_unary", b"x")
    await started.wait()
    second = rig.open(channel, "unary_unary", b"x")
    assert (await outcome(second))[0] == "RESOURCE_EXHAUSTED"
    rig.gate.set()
    assert await first == b"x"
    assert await rig.invoke(channel, "unary_unary", b"x") == [b"x"]


@on_the_loop
async def test_stopping_waits_for_interceptors(rig: AioRig) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def intercept(continuation: Any, details: Any) -> Any:
        started.set()
        await go_on.wait()
        return await continuation(details)

    server = await rig.serve(rig.server_interceptor(intercept))
    call = rig.open(rig.connect(), "unary_unary", b"x")
    await started.wait()
    stopping = asyncio.create_task(server.stop(LIMIT))
    await asyncio.sleep(0)
    go_on.set()
    assert await call == b"x"
    await stopping


@pytest.mark.parametrize("wrong", [object(), "text"])
def test_what_is_no_interceptor_is_refused(aio: FrontEnd, wrong: Any) -> None:
    async def make() -> None:
        aio.library.aio.server(interceptors=[wrong])

    with pytest.raises(ValueError, match="Interceptor must be ServerInterceptor"):
        aio.loop.run(make)


@on_the_loop
async def test_generic_handlers_of_the_application_are_asked_once(rig: AioRig) -> None:
    asked: list[str] = []

    class Generic(rig.grpc.GenericRpcHandler):  # type: ignore[misc]
        def service(self, details: Any) -> Any:
            asked.append(details.method)
            return rig.handlers["unary_unary"]

    async def intercept(continuation: Any, details: Any) -> Any:
        return await continuation(details)

    await rig.serve(rig.server_interceptor(intercept), handlers=[Generic()])
    assert await rig.invoke(rig.connect(), "unary_unary", b"x", method="any") == [b"x"]
    assert asked == [PATH + "any"]
