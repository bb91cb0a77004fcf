"""What a handler's own calls inherit from the call it serves: deadline and cancellation."""

from __future__ import annotations

import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Any

import pytest

from clarion.propagation import current_parent
from support.front_end import SERVICE, FrontEnd
from support.handlers import Handler, ServerCall
from support.libraries import LIMIT

WHY = "grpcio's calls inherit nothing"
METHOD = SERVICE + "UnaryUnary"


class Backend:
    """A server whose handler says what time it has, waits, and notes how it ended."""

    def __init__(self, front: FrontEnd) -> None:
        self.entered = threading.Event()
        self.may_answer = threading.Event()
        self.cut_off = threading.Event()
        self.server = front.serve({"unary_unary": self.handle})

    async def handle(self, call: ServerCall) -> bytes:
        left = call.context.time_remaining()
        if call.request == b"time":
            return b"none" if left is None or left > 1e6 else b"%d" % left
        self.entered.set()
        if call.request == b"until cancelled":
            await call.until_cancelled(self.cut_off.set)
            return b""
        await call.wait(self.may_answer)
        return b"answered"


@pytest.fixture
def backend(front: FrontEnd) -> Backend:
    front.clarion_only(WHY)
    return Backend(front)


def caller(
    front: FrontEnd,
    backend: Backend,
    around: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext,
    options: Any = None,
    errors: queue.Queue[BaseException] | None = None,
    timeout: float | None = None,
) -> Handler:
    """A handler that passes its request on to the backend, on a channel of its own."""
    channels: dict[str, Any] = {}

    async def handle(call: ServerCall) -> bytes:
        grpc = front.library.aio if front.name == "aio" else front.library.root
        if not channels:
            channels["one"] = grpc.insecure_channel(backend.server.target, options=options)
        method = channels["one"].unary_unary(METHOD)
        try:
            with around():
                if front.name == "aio":
                    return await method(call.request, timeout=timeout)  # type: ignore[no-any-return]
                return method(call.request, timeout=timeout)  # type: ignore[no-any-return]
        except BaseException as error:
            if errors is not None:
                errors.put(error)
            raise

    return handle


def serve(front: FrontEnd, handler: Handler, **options: Any) -> Any:
    return front.rig(unary_unary=handler, **options)


def test_the_deadline_is_inherited(front: FrontEnd, backend: Backend) -> None:
    rig = serve(front, caller(front, backend))
    left = rig.call("unary_unary", [b"time"], timeout=600).responses[0]
    assert 500 < int(left) <= 600
    assert rig.call("unary_unary", [b"time"]).responses == [b"none"]


def test_the_shorter_of_both_timeouts_counts(front: FrontEnd, backend: Backend) -> None:
    rig = serve(front, caller(front, backend, timeout=300))
    assert 200 < int(rig.call("unary_unary", [b"time"], timeout=600).responses[0]) <= 300
    assert 50 < int(rig.call("unary_unary", [b"time"], timeout=100).responses[0]) <= 100


def test_cancellation_goes_all_the_way(front: FrontEnd, backend: Backend) -> None:
    rig = serve(front, caller(front, backend))
    call = rig.open("unary_unary", [b"until cancelled"])
    assert backend.entered.wait(LIMIT)
    call.cancel()
    assert backend.cut_off.wait(LIMIT)


def test_the_handler_s_own_call_ends_too(sync: FrontEnd) -> None:
    sync.clarion_only(WHY)
    backend = Backend(sync)
    errors: queue.Queue[Any] = queue.Queue()
    rig = serve(sync, caller(sync, backend, errors=errors))
    call = rig.open("unary_unary", [b"until cancelled"])
    assert backend.entered.wait(LIMIT)
    call.cancel()
    assert backend.cut_off.wait(LIMIT)
    # The handler's thread gets its error a moment later.
    error = errors.get(timeout=LIMIT)
    assert error.code().name == "CANCELLED"
    assert "made for" in error.details()
    rig.server.stop(LIMIT)()
    assert errors.empty()


@pytest.mark.parametrize("way", ["block", "channel", "server"])
def test_without_propagation(front: FrontEnd, backend: Backend, way: str) -> None:
    around: Any = contextlib.nullcontext
    off = [("clarion.propagate", 0)]
    if way == "block":
        around = front.library.root.detached
    handler = caller(front, backend, around, options=off if way == "channel" else None)
    rig = serve(front, handler, options=off if way == "server" else None)
    assert rig.call("unary_unary", [b"time"], timeout=600).responses == [b"none"]


