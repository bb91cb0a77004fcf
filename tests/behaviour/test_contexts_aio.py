"""Context variables: what many callers share carries nothing of one of them over to the others."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import weakref
from typing import Any

from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT
from support.simple import ECHOES

METHOD = SERVICE + camel("unary_unary")
who: contextvars.ContextVar[Any] = contextvars.ContextVar("who", default="nobody")


def done_with_names(aio: FrontEnd, call: Any, seen: list[str]) -> asyncio.Event:
    """Notes in whose context the call's done callback ran."""
    ran = asyncio.Event()

    def note(_: object) -> None:
        seen.append(who.get())
        ran.set()

    call.add_done_callback(note)
    return ran


def test_a_done_callback_runs_in_the_context_that_it_was_added_in(aio: FrontEnd) -> None:
    rig = aio.rig(**ECHOES)
    seen: list[str] = []

    async def request(name: str) -> None:
        who.set(name)
        call = rig.client.raw.unary_unary(METHOD)(b"x")
        ran = done_with_names(aio, call, seen)
        await call
        await asyncio.wait_for(ran.wait(), LIMIT)

    for name in ("first", "second", "third"):
        aio.loop.run(request, name)
    assert seen == ["first", "second", "third"]


def test_so_does_one_of_an_intercepted_call(aio: FrontEnd) -> None:
    aio.clarion_only("such a callback runs in the context of the interceptors")
    server = aio.serve(ECHOES)
    seen: list[str] = []

    async def request() -> None:
        go_on = asyncio.Event()

        class Wait(aio.library.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]
            async def intercept_unary_unary(
                self, continuation: Any, client_call_details: Any, request: Any
            ) -> Any:
                await go_on.wait()
                return await continuation(client_call_details, request)

        async with aio.library.aio.insecure_channel(
            server.target, interceptors=[Wait()]
        ) as channel:
            call = channel.unary_unary(METHOD)(b"x")
            who.set("later")
            ran = done_with_names(aio, call, seen)
            go_on.set()
            await call
            await asyncio.wait_for(ran.wait(), LIMIT)

    aio.loop.run(request)
    assert seen == ["later"]


def test_a_request_that_was_cut_off_does_not_cut_off_what_a_later_one_calls(aio: FrontEnd) -> None:
    entered = threading.Event()

    async def leaf(call: ServerCall) -> bytes:
        if call.request == b"first":
            entered.set()
            await call.until_cancelled(lambda: None)
        return b"leaf"

    shared = aio.rig(unary_unary=leaf).client.raw

    async def fan_out(call: ServerCall) -> bytes:
        again: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def call_again() -> None:
            try:
                again.set_result(await shared.unary_unary(METHOD)(b"again"))
            except aio.library.aio.AioRpcError as error:
                again.set_exception(error)

        tasks = []
        inner = shared.unary_unary(METHOD)(call.request)
        inner.add_done_callback(lambda _: tasks.append(asyncio.ensure_future(call_again())))
        await inner
        return await again

    rig = aio.rig(unary_unary=fan_out)
    first = rig.open("unary_unary", [b"first"])
    assert entered.wait(LIMIT)
    first.cancel()
    assert first.finish().code == "CANCELLED"
    outcome = rig.call("unary_unary", [b"second"])
    assert (outcome.code, outcome.responses) == ("OK", [b"leaf"]), outcome.details


class Precious:
    """What a request has in its context."""


def test_a_connection_keeps_nothing_of_the_request_that_opened_it(aio: FrontEnd) -> None:
    server = aio.serve(ECHOES)
    channel = aio.connect(server.target, options=[("grpc.keepalive_time_ms", 600_000)]).raw

    async def request() -> weakref.ref[Precious]:
        precious = Precious()
        who.set(precious)
        assert await channel.unary_unary(METHOD)(b"x", timeout=600) == b"x"
        return weakref.ref(precious)

    async def settle() -> None:
        assert await channel.unary_unary(METHOD)(b"x") == b"x"

    kept = aio.loop.run(request)
    aio.loop.run(settle)
    gc.collect()
    assert kept() is None


def test_handlers_see_the_context_that_the_server_was_started_in(aio: FrontEnd) -> None:
    async def handler(request: bytes, context: Any) -> bytes:
        return str(who.get()).encode()

    async def serve() -> tuple[Any, int]:
        server = aio.library.aio.server()
        server.add_registered_method_handlers(
            "test.Service",
            {"UnaryUnary": aio.library.root.unary_unary_rpc_method_handler(handler)},
        )
        port = server.add_insecure_port("127.0.0.1:0")
        who.set("the starter")
        await server.start()
        return server, port

    server, port = aio.loop.run(serve)
    try:
        outcome = aio.connect(f"127.0.0.1:{port}").call(METHOD, "unary_unary", [b"x"])
        assert outcome.responses == [b"the starter"]
    finally:
        aio.loop.run(server.stop, None)


def test_a_server_started_by_a_handler_outlives_the_request(aio: FrontEnd) -> None:
    leaf = aio.serve(ECHOES)
    channel = aio.connect(leaf.target).raw
    started: list[tuple[Any, int]] = []

    async def pass_on(request: bytes, context: Any) -> bytes:
        response: bytes = await channel.unary_unary(METHOD)(request)
        return response

    may_end = threading.Event()
    running = threading.Event()

    async def starter(call: ServerCall) -> bytes:
        # Its handlers' calls inherit nothing, neither from their own call nor from the one that started it.
        server = aio.library.aio.server(options=[("clarion.propagate", 0)])
        server.add_registered_method_handlers(
            "test.Service",
            {"UnaryUnary": aio.library.root.unary_unary_rpc_method_handler(pass_on)},
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        started.append((server, port))
        running.set()
        await call.until_cancelled(may_end.set)
        return b""

    rig = aio.rig(unary_unary=starter)
    first = rig.open("unary_unary", [b"x"])
    assert running.wait(LIMIT)
    first.cancel()
    assert may_end.wait(LIMIT)
    [(server, port)] = started
    try:
        outcome = aio.connect(f"127.0.0.1:{port}").call(METHOD, "unary_unary", [b"x"])
        assert (outcome.code, outcome.responses) == ("OK", [b"x"]), outcome.details
    finally:
        aio.loop.run(server.stop, None)
