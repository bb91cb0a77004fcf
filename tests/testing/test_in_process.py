"""Channels to servers of the same process: both front ends, and each to the other."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import clarion
import clarion.aio
from clarion import StatusCode
from clarion.testing import aio_in_process_channel, in_process_channel

LIMIT = 30.0
CERTIFICATES = Path(__file__).parents[1] / "support" / "certificates"
LOCAL = {
    "credentials": clarion.local_channel_credentials(),
    "server_credentials": clarion.local_server_credentials(),
}


class Service:
    """Handlers for the sync server, and what they saw."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.begun = threading.Event()
        self.sent = 0

    def echo(self, request: bytes, context: Any) -> bytes:
        context.send_initial_metadata((("seen", dict(context.invocation_metadata())["say"]),))
        context.set_trailing_metadata((("last-bin", b"\0"),))
        if request == b"fail":
            context.abort(StatusCode.NOT_FOUND, "nothing of that name")
        return request * 2

    def wait(self, request: bytes, context: Any) -> bytes:
        if not context.add_callback(self.ended.set):
            self.ended.set()
        self.begun.set()
        self.ended.wait(LIMIT)
        return b""

    def many(self, request: bytes, context: Any) -> Iterator[bytes]:
        for _ in range(200):
            yield bytes(50_000)
            self.sent += 1

    def both(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for request in requests:
            yield request.upper()

    def handlers(self) -> list[Any]:
        return [
            clarion.method_handlers_generic_handler(
                "S",
                {
                    "Echo": clarion.unary_unary_rpc_method_handler(self.echo),
                    "Wait": clarion.unary_unary_rpc_method_handler(self.wait),
                    "Many": clarion.unary_stream_rpc_method_handler(self.many),
                    "Both": clarion.stream_stream_rpc_method_handler(self.both),
                },
            )
        ]


class AioLoop:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(LIMIT)

    def close(self) -> None:
        self.run(self.loop.shutdown_default_executor())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(LIMIT)
        self.loop.close()


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture(params=["sync", "aio"])
def server(request: pytest.FixtureRequest, service: Service) -> Iterator[Any]:
    """A server that has started, of either front end, with plain functions for handlers."""
    pool = ThreadPoolExecutor(4)
    if request.param == "sync":
        server: Any = clarion.server(pool, service.handlers())
        server.start()
        yield server
        server.stop(None).wait(LIMIT)
    else:
        aio = AioLoop()

        async def start() -> Any:
            server = clarion.aio.server(pool, service.handlers())
            await server.start()
            return server

        server = aio.run(start())
        yield server
        aio.run(server.stop(None))
        aio.close()
    pool.shutdown()


def test_a_sync_channel_has_what_every_channel_has(server: Any, service: Service) -> None:
    with in_process_channel(server) as channel:
        echo = channel.unary_unary("/S/Echo")
        response, call = echo.with_call(b"ab", metadata=[("say", "hi")], timeout=LIMIT)
        assert response == b"abab"
        assert ("seen", "hi") in call.initial_metadata()
        assert ("last-bin", b"\0") in call.trailing_metadata()
        with pytest.raises(clarion.RpcError) as failed:
            echo(b"fail", metadata=[("say", "hi")], timeout=LIMIT)
        assert failed.value.code() is StatusCode.NOT_FOUND
        assert failed.value.details() == "nothing of that name"
        both = channel.stream_stream("/S/Both")(iter([b"a", b"b"]), timeout=LIMIT)
        assert list(both) == [b"A", b"B"]


def test_deadlines_and_cancellation_reach_the_handler(server: Any, service: Service) -> None:
    with in_process_channel(server) as channel:
        wait = channel.unary_unary("/S/Wait")
        for timeout in (0.2, 1.0, 5.0):
            with pytest.raises(clarion.RpcError) as failed:
                wait(b"", timeout=timeout)
            assert failed.value.code() is StatusCode.DEADLINE_EXCEEDED
            # On a machine that is busy the time may be up before the server is asked.
            if service.begun.wait(timeout):
                break
        assert service.ended.wait(LIMIT)
        service.ended.clear()
        service.begun.clear()
        call = wait.future(b"")
        assert service.begun.wait(LIMIT)
        call.cancel()
        assert service.ended.wait(LIMIT)


def test_a_reader_that_rests_stops_the_sender(server: Any, service: Service) -> None:
    with in_process_channel(server) as channel:
        call = channel.unary_stream("/S/Many")(b"")
        assert len(next(call)) == 50_000
        # A small call on the same connection still passes; all the while most of the stream waits.
        channel.unary_unary("/S/Echo")(b"", metadata=[("say", "x")], timeout=LIMIT)
        assert service.sent < 200
        assert sum(1 for _ in call) == 199


def test_an_asyncio_channel_has_what_every_channel_has(server: Any, service: Service) -> None:
    async def use() -> None:
        async with aio_in_process_channel(server) as channel:
            call = channel.unary_unary("/S/Echo")(b"ab", metadata=[("say", "hi")], timeout=LIMIT)
            assert await call == b"abab"
            assert ("seen", "hi") in list(await call.initial_metadata())
            with pytest.raises(clarion.RpcError) as failed:
                await channel.unary_unary("/S/Wait")(b"", timeout=0.2)
            assert failed.value.code() is StatusCode.DEADLINE_EXCEEDED
            assert [each async for each in channel.stream_stream("/S/Both")(iter([b"a"]))] == [b"A"]

    asyncio.run(use())


def test_local_credentials_of_any_kind_are_for_it(server: Any) -> None:
    with in_process_channel(server, **LOCAL) as channel:
        token = clarion.access_token_call_credentials("t")
        echo = channel.unary_unary("/S/Echo")
        assert echo(b"a", metadata=[("say", "x")], credentials=token, timeout=LIMIT) == b"aa"

    async def use() -> bytes:
        async with aio_in_process_channel(server, **LOCAL) as channel:
            return await channel.unary_unary("/S/Echo")(b"b", metadata=[("say", "x")])

    assert asyncio.run(use()) == b"bb"


def test_tls_is_what_it_is_over_a_port(server: Any) -> None:
    key, chain, root = (
        (CERTIFICATES / name).read_bytes() for name in ("server.key", "server.pem", "ca.pem")
    )
    both = {
        "credentials": clarion.ssl_channel_credentials(root),
        "server_credentials": clarion.ssl_server_credentials([(key, chain)]),
    }
    with in_process_channel(server, **both) as channel:
        echo = channel.unary_unary("/S/Echo")
        assert echo(b"a", metadata=[("say", "x")], timeout=LIMIT) == b"aa"

    async def use() -> bytes:
        async with aio_in_process_channel(server, **both) as channel:
            return await channel.unary_unary("/S/Echo")(b"b", metadata=[("say", "x")])

    assert asyncio.run(use()) == b"bb"


def test_calls_wait_for_the_server_to_start(service: Service) -> None:
    pool = ThreadPoolExecutor(2)
    server = clarion.server(pool, service.handlers())
    with server.in_process_channel() as channel:
        call = channel.unary_unary("/S/Echo").future(b"a", metadata=[("say", "x")], timeout=LIMIT)
        assert not call.done()
        server.start()
        assert call.result(LIMIT) == b"aa"
        server.stop(None).wait(LIMIT)
        with pytest.raises(clarion.RpcError) as failed:
            channel.unary_unary("/S/Echo")(b"a", timeout=LIMIT)
    assert failed.value.code() is StatusCode.UNAVAILABLE
    pool.shutdown()


def test_calls_wait_for_the_asyncio_server_to_start(service: Service) -> None:
    async def use() -> bytes:
        server = clarion.aio.server(handlers=service.handlers())
        async with server.in_process_channel() as channel:
            call = channel.unary_unary("/S/Echo")(b"a", metadata=[("say", "x")], timeout=LIMIT)
            early = asyncio.ensure_future(_response(call))
            await asyncio.sleep(0)
            await server.start()
            response = await early
            await server.stop(None)
            with pytest.raises(clarion.RpcError, match="the server was stopped"):
                await channel.unary_unary("/S/Echo")(b"a", timeout=LIMIT)
        return response

    assert asyncio.run(use()) == b"aa"


async def _response(call: Any) -> bytes:
    response: bytes = await call
    return response


@pytest.mark.parametrize("make", [clarion.server, clarion.aio.server])
def test_a_server_that_never_started_keeps_no_socket(make: Callable[..., Any]) -> None:
    async def use() -> None:
        server = make(ThreadPoolExecutor(1))
        ours, theirs = socket.socketpair()
        with ours, warnings.catch_warnings():
            warnings.simplefilter("error")
            assert server.take_connection(theirs) == ""
            stopped = server.stop(None)
            if make is clarion.aio.server:
                await stopped
            assert ours.recv(1) == b""
            assert theirs.fileno() == -1
            assert server.take_connection(theirs) == "the server was stopped"

    asyncio.run(use())


def test_what_is_no_server_of_clarions_is_refused() -> None:
    with pytest.raises(TypeError, match=r"clarion\.server and clarion\.aio\.server make those"):
        in_process_channel(object())  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_is_told_that_the_server_is_its_parents(service: Service) -> None:
    pool = ThreadPoolExecutor(1)
    server = clarion.server(pool, service.handlers())
    with server.in_process_channel() as channel:
        server.start()
        echo = channel.unary_unary("/S/Echo")
        assert echo(b"a", metadata=[("say", "x")], timeout=LIMIT) == b"aa"
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            try:
                echo(b"b", metadata=[("say", "x")], timeout=LIMIT)
            except clarion.RpcError as error:
                os.write(writer, str(error.details()).encode())
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as said:
            assert b"of the process that forked this one" in said.read()
        os.waitpid(child, 0)
        assert echo(b"c", metadata=[("say", "x")], timeout=LIMIT) == b"cc"
    server.stop(None).wait(LIMIT)
    pool.shutdown()
