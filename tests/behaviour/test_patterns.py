"""The four patterns, with handlers and callers in every style that the API offers."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from concurrent import futures
from typing import Any

import pytest

from support.clients import AioClient
from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.handlers import Method, ServerCall
from support.libraries import PATTERNS
from support.servers import AioServer, SyncServer
from support.simple import ECHOES


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_call(front: FrontEnd, pattern: str) -> None:
    rig = front.rig(**ECHOES)
    requests = [b"a", b"b"] if pattern.startswith("stream") else [b"a"]
    answers = {
        "unary_unary": [b"a"],
        "unary_stream": [b"a"] * 3,
        "stream_unary": [b"ab"],
        "stream_stream": [b"a", b"b"],
    }
    outcome = rig.call(pattern, requests)
    assert outcome.code == "OK"
    assert outcome.responses == answers[pattern]


def test_many_small_messages_keep_their_order(front: FrontEnd) -> None:
    rig = front.rig(**ECHOES)
    requests = [b"%d" % number for number in range(2000)]
    assert rig.call("stream_stream", requests).responses == requests


def test_serializers_and_deserializers_of_both_sides(front: FrontEnd) -> None:
    async def length(call: ServerCall) -> int:
        assert isinstance(call.request, str)
        return len(call.request)

    method = Method("unary_unary", length, bytes.decode, lambda number: b"%d" % number)
    path = SERVICE + "Length"
    if front.name == "sync":
        server: SyncServer | AioServer = SyncServer(front.library, {path: method})
    else:
        server = AioServer(front.library, {path: method}, front.loop)
    outcome = front.connect(server.target).call(
        path, "unary_unary", ["four"], serializer=str.encode, deserializer=int
    )
    server.close()
    assert outcome.responses == [4]


@pytest.mark.parametrize("side", ["serializer", "deserializer"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_codec_that_raises_fails_its_call_only(front: FrontEnd, pattern: str, side: str) -> None:
    def broken(_: Any) -> Any:
        raise ValueError("cannot")

    if front.name == "aio":
        front.clarion_only("grpc.aio logs it and goes on with an empty message")
    rig = front.rig(**ECHOES)
    codec: dict[str, Any] = {side: broken}
    assert rig.call(pattern, [b"x"], **codec).code == "INTERNAL"
    assert rig.call(pattern, [b"x"]).code == "OK"


def test_an_asynchronous_caller_may_iterate_or_read(aio: FrontEnd) -> None:
    rig = aio.rig(**ECHOES)
    assert isinstance(rig.client, AioClient)
    channel = rig.client.raw

    async def iterate() -> list[bytes]:
        call = channel.stream_stream(SERVICE + "StreamStream")(iter([b"a", b"b"]))
        return [each async for each in call]

    async def read() -> list[bytes]:
        call = channel.stream_stream(SERVICE + "StreamStream")()
        await call.write(b"a")
        first = await call.read()
        await call.done_writing()
        assert await call.read() is aio.library.aio.EOF
        return [first]

    async def both() -> None:
        call = channel.stream_stream(SERVICE + "StreamStream")(iter([b"a"]))
        async for _ in call:
            with pytest.raises(aio.library.aio.UsageError):
                await call.read()

    async def write_after_iterator() -> None:
        call = channel.stream_unary(SERVICE + "StreamUnary")(iter([b"a"]))
        with pytest.raises(aio.library.aio.UsageError):
            await call.write(b"b")
        assert await call == b"a"

    assert aio.loop.run(iterate) == [b"a", b"b"]
    assert aio.loop.run(read) == [b"a"]
    aio.loop.run(both)
    aio.loop.run(write_after_iterator)


def _native(front: FrontEnd, behaviours: dict[str, Any], **arguments: Any) -> Any:
    """An asyncio server of hand-written handlers, as users write them."""
    root = front.library.root
    handlers = {
        camel(pattern): getattr(root, f"{pattern}_rpc_method_handler")(behaviour)
        for pattern, behaviour in behaviours.items()
    }

    async def start() -> tuple[Any, int]:
        server = front.library.aio.server(**arguments)
        service = SERVICE.strip("/")
        generic = root.method_handlers_generic_handler(service, handlers)
        server.add_generic_rpc_handlers((generic,))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, port

    return front.loop.run(start)


ANSWERS = {
    "unary_unary": ([b"a"], [b"a"]),
    "unary_stream": ([b"a"], [b"a", b"a"]),
    "stream_unary": ([b"a", b"b"], [b"ab"]),
    "stream_stream": ([b"a", b"b"], [b"a", b"b"]),
}


def _expect_answers(front: FrontEnd, port: int) -> None:
    client = front.connect(f"127.0.0.1:{port}")
    for pattern, (requests, responses) in ANSWERS.items():
        outcome = client.call(SERVICE + camel(pattern), pattern, requests)
        assert (outcome.code, outcome.responses) == ("OK", responses), pattern


def test_an_asynchronous_server_takes_generators(aio: FrontEnd) -> None:
    async def unary_unary(request: bytes, context: Any) -> bytes:
        return request

    async def unary_stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield request
        yield request

    async def stream_unary(requests: AsyncIterator[bytes], context: Any) -> bytes:
        return b"".join([each async for each in requests])

    async def stream_stream(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield request

    behaviours = {
        "unary_unary": unary_unary,
        "unary_stream": unary_stream,
        "stream_unary": stream_unary,
        "stream_stream": stream_stream,
    }
    server, port = _native(aio, behaviours)
    _expect_answers(aio, port)
    aio.loop.run(server.stop, None)


def test_an_asynchronous_server_takes_readers_and_writers(aio: FrontEnd) -> None:
    end = aio.library.aio.EOF

    async def unary_unary(request: bytes, context: Any) -> bytes:
        return request

    async def unary_stream(request: bytes, context: Any) -> None:
        await context.write(request)
        await context.write(request)

    async def stream_unary(_: Any, context: Any) -> bytes:
        requests = []
        while (request := await context.read()) is not end:
            requests.append(request)
        return b"".join(requests)

    async def stream_stream(_: Any, context: Any) -> None:
        while (request := await context.read()) is not end:
            await context.write(request)

    behaviours = {
        "unary_unary": unary_unary,
        "unary_stream": unary_stream,
        "stream_unary": stream_unary,
        "stream_stream": stream_stream,
    }
    server, port = _native(aio, behaviours)
    _expect_answers(aio, port)
    aio.loop.run(server.stop, None)


def test_an_asynchronous_server_takes_plain_handlers_on_its_thread_pool(aio: FrontEnd) -> None:
    threads: set[str] = set()

    def note() -> None:
        threads.add(threading.current_thread().name.rpartition("_")[0])

    def unary_unary(request: bytes, context: Any) -> bytes:
        note()
        return request

    def unary_stream(request: bytes, context: Any) -> Iterator[bytes]:
        note()
        yield request
        yield request

    def stream_unary(requests: Iterator[bytes], context: Any) -> bytes:
        note()
        return b"".join(requests)

    def stream_stream(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        note()
        yield from requests

    behaviours = {
        "unary_unary": unary_unary,
        "unary_stream": unary_stream,
        "stream_unary": stream_unary,
        "stream_stream": stream_stream,
    }
    with futures.ThreadPoolExecutor(4, thread_name_prefix="plain") as pool:
        server, port = _native(aio, behaviours, migration_thread_pool=pool)
        _expect_answers(aio, port)
        aio.loop.run(server.stop, None)
    assert threads == {"plain"}


def test_plain_handlers_abort_and_set_trailing_metadata(aio: FrontEnd) -> None:
    def refuse(request: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("why", "tired"),))
        context.abort(aio.library.status("NOT_FOUND"), "not here")
        raise AssertionError("abort returned")

    with futures.ThreadPoolExecutor(2) as pool:
        server, port = _native(aio, {"unary_unary": refuse}, migration_thread_pool=pool)
        client = aio.connect(f"127.0.0.1:{port}")
        outcome = client.call(SERVICE + "UnaryUnary", "unary_unary", [b"x"])
        aio.loop.run(server.stop, None)
    assert (outcome.code, outcome.details) == ("NOT_FOUND", "not here")
    assert ("why", "tired") in outcome.trailing