def test_calls_that_a_finished_handler_left_go_on(front: FrontEnd, backend: Backend) -> None:
    left: list[Any] = []

    async def handle(call: ServerCall) -> bytes:
        grpc = front.library.aio if front.name == "aio" else front.library.root
        channel = grpc.insecure_channel(backend.server.target)
        method = channel.unary_unary(METHOD)
        left.append((channel, method(b"x") if front.name == "aio" else method.future(b"x")))
        return b"done"

    rig = serve(front, handle)
    assert rig.call("unary_unary", [b""]).responses == [b"done"]
    assert backend.entered.wait(LIMIT)
    backend.may_answer.set()
    channel, call = left[0]
    if front.name == "aio":

        async def finish() -> bytes:
            try:
                return await call  # type: ignore[no-any-return]
            finally:
                await channel.close()

        assert front.loop.run(finish) == b"answered"
    else:
        assert call.result(LIMIT) == b"answered"
        channel.close()


def test_threads_inherit_with_the_context(sync: FrontEnd) -> None:
    sync.clarion_only(WHY)
    backend = Backend(sync)
    inner = caller(sync, backend)

    async def handle(call: ServerCall) -> bytes:
        found: list[bytes] = []

        def keep() -> None:
            try:
                inner(call).send(None)
            except StopIteration as stop:
                found.append(stop.value)

        thread = threading.Thread(target=contextvars.copy_context().run, args=(keep,))
        thread.start()
        thread.join(LIMIT)
        return found[0]

    rig = serve(sync, handle)
    assert 500 < int(rig.call("unary_unary", [b"time"], timeout=600).responses[0]) <= 600


def test_a_call_made_after_the_caller_is_gone(front: FrontEnd, backend: Backend) -> None:
    gone = threading.Event()
    codes: list[str] = []
    told = threading.Event()

    async def handle(call: ServerCall) -> bytes:
        grpc = front.library.aio if front.name == "aio" else front.library.root
        entered.set()
        try:
            await call.until_cancelled(gone.set)
        finally:
            channel = grpc.insecure_channel(backend.server.target)
            made = channel.unary_unary(METHOD)
            if front.name == "aio":
                child = made(b"time")
                codes.append((await child.code()).name)
                await channel.close()
            else:
                codes.append(made.future(b"time").code().name)
                channel.close()
            told.set()
        return b""

    entered = threading.Event()
    rig = serve(front, handle)
    call = rig.open("unary_unary", [b""])
    assert entered.wait(LIMIT)
    call.cancel()
    assert told.wait(LIMIT)
    assert codes == ["CANCELLED"]


@pytest.mark.parametrize("hops", [2, 3])
def test_a_deadline_is_a_deadline_for_every_caller(front: FrontEnd, hops: int) -> None:
    front.clarion_only(WHY)
    backend = Backend(front)
    target: Any = backend
    for _ in range(hops - 1):
        rig = serve(front, caller(front, target))
        target = rig
    for _ in range(5):
        outcome = rig.call("unary_unary", [b"until cancelled"], timeout=0.1)
        assert outcome.code == "DEADLINE_EXCEEDED", outcome


def test_calls_that_never_began_are_not_kept(sync: FrontEnd) -> None:
    sync.clarion_only(WHY)
    backend = Backend(sync)
    kept: list[int] = []

    async def handle(call: ServerCall) -> bytes:
        channel = sync.library.root.insecure_channel(backend.server.target)
        method = channel.unary_unary(METHOD)
        for _ in range(10):
            with contextlib.suppress(sync.library.root.RpcError):
                method(b"", timeout=0)
        broken = channel.unary_unary(METHOD, request_serializer=lambda request: 1 / 0)
        for _ in range(10):
            with contextlib.suppress(sync.library.root.RpcError):
                broken(b"")
        parent = current_parent.get()
        assert parent is not None
        kept.append(len(parent._children or ()))
        channel.close()
        return b""

    assert serve(sync, handle).call("unary_unary", [b""]).code == "OK"
    assert kept == [0]
