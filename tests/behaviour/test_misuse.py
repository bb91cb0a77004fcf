"""What comes of messages, metadata and reads that are not as they should be: one call fails, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.libraries import LIMIT
from support.simple import ECHOES

UNARY = SERVICE + camel("unary_unary")
STREAM = SERVICE + camel("unary_stream")
NO_MESSAGES = ["text", 5, [b"x"]]
# An upper-case key.
BAD = [("Key", "value")]


@pytest.mark.parametrize("request_", NO_MESSAGES)
def test_a_request_that_is_no_bytes(front: FrontEnd, request_: Any) -> None:
    rig = front.rig(**ECHOES)
    try:
        code = rig.call("unary_unary", [request_]).code
    except TypeError:
        front_raises = True
    else:
        front_raises = False
        assert code == "INTERNAL"
    assert front_raises is (front.library.name != "clarion")
    assert rig.call("unary_unary", [b"next"]).responses == [b"next"]


@pytest.mark.parametrize("response", NO_MESSAGES)
@pytest.mark.parametrize("pattern", ["unary_unary", "unary_stream"])
def test_a_response_that_is_no_bytes(front: FrontEnd, pattern: str, response: Any) -> None:
    front.clarion_only("leaves the client waiting")

    async def answer(call: Any) -> Any:
        if pattern == "unary_unary":
            return response
        await call.write(response)
        return None

    rig = front.rig(**{**ECHOES, pattern: answer})
    outcome = rig.call(pattern, [b""])
    assert outcome.code == "INTERNAL"
    assert outcome.details.startswith("Failed to serialize response!")
    assert rig.call("stream_unary", [b"ne", b"xt"]).responses == [b"next"]


@pytest.mark.parametrize("path", [UNARY, STREAM])
def test_a_future_or_stream_whose_metadata_cannot_be_sent(sync: FrontEnd, path: str) -> None:
    root = sync.library.root
    raw = sync.rig(**ECHOES).client.raw
    start = raw.unary_unary(path).future if path == UNARY else raw.unary_stream(path)
    call = start(b"", metadata=BAD, timeout=LIMIT)
    assert call.code() is root.StatusCode.INTERNAL
    assert call.done()
    assert "metadata" in call.exception().details()
    with pytest.raises(root.RpcError):
        call.result() if path == UNARY else next(call)


def test_a_stream_that_its_handler_cancels_and_ends(sync: FrontEnd) -> None:
    root = sync.library.root

    def cancel(_request: bytes, context: Any) -> Any:
        yield b"first"
        context.cancel()

    handler = root.unary_stream_rpc_method_handler(cancel)
    server = sync.serve(ECHOES)
    generic = root.method_handlers_generic_handler("a.B", {"C": handler})
    server.raw.add_generic_rpc_handlers((generic,))
    client = sync.connect(server.target)
    for _ in range(20):
        call = client.raw.unary_stream("/a.B/C")(b"", timeout=LIMIT)
        with pytest.raises(root.RpcError):
            list(call)
        assert call.code() is root.StatusCode.CANCELLED


def test_reading_what_was_iterated_over_to_its_end(aio: FrontEnd) -> None:
    module = aio.library.aio
    raw = aio.rig(**ECHOES).client.raw

    async def run() -> None:
        call = raw.unary_stream(STREAM)(b"x", timeout=LIMIT)
        assert [response async for response in call] == [b"x"] * 3
        await call.code()
        assert await call.read() is module.EOF
        assert [response async for response in call] == []

        call = raw.unary_stream(STREAM)(b"x", timeout=LIMIT)
        assert await call.read() == b"x"
        with pytest.raises(module.UsageError):
            async for _ in call:
                pass
        call.cancel()

    aio.loop.run(run)


@pytest.mark.parametrize("cause", ["status", "deserializer"])
def test_a_future_has_one_error(sync: FrontEnd, cause: str) -> None:
    root = sync.library.root
    raw = sync.rig(**ECHOES).client.raw
    path = UNARY if cause == "deserializer" else SERVICE + "Missing"
    future = raw.unary_unary(path, response_deserializer=int).future(b"x", timeout=LIMIT)
    error = future.exception()
    assert isinstance(error, root.RpcError)
    for _ in range(2):
        with pytest.raises(root.RpcError) as raised:
            future.result()
        assert raised.value is error
    assert future.exception() is error


def test_a_stream_has_one_error(sync: FrontEnd) -> None:
    root = sync.library.root
    stream = sync.rig(**ECHOES).client.raw.unary_stream(SERVICE + "Missing")(b"x", timeout=LIMIT)
    error = stream.exception()
    assert isinstance(error, root.RpcError)
    assert stream.exception() is error
    with pytest.raises(root.RpcError):
        stream.result()


@pytest.mark.parametrize("path", [UNARY, STREAM])
def test_a_request_that_cannot_be_serialized_is_told_at_once(sync: FrontEnd, path: str) -> None:
    root = sync.library.root
    raw = sync.rig(**ECHOES).client.raw

    def refuse(_: Any) -> bytes:
        raise ValueError("not that one")

    unary = raw.unary_unary(path, request_serializer=refuse).future
    with pytest.raises(root.RpcError) as raised:
        (unary if path is UNARY else raw.unary_stream(path, request_serializer=refuse))(b"x")
    assert raised.value.code() is root.StatusCode.INTERNAL
