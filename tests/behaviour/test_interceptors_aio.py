"""Interceptors of asyncio channels."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from support.front_end import FrontEnd
from support.interception_aio import (
    PATH,
    AioRig,
    expected,
    kind,
    on_the_loop,
    proceed,
    requests,
    tagging,
)
from support.libraries import LIMIT, PATTERNS, pairs

patterns = pytest.mark.parametrize("pattern", PATTERNS)
stream_responses = pytest.mark.parametrize("pattern", ["unary_stream", "stream_stream"])
stream_requests = pytest.mark.parametrize("pattern", ["stream_unary", "stream_stream"])
one_response = pytest.mark.parametrize("pattern", ["unary_unary", "stream_unary"])


@pytest.fixture
def rig(aio: FrontEnd) -> Iterator[AioRig]:
    rig = aio.loop.call(AioRig, aio.library, aio.loop)
    aio.loop.run(rig.serve)
    yield rig
    aio.loop.run(rig.close)


# Which calls an interceptor sees, and what of them


@patterns
@on_the_loop
async def test_an_interceptor_sees_calls_of_its_kind(rig: AioRig, pattern: str) -> None:
    seen: list[Any] = []

    def remember(of: str) -> Any:
        async def intercept(continuation: Any, details: Any, request: Any) -> Any:
            seen.append((of, details))
            return await continuation(details, request)

        return rig.interceptor(of, intercept)

    channel = rig.connect(*map(remember, PATTERNS))
    assert await rig.invoke(channel, pattern, b"x") == expected(pattern)
    ((of, details),) = seen
    assert of == pattern
    assert details.method == (PATH + pattern).encode()
    assert isinstance(details, rig.aio.ClientCallDetails)
    assert isinstance(details, tuple)
    assert details.timeout == LIMIT
    assert isinstance(details.metadata, rig.aio.Metadata)
    assert (details.credentials, details.wait_for_ready) == (None, None)


@on_the_loop
async def test_details_hold_what_the_application_gave(rig: AioRig) -> None:
    seen: list[Any] = []

    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        seen.append(details)
        return await continuation(details, request)

    channel = rig.connect(rig.interceptor("unary_unary", intercept))
    metadata = (("tag", "a"), ("tag", "b"))
    call = rig.open(channel, "unary_unary", b"x", metadata=metadata, wait_for_ready=True)
    assert await call == b"x"
    assert seen[0].metadata == metadata
    assert seen[0].wait_for_ready is True
    assert ("seen", "a,b") in pairs(await call.initial_metadata())


@on_the_loop
async def test_an_object_of_several_kinds_counts_as_the_first(rig: AioRig) -> None:
    seen: list[Any] = []

    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        seen.append(details.method)
        return await continuation(details, request)

    channel = rig.connect(rig.interceptor("stream_stream", intercept, "unary_stream"))
    assert await rig.invoke(channel, "stream_stream", b"x") == expected("stream_stream")
    assert seen == []
    assert await rig.invoke(channel, "unary_stream", b"x") == expected("unary_stream")
    assert seen == [b"/test.Echo/unary_stream"]


@pytest.mark.parametrize("wrong", [object(), None, "text"])
def test_what_is_no_interceptor_is_refused(rig: AioRig, wrong: Any) -> None:
    with pytest.raises(ValueError, match="must be UnaryUnaryClientInterceptor or "):
        rig.loop.call(rig.connect, wrong)


def test_client_call_details(aio: FrontEnd) -> None:
    details = aio.library.aio.ClientCallDetails("/a/b", 1.0, None, None, True)
    assert details == ("/a/b", 1.0, None, None, True)
    changed = details._replace(timeout=2.0)
    assert isinstance(changed, aio.library.aio.ClientCallDetails)
    assert (changed.method, changed.timeout, changed.wait_for_ready) == ("/a/b", 2.0, True)
    with pytest.raises(TypeError):
        aio.library.aio.ClientCallDetails("/a/b")


@patterns
@on_the_loop
async def test_the_first_interceptor_sees_a_call_first(rig: AioRig, pattern: str) -> None:
    channel = rig.connect(tagging(rig, pattern, "1"), tagging(rig, pattern, "2"))
    call = rig.open(channel, pattern, b"x")
    assert await rig.finish(call, pattern) == expected(pattern)
    assert ("seen", "1,2") in pairs(await call.initial_metadata())


# Changing the call


@patterns
@on_the_loop
async def test_details_can_be_changed(rig: AioRig, pattern: str) -> None:
    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        changed = rig.aio.ClientCallDetails(
            method=(PATH + pattern).encode(),
            timeout=5 * LIMIT,
            metadata=[("tag", "changed")],
            credentials=None,
            wait_for_ready=None,
        )
        return await continuation(changed, request)

    channel = rig.connect(rig.interceptor(pattern, intercept))
    call = rig.open(channel, pattern, b"x", method="no_such_method", timeout=LIMIT)
    assert await rig.finish(call, pattern) == expected(pattern)
    assert ("seen", "changed") in pairs(await call.initial_metadata())
    assert ("time", "more") in pairs(await call.trailing_metadata())


@on_the_loop
async def test_a_deadline_can_be_taken_away(rig: AioRig) -> None:
    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(details._replace(timeout=None, metadata=()), request)

    channel = rig.connect(rig.interceptor("unary_unary", intercept))
    call = rig.open(channel, "unary_unary", b"x", timeout=LIMIT)
    assert await call == b"x"
    assert ("time", "none") in pairs(await call.trailing_metadata())


@patterns
@on_the_loop
async def test_details_may_be_any_object(rig: AioRig, pattern: str) -> None:
    if rig.library.name != "clarion":
        pytest.skip("grpcio: needs all attributes, the method as bytes, and metadata")

    class Changed:
        method = PATH + pattern
        metadata = None

    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(Changed, request)

    channel = rig.connect(rig.interceptor(pattern, intercept))
    call = rig.open(channel, pattern, b"x", method="no_such_method", metadata=[("tag", "x")])
    assert await rig.finish(call, pattern) == expected(pattern)
    assert ("seen", "") in pairs(await call.initial_metadata())
    assert ("time", "less") in pairs(await call.trailing_metadata())


@patterns
@on_the_loop
async def test_requests_can_be_changed(rig: AioRig, pattern: str) -> None:
    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        if not pattern.startswith("stream"):
            return await continuation(details, b"x")

        async def changed() -> AsyncIterator[bytes]:
            async for _ in request:
                yield b"x"

        return await continuation(details, changed())

    channel = rig.connect(rig.interceptor(pattern, intercept))
    assert await rig.invoke(channel, pattern, b"y") == expected(pattern)


@on_the_loop
async def test_compression_of_the_call_stays(rig: AioRig) -> None:
    channel = rig.connect(rig.interceptor("unary_unary", proceed))
    call = channel.unary_unary(PATH + "unary_unary")(
        b"x" * 1000, timeout=LIMIT, compression=rig.grpc.Compression.Gzip
    )
    assert await call == b"x" * 1000


# What the continuation gives


@patterns
@on_the_loop
async def test_the_continuation_gives_the_call(rig: AioRig, pattern: str) -> None:
    seen: list[Any] = []

    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        call = await continuation(details, request)
        seen.append(isinstance(call, kind(rig.aio, pattern)))
        seen.append(isinstance(call, rig.aio.Call) and isinstance(call, rig.aio.RpcContext))
        return call

    channel = rig.connect(*[rig.interceptor(pattern, intercept)] * 2)
    call = rig.open(channel, pattern, b"x")
    assert isinstance(call, kind(rig.aio, pattern))
    assert await rig.finish(call, pattern) == expected(pattern)
    assert seen == [True] * 4


@patterns
@on_the_loop
async def test_an_interceptor_learns_how_the_call_ends(rig: AioRig, pattern: str) -> None:
    ended: asyncio.Queue[Any] = asyncio.Queue()

    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        call = await continuation(details, request)
        call.add_done_callback(ended.put_nowait)
        return call

    channel = rig.connect(rig.interceptor(pattern, intercept))
    assert await rig.invoke(channel, pattern, b"x") == expected(pattern)
    call = await ended.get()
    assert call.done()
    assert await call.code() is rig.grpc.StatusCode.OK
    assert ("seen", "") in pairs(await call.initial_metadata())
    assert ("side", "server") in pairs(await call.trailing_metadata())


@patterns
@on_the_loop
async def test_status_and_metadata_of_a_call_that_fails(rig: AioRig, pattern: str) -> None:
    seen: list[Any] = []

    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        call = await continuation(details, request)
        if not pattern.endswith("stream"):
            seen.append(((await call.code()).name, await call.details()))
        return call

    channel = rig.connect(rig.interceptor(pattern, intercept))
    call = rig.open(channel, pattern, b"fail")
    with pytest.raises(rig.aio.AioRpcError) as failed:
        await rig.finish(call, pattern)
    assert failed.value.code() is rig.grpc.StatusCode.NOT_FOUND
    assert await call.code() is rig.grpc.StatusCode.NOT_FOUND
    assert await call.details() == "nothing here"
    assert ("side", "server") in pairs(await call.trailing_metadata())
    assert ("seen", "") in pairs(await call.initial_metadata())
    assert await call.debug_error_string()
    assert call.done()
    assert not call.cancelled()
    assert not call.cancel()
    if not pattern.endswith("stream"):
        assert seen == [("NOT_FOUND", "nothing here")]


@one_response
@on_the_loop
async def test_the_continuation_may_be_repeated(rig: AioRig, pattern: str) -> None:
    attempts: list[str] = []

    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        for given in (b"fail", b"fail", b"x"):
            attempt = given if pattern == "unary_unary" else requests(given)
            call = await continuation(details, attempt)
            code = await call.code()
            attempts.append(code.name)
            if code is rig.grpc.StatusCode.OK:
                break
        return call

    inner: list[bytes] = []

    async def count(continuation: Any, details: Any, request: Any) -> Any:
        inner.append(details.method)
        return await continuation(details, request)

    channel = rig.connect(
        rig.interceptor(pattern, intercept),
        rig.interceptor(pattern, count),
    )
    assert await rig.invoke(channel, pattern, b"x") == [b"x"]
    assert attempts == ["NOT_FOUND", "NOT_FOUND", "OK"]
    assert len(inner) == 3


@stream_responses
@on_the_loop
async def test_responses_can_be_wrapped(rig: AioRig, pattern: str) -> None:
    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        call = await continuation(details, request)

        async def changed() -> AsyncIterator[bytes]:
            async for response in call:
                yield response + b"!"
            yield b"end"

        return changed()

    twice = [rig.interceptor(pattern, intercept)] * 2
    channel = rig.connect(*twice)
    call = rig.open(channel, pattern, b"x")
    wrapped = [each + b"!!" for each in expected(pattern)]
    assert await rig.finish(call, pattern) == [*wrapped, b"end!", b"end"]
    assert await call.code() is rig.grpc.StatusCode.OK
    assert ("side", "server") in pairs(await call.trailing_metadata())
    assert call.done()


@stream_responses
@on_the_loop
async def test_what_a_wrapper_raises_is_what_the_reader_gets(rig: AioRig, pattern: str) -> None:
    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        call = await continuation(details, request)

        async def broken() -> AsyncIterator[bytes]:
            async for response in call:
                yield response
                raise LookupError("the wrapper is broken")

        return broken()

    call = rig.open(rig.connect(rig.interceptor(pattern, intercept)), pattern, b"x")
    assert await call.read() == b"x"
    with pytest.raises(LookupError, match="the wrapper is broken"):
        await call.read()


# Answers without a call


@on_the_loop
async def test_an_interceptor_may_answer(rig: AioRig) -> None:
    seen: list[Any] = []

    async def outer(continuation: Any, details: Any, request: Any) -> Any:
        call = await continuation(details, request)
        seen.append(isinstance(call, rig.aio.UnaryUnaryCall))
        seen.append((await call, call.done(), call.cancelled(), call.cancel()))
        await call.wait_for_connection()
        return call

    async def inner(continuation: Any, details: Any, request: Any) -> Any:
        return b"cached"

    channel = rig.connect(
        rig.interceptor("unary_unary", outer), rig.interceptor("unary_unary", inner)
    )
    call = rig.open(channel, "unary_unary", b"x")
    assert await call == b"cached"
    assert seen == [True, (b"cached", True, False, False)]
    assert await call.code() is rig.grpc.StatusCode.OK
    assert await call.details() == ""
    assert await call.initial_metadata() is None
    assert await call.trailing_metadata() is None
    assert await call.debug_error_string() is None
    assert await call == b"cached"
    assert call.done()


@on_the_loop
async def test_an_interceptor_may_change_the_response(rig: AioRig) -> None:
    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        return await (await continuation(details, request)) + b"!"

    channel = rig.connect(*[rig.interceptor("unary_unary", intercept)] * 2)
    assert await rig.invoke(channel, "unary_unary", b"x") == [b"x!!"]


@stream_responses
@on_the_loop
async def test_an_interceptor_may_answer_with_an_iterator(rig: AioRig, pattern: str) -> None:
    if rig.library.name != "clarion":
        pytest.skip("grpcio: such a call gives its responses, but all else raises AttributeError")

    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        return requests(b"1", b"2")

    call = rig.open(rig.connect(rig.interceptor(pattern, intercept)), pattern, b"x")
    await call.wait_for_connection()
    assert not call.done()
    assert await rig.finish(call, pattern) == [b"1", b"2"]
    assert await call.code() is rig.grpc.StatusCode.OK
    assert await call.initial_metadata() is None
    assert call.done()
    assert not call.cancel()


@stream_responses
@on_the_loop
async def test_an_iterator_that_is_an_answer_can_be_cancelled(rig: AioRig, pattern: str) -> None:
    if rig.library.name != "clarion":
        pytest.skip("grpcio: such a call gives its responses, but all else raises AttributeError")
    called: asyncio.Queue[Any] = asyncio.Queue()

    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        return requests(b"1", b"2")

    call = rig.open(rig.connect(rig.interceptor(pattern, intercept)), pattern, b"x")
    call.add_done_callback(called.put_nowait)
    assert await call.read() == b"1"
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.read()
    assert await called.get() is call
    assert call.cancelled()
    assert await call.code() is rig.grpc.StatusCode.CANCELLED


# Exceptions


@patterns
@on_the_loop
async def test_what_an_interceptor_raises_is_what_the_caller_gets(
    rig: AioRig, pattern: str
) -> None:
    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        raise LookupError("the interceptor is broken")

    call = rig.open(rig.connect(rig.interceptor(pattern, intercept)), pattern, b"x")
    with pytest.raises(LookupError, match="the interceptor is broken"):
        await rig.finish(call, pattern)
    with pytest.raises(LookupError, match="the interceptor is broken"):
        await call.code()
    assert call.done()
    assert not call.cancelled()
    assert not call.cancel()


@patterns
@on_the_loop
async def test_an_interceptor_may_raise_a_status(rig: AioRig, pattern: str) -> None:
    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        raise rig.aio.AioRpcError(
            rig.grpc.StatusCode.PERMISSION_DENIED,
            rig.aio.Metadata(("i", "1")),
            rig.aio.Metadata(("t", "2")),
            details="not you",
            debug_error_string="not you at all",
        )

    call = rig.open(rig.connect(rig.interceptor(pattern, intercept)), pattern, b"x")
    with pytest.raises(rig.aio.AioRpcError) as failed:
        await rig.finish(call, pattern)
    assert failed.value.code() is rig.grpc.StatusCode.PERMISSION_DENIED
    assert await call.code() is rig.grpc.StatusCode.PERMISSION_DENIED
    assert await call.details() == "not you"
    assert await call.debug_error_string() == "not you at all"
    assert pairs(await call.initial_metadata()) == [("i", "1")]
    assert pairs(await call.trailing_metadata()) == [("t", "2")]
    assert call.done()
    assert not call.cancelled()
    assert not call.cancel()


@on_the_loop
async def test_a_raised_status_cancelled_counts_as_cancelled(rig: AioRig) -> None:
    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        code = rig.grpc.StatusCode.CANCELLED
        raise rig.aio.AioRpcError(code, rig.aio.Metadata(), rig.aio.Metadata())

    call = rig.open(rig.connect(rig.interceptor("unary_unary", intercept)), "unary_unary", b"x")
    assert await call.code() is rig.grpc.StatusCode.CANCELLED
    assert call.cancelled()


# Cancelling


@patterns
@on_the_loop
async def test_cancelled_before_the_interceptor_begins(rig: AioRig, pattern: str) -> None:
    seen: list[Any] = []

    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        seen.append(details)
        return await continuation(details, request)

    call = rig.open(rig.connect(rig.interceptor(pattern, intercept)), pattern, b"x")
    assert not call.done()
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rig.finish(call, pattern)
    assert seen == []
    assert call.cancelled()
    assert call.done()
    assert not call.cancel()
    assert await call.code() is rig.grpc.StatusCode.CANCELLED
    assert await call.details() == "Locally cancelled by application!"
    assert await call.initial_metadata() is None
    assert await call.trailing_metadata() is None
    assert await call.debug_error_string() == ""
    with pytest.raises(asyncio.CancelledError):
        await call.wait_for_connection()


@patterns
@on_the_loop
async def test_cancelled_while_the_interceptor_runs(rig: AioRig, pattern: str) -> None:
    started = asyncio.Event()
    told: list[str] = []

    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.append("cancelled")
            raise

    call = rig.open(rig.connect(rig.interceptor(pattern, intercept)), pattern, b"x")
    await started.wait()
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rig.finish(call, pattern)
    assert told == ["cancelled"]
    assert call.cancelled()


@pytest.mark.parametrize("pattern", ["unary_unary", "stream_unary", "stream_stream"])
@on_the_loop
async def test_cancelled_while_the_call_goes_on(rig: AioRig, pattern: str) -> None:
    call = rig.open(rig.connect(rig.interceptor(pattern, proceed)), pattern, b"hang")
    await rig.hanging.acquire()
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rig.finish(call, pattern)
    await rig.cut_off.acquire()
    assert call.cancelled()
    assert call.done()
    assert await call.code() is rig.grpc.StatusCode.CANCELLED


@on_the_loop
async def test_cancelled_while_the_interceptor_waits_for_the_response(rig: AioRig) -> None:
    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        return await (await continuation(details, request))

    call = rig.open(rig.connect(rig.interceptor("unary_unary", intercept)), "unary_unary", b"hang")
    await rig.hanging.acquire()
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await rig.cut_off.acquire()
    assert call.cancelled()


@on_the_loop
async def test_cancelling_who_waits_for_the_response_cancels_the_call(rig: AioRig) -> None:
    call = rig.open(rig.connect(rig.interceptor("unary_unary", proceed)), "unary_unary", b"hang")

    async def wait() -> None:
        await call

    waiting = asyncio.create_task(wait())
    await rig.hanging.acquire()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await rig.cut_off.acquire()
    assert call.cancelled()


@on_the_loop
async def test_cancelling_who_asks_for_the_status_cancels_no_call(rig: AioRig) -> None:
    if rig.library.name != "clarion":
        pytest.skip("grpcio: cancels the interceptors, and swallows the cancellation")
    go_on = asyncio.Event()

    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        await go_on.wait()
        return await continuation(details, request)

    call = rig.open(rig.connect(rig.interceptor("unary_unary", intercept)), "unary_unary", b"x")
    asking = asyncio.create_task(call.code())
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    go_on.set()
    assert await call == b"x"


@on_the_loop
async def test_a_call_that_its_interceptor_leaves_is_cancelled(rig: AioRig) -> None:
    if rig.library.name != "clarion":
        pytest.skip("grpcio: once the garbage collector has been there")

    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        await continuation(details, request)
        await rig.hanging.acquire()
        raise LookupError("left")

    call = rig.open(rig.connect(rig.interceptor("unary_unary", intercept)), "unary_unary", b"hang")
    with pytest.raises(LookupError):
        await call
    await rig.cut_off.acquire()


# Done callbacks and other questions


@patterns
@on_the_loop
async def test_done_callbacks_get_the_call_that_the_application_has(
    rig: AioRig, pattern: str
) -> None:
    called: asyncio.Queue[Any] = asyncio.Queue()
    call = rig.open(rig.connect(rig.interceptor(pattern, proceed)), pattern, b"x")
    call.add_done_callback(called.put_nowait)
    assert await rig.finish(call, pattern) == expected(pattern)
    assert await called.get() is call
    assert call.done()
    call.add_done_callback(called.put_nowait)
    assert await called.get() is call


@pytest.mark.parametrize("how", ["raise", "status", "cancel", "answer"])
@on_the_loop
async def test_done_callbacks_without_a_call(rig: AioRig, how: str) -> None:
    called: asyncio.Queue[Any] = asyncio.Queue()

    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        if how == "raise":
            raise LookupError
        if how == "status":
            code = rig.grpc.StatusCode.ABORTED
            raise rig.aio.AioRpcError(code, rig.aio.Metadata(), rig.aio.Metadata())
        if how == "cancel":
            await asyncio.Event().wait()
        return b"answer"

    call = rig.open(rig.connect(rig.interceptor("unary_unary", intercept)), "unary_unary", b"x")
    call.add_done_callback(called.put_nowait)
    if how == "cancel":
        call.cancel()
    assert await called.get() is call
    assert call.done()
    if how == "raise":
        with pytest.raises(LookupError):
            await call


@patterns
@on_the_loop
async def test_wait_for_connection(rig: AioRig, pattern: str) -> None:
    call = rig.open(rig.connect(rig.interceptor(pattern, proceed)), pattern, b"x")
    await call.wait_for_connection()
    assert await rig.finish(call, pattern) == expected(pattern)


@patterns
@on_the_loop
async def test_time_remaining(rig: AioRig, pattern: str) -> None:
    if rig.library.name != "clarion":
        pytest.skip("grpcio: raises NotImplementedError")
    go_on = asyncio.Event()

    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        await go_on.wait()
        return await continuation(details._replace(timeout=5 * LIMIT), request)

    call = rig.open(rig.connect(rig.interceptor(pattern, intercept)), pattern, b"x")
    assert 0 < call.time_remaining() <= LIMIT
    go_on.set()
    await call.wait_for_connection()
    assert LIMIT < call.time_remaining() <= 5 * LIMIT
    assert await rig.finish(call, pattern) == expected(pattern)
