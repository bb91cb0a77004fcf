"""What the API's smaller methods answer, as grpcio's do: futures, the ready future, a server's end; and texts for people."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.libraries import LIMIT
from support.processes import free_port
from support.simple import ECHOES, Hang

UNARY = SERVICE + camel("unary_unary")


# A future that was cancelled


def check_cancelled(sync: FrontEnd, future: Any) -> None:
    root = sync.library.root
    assert future.cancel() is True
    assert (future.done(), future.cancelled(), future.running(), future.is_active()) == (
        True,
        True,
        False,
        False,
    )
    assert future.cancel() is False
    for method in (future.result, future.exception, future.traceback):
        with pytest.raises(root.FutureCancelledError):
            method(LIMIT)
    assert future.code() is root.StatusCode.CANCELLED


def test_a_future_is_cancelled_at_once_while_it_waits_for_a_connection(sync: FrontEnd) -> None:
    client = sync.connect(f"127.0.0.1:{free_port()}")
    check_cancelled(sync, client.raw.unary_unary(UNARY).future(b"", wait_for_ready=True))


def test_a_future_is_cancelled_at_once_while_it_waits_for_the_response(sync: FrontEnd) -> None:
    hang = Hang()
    rig = sync.rig(unary_unary=hang)
    future = rig.client.raw.unary_unary(UNARY).future(b"")
    hang.wait_started()
    check_cancelled(sync, future)


# channel_ready_future


def test_the_ready_future_of_a_channel_that_gets_ready(sync: FrontEnd) -> None:
    client = sync.connect(sync.serve(ECHOES).target)
    future = sync.library.root.channel_ready_future(client.raw)
    assert future.result(timeout=LIMIT) is None
    assert (future.done(), future.running(), future.cancelled()) == (True, False, False)
    assert future.exception() is None
    assert future.traceback() is None
    assert future.cancel() is False
    called = threading.Event()
    future.add_done_callback(lambda done: called.set() if done is future else None)
    assert called.wait(LIMIT)


def test_the_ready_future_of_a_channel_that_does_not(sync: FrontEnd) -> None:
    root = sync.library.root
    client = sync.connect(f"127.0.0.1:{free_port()}")
    future = root.channel_ready_future(client.raw)
    assert (future.done(), future.running(), future.cancelled()) == (False, True, False)
    for method in (future.result, future.exception, future.traceback):
        with pytest.raises(root.FutureTimeoutError):
            method(timeout=0.05)
    called: list[Any] = []
    future.add_done_callback(called.append)
    assert future.cancel() is True
    assert called == [future]
    assert (future.done(), future.running(), future.cancelled()) == (True, False, True)
    for method in (future.result, future.exception, future.traceback):
        with pytest.raises(root.FutureCancelledError):
            method()


# A server's end


def test_waiting_for_the_end_of_a_server(sync: FrontEnd) -> None:
    server = sync.serve(ECHOES).raw
    assert server.wait_for_termination(timeout=0.05) is True
    stopped = server.stop(None)
    assert isinstance(stopped, threading.Event)
    assert server.wait_for_termination(timeout=LIMIT) is False
    assert server.wait_for_termination() is False
    assert stopped.is_set()
    assert server.stop(None).wait(LIMIT)
    with pytest.raises(ValueError, match="already"):
        server.start()


def test_waiting_for_the_end_of_an_asyncio_server(aio: FrontEnd) -> None:
    server = aio.serve(ECHOES).raw
    assert aio.loop.run(lambda: server.wait_for_termination(timeout=0.05)) is True
    aio.loop.run(lambda: server.stop(None))
    assert aio.loop.run(lambda: server.wait_for_termination(timeout=LIMIT)) is False


def test_no_calls_at_all(sync: FrontEnd) -> None:
    rig = sync.rig(**ECHOES, maximum_concurrent_rpcs=0)
    assert rig.call("unary_unary", [b"x"]).code == "RESOURCE_EXHAUSTED"


def test_no_calls_at_all_make_no_sense_with_asyncio(aio: FrontEnd) -> None:
    async def make() -> None:
        aio.library.aio.server(maximum_concurrent_rpcs=0)

    with pytest.raises(ValueError, match="positive"):
        aio.loop.run(make)


# Texts


def test_an_error_says_what_happened(front: FrontEnd) -> None:
    rig = front.rig(**ECHOES)

    def fail() -> Any:
        return rig.client.raw.unary_unary("/no/method")(b"", timeout=LIMIT)

    async def fail_too() -> Any:
        return await fail()

    root = front.library.root
    with pytest.raises(root.RpcError) as caught:
        fail() if front.name == "sync" else front.loop.run(fail_too)
    error: Any = caught.value
    debug = error.debug_error_string()
    assert debug.startswith("UNIMPLEMENTED:Method not found!")
    first, status, details, more, last = str(error).splitlines()
    assert first.endswith("of RPC that terminated with:")
    assert status == "\tstatus = StatusCode.UNIMPLEMENTED"
    assert details == f'\tdetails = "{error.details()}"'
    assert more == f'\tdebug_error_string = "{debug}"'
    assert last == ">"
    assert repr(error) == str(error)
    front.clarion_only("grpcio does not say who answered")
    assert f"peer ipv4:{rig.server.target}" in debug


def test_objects_say_what_they_are(front: FrontEnd) -> None:
    front.clarion_only("grpcio's objects show their addresses in memory")
    rig = front.rig(**ECHOES)
    name = "clarion" if front.name == "sync" else "clarion.aio"
    target = rig.server.target
    port = target.rpartition(":")[2]
    assert repr(rig.server.raw) == f"<{name}.Server, ports {port}: serving, 0 calls>"
    callable_ = rig.client.raw.unary_unary(UNARY)
    assert repr(callable_) == f"<{name}.UnaryUnaryMultiCallable of {UNARY} on {target}>"
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    assert repr(rig.client.raw).startswith(f"<{name}.Channel to {target}: ")


def test_a_context_says_what_it_is(sync: FrontEnd) -> None:
    sync.clarion_only("grpcio's contexts show their addresses in memory")
    root = sync.library.root
    said: list[str] = []

    def handle(request: bytes, context: Any) -> bytes:
        said.append(repr(context))
        return request

    handler = root.unary_unary_rpc_method_handler(handle)
    assert repr(handler).startswith("RpcMethodHandler(request_streaming=False, ")
    generic = root.method_handlers_generic_handler("a.B", {"C": handler})
    assert repr(generic) == "<generic handler of a.B: C>"
    server = sync.serve(ECHOES)
    server.raw.add_generic_rpc_handlers((generic,))
    client = sync.connect(server.target)
    assert client.raw.unary_unary("/a.B/C")(b"x", timeout=LIMIT) == b"x"
    assert said[0].startswith("<clarion.ServicerContext of /a.B/C, from ipv4:127.0.0.1:")


def test_calls_say_how_they_are(sync: FrontEnd) -> None:
    sync.clarion_only("grpcio's calls show less")
    client = sync.connect(f"127.0.0.1:{free_port()}")
    future = client.raw.unary_unary(UNARY).future(b"", wait_for_ready=True)
    assert repr(future) == f"<ResponseFuture of {UNARY}: in progress>"
    ready = sync.library.root.channel_ready_future(client.raw)
    assert repr(ready).endswith(": waiting>")
    ready.cancel()
    assert repr(ready).endswith(": cancelled>")
    future.cancel()
    future.code()
    assert "CANCELLED, 'Locally cancelled by application!'" in repr(future)
    assert future.debug_error_string() == "CANCELLED:Locally cancelled by application!"
