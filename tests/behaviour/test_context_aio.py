"""What only the asyncio context does: `read` and `write`, codes that are numbers, a call that goes on too long."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from support.front_end import FrontEnd
from support.interception_aio import AioRig, on_the_loop
from support.libraries import LIMIT, pairs
from support.servers import thread_pool


@pytest.fixture
def rig(aio: FrontEnd) -> Iterator[AioRig]:
    rig = aio.loop.call(AioRig, aio.library, aio.loop)
    yield rig
    aio.loop.run(rig.close)


async def run(rig: AioRig, behavior: Any, pattern: str = "unary_unary", **options: Any) -> Any:
    """A call of a method with this behaviour."""
    rig.handlers["method"] = getattr(rig.grpc, f"{pattern}_rpc_method_handler")(behavior)
    await rig.serve(**options)
    return rig.open(rig.connect(), pattern, b"x", method="method")


async def outcome(call: Any) -> tuple[str, str]:
    return (await call.code()).name, await call.details()


@on_the_loop
async def test_a_new_context(rig: AioRig) -> None:
    seen: list[Any] = []

    async def behavior(request: bytes, context: Any) -> bytes:
        seen.append((context.code(), context.details(), tuple(context.trailing_metadata())))
        seen.append((context.peer_identities(), context.peer_identity_key()))
        seen.append(context.auth_context())
        seen.append((context.done(), context.cancelled(), context.time_remaining() > 0))
        return request

    assert await outcome(await run(rig, behavior)) == ("OK", "")
    assert seen == [
        (None, "", ()),
        (None, None),
        {"transport_security_type": [b"insecure"], "security_level": [b"TSI_SECURITY_NONE"]},
        (False, False, True),
    ]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (5, "NOT_FOUND"),
        (99, "UNKNOWN"),
        (-1, "UNKNOWN"),
        ("x", "UNKNOWN"),
        ((5, "not found"), "UNKNOWN"),
    ],
)
@on_the_loop
async def test_a_code_that_is_no_status(rig: AioRig, given: Any, code: str) -> None:
    seen: list[Any] = []

    async def behavior(request: bytes, context: Any) -> bytes:
        context.set_code(given)
        context.set_details("why")
        seen.append(context.code())
        return request

    assert await outcome(await run(rig, behavior)) == (code, "why")
    assert seen == [given]


@on_the_loop
async def test_abort_with_a_number(rig: AioRig) -> None:
    async def behavior(request: bytes, context: Any) -> None:
        await context.abort(5, "nothing")

    assert await outcome(await run(rig, behavior)) == ("NOT_FOUND", "nothing")


@pytest.mark.parametrize("details", ["", None])
@on_the_loop
async def test_abort_without_details(rig: AioRig, details: Any) -> None:
    async def behavior(request: bytes, context: Any) -> None:
        await context.abort(rig.grpc.StatusCode.ABORTED, details)

    assert await outcome(await run(rig, behavior)) == ("ABORTED", "")


@on_the_loop
async def test_details_are_text(rig: AioRig) -> None:
    async def behavior(request: bytes, context: Any) -> bytes:
        with pytest.raises(TypeError):
            context.set_details(b"bytes")
        with pytest.raises(TypeError):
            await context.abort(rig.grpc.StatusCode.ABORTED, b"bytes")
        return request

    assert await outcome(await run(rig, behavior)) == ("OK", "")


@pytest.mark.parametrize("made", [list, tuple, "Metadata"])
@on_the_loop
async def test_metadata_of_any_type(rig: AioRig, made: Any) -> None:
    given = [("a", "1"), ("b-bin", b"2"), ("a", "3")]
    metadata = rig.aio.Metadata(*given) if made == "Metadata" else made(given)

    async def behavior(request: bytes, context: Any) -> bytes:
        context.set_trailing_metadata(metadata)
        await context.send_initial_metadata(metadata)
        return request

    call = await run(rig, behavior)
    # A multi-dictionary gives the values of a key together.
    expected = sorted(given)
    assert sorted(pairs(await call.initial_metadata())) == expected
    assert sorted(pairs(await call.trailing_metadata())) == expected


@on_the_loop
async def test_trailing_metadata_of_abort_replaces_what_was_set(rig: AioRig) -> None:
    async def behavior(request: bytes, context: Any) -> None:
        context.set_trailing_metadata((("a", "1"),))
        await context.abort(rig.grpc.StatusCode.ABORTED, "", (("b", "2"),))

    assert pairs(await (await run(rig, behavior)).trailing_metadata()) == [("b", "2")]


@on_the_loop
async def test_abort_with_status(rig: AioRig) -> None:
    class Status(rig.grpc.Status):  # type: ignore[misc]
        code = rig.grpc.StatusCode.NOT_FOUND
        details = "nothing"
        trailing_metadata = (("a", "1"),)

    async def behavior(request: bytes, context: Any) -> None:
        await context.abort_with_status(Status())

    call = await run(rig, behavior)
    assert await outcome(call) == ("NOT_FOUND", "nothing")
    assert pairs(await call.trailing_metadata()) == [("a", "1")]


@on_the_loop
async def test_after_abort_nothing_can_be_sent(rig: AioRig) -> None:
    seen: list[Any] = []

    async def behavior(request: bytes, context: Any) -> None:
        await context.write(b"1")
        with pytest.raises(rig.aio.AbortError):
            await context.abort(rig.grpc.StatusCode.ABORTED, "enough")
        for sent in (context.write(b"2"), context.send_initial_metadata(())):
            with pytest.raises(rig.aio.AbortError):
                await sent
        with pytest.raises(rig.aio.UsageError):
            await context.abort(rig.grpc.StatusCode.NOT_FOUND, "again")
        context.set_code(rig.grpc.StatusCode.OK)
        seen.append((context.done(), context.cancelled()))

    call = await run(rig, behavior, "unary_stream")
    assert await call.read() == b"1"
    assert await outcome(call) == ("ABORTED", "enough")
    with pytest.raises(rig.aio.AioRpcError):
        await call.read()
    assert seen == [(True, False)]


@on_the_loop
async def test_abort_is_told_before_the_handler_is_done(rig: AioRig) -> None:
    async def behavior(request: bytes, context: Any) -> None:
        with pytest.raises(rig.aio.AbortError):
            await context.abort(rig.grpc.StatusCode.ABORTED, "enough")
        await rig.gate.wait()

    assert await outcome(await run(rig, behavior)) == ("ABORTED", "enough")


@on_the_loop
async def test_a_context_whose_call_is_over(rig: AioRig) -> None:
    contexts: list[Any] = []

    async def behavior(requests: Any, context: Any) -> None:
        contexts.append(context)

    assert await outcome(await run(rig, behavior, "stream_stream")) == ("OK", "")
    (context,) = contexts
    for use in (context.write(b""), context.send_initial_metadata(())):
        with pytest.raises(rig.aio.UsageError):
            await use
    assert context.done()
    assert not context.cancelled()


@on_the_loop
async def test_reading_to_the_end(rig: AioRig) -> None:
    seen: list[Any] = []

    async def behavior(requests: Any, context: Any) -> None:
        seen.append(await context.read())
        seen.extend([request async for request in requests])
        seen.append(await context.read() is rig.aio.EOF)

    rig.handlers["method"] = rig.grpc.stream_stream_rpc_method_handler(behavior)
    await rig.serve()
    call = rig.open(rig.connect(), "stream_stream", b"1", b"2", b"3", method="method")
    assert await outcome(call) == ("OK", "")
    assert seen == [b"1", b"2", b"3", True]


@on_the_loop
async def test_initial_metadata_goes_once(rig: AioRig) -> None:
    async def behavior(request: bytes, context: Any) -> bytes:
        await context.send_initial_metadata(())
        with pytest.raises(rig.aio.UsageError):
            await context.send_initial_metadata(())
        with pytest.raises(RuntimeError):
            context.set_compression(rig.grpc.Compression.Gzip)
        return request

    assert await outcome(await run(rig, behavior)) == ("OK", "")


@pytest.mark.parametrize("name", ["Gzip", "Deflate", "NoCompression", None])
@on_the_loop
async def test_set_compression(rig: AioRig, name: str | None) -> None:
    async def behavior(request: bytes, context: Any) -> bytes:
        context.set_compression(name and getattr(rig.grpc.Compression, name))
        context.disable_next_message_compression()
        return b"y" * 1000

    assert await (await run(rig, behavior)) == b"y" * 1000


@on_the_loop
async def test_a_call_that_its_client_cancels(rig: AioRig) -> None:
    if rig.library.name != "clarion":
        pytest.skip("grpcio: cancelled() tells it only after the callbacks")
    called: asyncio.Queue[Any] = asyncio.Queue()

    async def behavior(request: bytes, context: Any) -> None:
        context.add_done_callback(lambda context: called.put_nowait(context.cancelled()))
        rig.hanging.release()
        await rig.gate.wait()

    rig.handlers["method"] = rig.grpc.unary_unary_rpc_method_handler(behavior)
    await rig.serve()
    call = rig.open(rig.connect(), "unary_unary", b"x", method="method")
    await rig.hanging.acquire()
    call.cancel()
    assert await called.get() is True


@on_the_loop
async def test_a_plain_handler(rig: AioRig) -> None:
    seen: list[Any] = []
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def behavior(request: bytes, context: Any) -> bytes:
        seen.append(context.time_remaining() <= LIMIT)
        seen.append(context.peer().startswith("ipv4:127.0.0.1:"))
        seen.append((context.peer_identities(), context.peer_identity_key()))
        seen.append(context.auth_context()["transport_security_type"])
        seen.append(isinstance(context.invocation_metadata(), tuple))
        context.add_callback(lambda: loop.call_soon_threadsafe(ended.set))
        context.send_initial_metadata((("i", "1"),))
        context.set_trailing_metadata((("t", "2"),))
        context.disable_next_message_compression()
        context.set_code(rig.grpc.StatusCode.NOT_FOUND)
        context.set_details("nothing")
        return request

    async with thread_pool(1) as pool:
        call = await run(rig, behavior, migration_thread_pool=pool)
        assert await outcome(call) == ("NOT_FOUND", "nothing")
        assert pairs(await call.initial_metadata()) == [("i", "1")]
        assert pairs(await call.trailing_metadata()) == [("t", "2")]
        assert seen == [True, True, (None, None), [b"insecure"], True]
        await ended.wait()
        await rig.close()


@on_the_loop
async def test_a_plain_handler_aborts(rig: AioRig) -> None:
    def behavior(request: bytes, context: Any) -> None:
        context.abort(rig.grpc.StatusCode.ABORTED, "enough", (("t", "2"),))

    async with thread_pool(1) as pool:
        call = await run(rig, behavior, migration_thread_pool=pool)
        assert await outcome(call) == ("ABORTED", "enough")
        assert pairs(await call.trailing_metadata()) == [("t", "2")]
        await rig.close()


@on_the_loop
async def test_a_plain_handler_aborts_between_responses(rig: AioRig) -> None:
    if rig.library.name != "clarion":
        pytest.skip("grpcio: races with the response before")

    def behavior(request: bytes, context: Any) -> Iterator[bytes]:
        yield b"1"
        context.abort(rig.grpc.StatusCode.ABORTED, "enough")

    async with thread_pool(1) as pool:
        call = await run(rig, behavior, "unary_stream", migration_thread_pool=pool)
        assert await call.read() == b"1"
        assert await outcome(call) == ("ABORTED", "enough")
        await rig.close()


@on_the_loop
async def test_the_context_of_a_plain_handler_is_that_of_a_sync_server(rig: AioRig) -> None:
    if rig.library.name != "clarion":
        pytest.skip("grpcio: lacks some of these")
    seen: list[Any] = []

    def behavior(request: bytes, context: Any) -> bytes:
        names = [name for name in vars(rig.grpc.ServicerContext) if not name.startswith("_")]
        seen.extend(name for name in names if not callable(getattr(context, name, None)))
        context.set_code(rig.grpc.StatusCode.NOT_FOUND)
        context.set_details("nothing")
        seen.append((context.code(), context.details(), tuple(context.trailing_metadata())))
        seen.append(context.is_active())
        context.cancel()
        return request

    async with thread_pool(1) as pool:
        call = await run(rig, behavior, migration_thread_pool=pool)
        assert (await call.code()).name == "CANCELLED"
        assert seen == [(rig.grpc.StatusCode.NOT_FOUND, "nothing", ()), True]
        await rig.close()
