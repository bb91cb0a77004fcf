"""Compression chosen by channel, call, server and handler, measured in bytes on the wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.libraries import Metadata
from support.simple import ECHOES
from support.wiretap import Wiretap

ZEROS = bytes(1 << 18)
FEW = 40_000
ALGORITHMS = ["Gzip", "Deflate"]


@pytest.fixture
def tap(request: pytest.FixtureRequest, front: FrontEnd) -> Iterator[Wiretap]:
    """In front of an echo server with the compression of the test's parameter, if it has one."""
    algorithm = getattr(request, "param", None)

    async def chosen(call: ServerCall) -> bytes:
        choice = str(dict(call.metadata)["choose"])
        call.context.set_compression(call.library.compression(choice))
        if call.library.name == "grpc":
            # grpc.aio forgets the choice if the headers leave with the only response.
            await call.send_initial_metadata([])
        return ZEROS

    async def sometimes(call: ServerCall) -> None:
        await call.write(ZEROS)
        call.context.disable_next_message_compression()
        await call.write(ZEROS)
        await call.write(ZEROS)

    handlers = {**ECHOES, "unary_unary": chosen, "unary_stream": sometimes}
    server = front.serve(handlers, compression=front.library.compression(algorithm))
    tap = Wiretap(server.ports[0])
    yield tap
    tap.close()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_channel_compresses(front: FrontEnd, tap: Wiretap, algorithm: str) -> None:
    client = front.connect(f"127.0.0.1:{tap.port}", compression=algorithm)
    outcome = client.call(SERVICE + "StreamUnary", "stream_unary", [ZEROS, ZEROS])
    assert outcome.responses == [ZEROS * 2]
    assert tap.sent < FEW


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_call_compresses(front: FrontEnd, tap: Wiretap, algorithm: str) -> None:
    client = front.connect(f"127.0.0.1:{tap.port}")
    path = SERVICE + "StreamUnary"
    assert client.call(path, "stream_unary", [ZEROS], compression=algorithm).responses == [ZEROS]
    assert tap.sent < FEW
    assert client.call(path, "stream_unary", [ZEROS]).responses == [ZEROS]
    assert tap.sent > len(ZEROS)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_handler_chooses(front: FrontEnd, tap: Wiretap, algorithm: str) -> None:
    client = front.connect(f"127.0.0.1:{tap.port}")
    chosen: Metadata = [("choose", algorithm)]
    outcome = client.call(SERVICE + "UnaryUnary", "unary_unary", [b""], metadata=chosen)
    assert outcome.responses == [ZEROS]
    assert tap.received < FEW


@pytest.mark.parametrize("tap", ALGORITHMS, indirect=True)
def test_a_server_compresses_but_for_one_message(front: FrontEnd, tap: Wiretap) -> None:
    client = front.connect(f"127.0.0.1:{tap.port}")
    outcome = client.call(SERVICE + "StreamUnary", "stream_unary", [ZEROS])
    assert outcome.responses == [ZEROS]
    assert tap.received < FEW
    before = tap.received
    outcome = client.call(SERVICE + "UnaryStream", "unary_stream", [b""])
    assert outcome.responses == [ZEROS] * 3
    assert len(ZEROS) < tap.received - before < len(ZEROS) + FEW


def test_a_decompressed_message_has_a_limit_too(front: FrontEnd, tap: Wiretap) -> None:
    client = front.connect(f"127.0.0.1:{tap.port}", compression="Gzip")
    outcome = client.call(SERVICE + "StreamUnary", "stream_unary", [bytes((4 << 20) + 1)])
    assert outcome.code == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_default_can_be_an_option(front: FrontEnd, algorithm: str) -> None:
    number = {"Deflate": 1, "Gzip": 2}[algorithm]
    options = [("grpc.default_compression_algorithm", number)]
    tap = Wiretap(front.serve(ECHOES, options=options).ports[0])
    try:
        client = front.connect(f"127.0.0.1:{tap.port}", options=options)
        assert client.call(SERVICE + "UnaryUnary", "unary_unary", [ZEROS]).responses == [ZEROS]
        assert tap.sent < FEW
        assert tap.received < FEW
    finally:
        tap.close()


@pytest.mark.parametrize("tap", ALGORITHMS, indirect=True)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_single_message_can_be_left_out(front: FrontEnd, tap: Wiretap, algorithm: str) -> None:
    if front.library.name == "grpc":
        pytest.skip("grpcio has no such way")
    from clarion.experimental import Uncompressed

    client = front.connect(f"127.0.0.1:{tap.port}", compression=algorithm)
    for pattern in ("stream_unary", "stream_stream"):
        before = tap.sent
        path = SERVICE + "".join(word.title() for word in pattern.split("_"))
        outcome = client.call(path, pattern, [ZEROS, Uncompressed(ZEROS), ZEROS])
        assert b"".join(outcome.responses) == ZEROS * 3
        assert len(ZEROS) < tap.sent - before < len(ZEROS) + FEW


@pytest.mark.parametrize("pattern", ["unary_unary", "unary_stream"])
def test_a_single_response_can_be_left_out(front: FrontEnd, pattern: str) -> None:
    if front.library.name == "grpc":
        pytest.skip("grpcio has no such way")
    from clarion.experimental import Uncompressed

    async def one(call: ServerCall) -> bytes:
        return Uncompressed(ZEROS)

    async def two(call: ServerCall) -> None:
        await call.write(Uncompressed(ZEROS))
        await call.write(ZEROS)

    gzip = front.library.compression("Gzip")
    server = front.serve({"unary_unary": one, "unary_stream": two}, compression=gzip)
    tap = Wiretap(server.ports[0])
    try:
        path = SERVICE + "".join(word.title() for word in pattern.split("_"))
        outcome = front.connect(f"127.0.0.1:{tap.port}").call(path, pattern, [b""])
        assert set(outcome.responses) == {ZEROS}
        assert len(ZEROS) < tap.received < len(ZEROS) + FEW
    finally:
        tap.close()


def test_it_can_be_switched_off(front: FrontEnd) -> None:
    async def chosen(call: ServerCall) -> bytes:
        call.context.set_compression(call.library.compression("Gzip"))
        return ZEROS

    options = [("grpc.per_message_compression", 0)]

    tap = Wiretap(front.serve({"unary_unary": chosen}, options=options).ports[0])
    try:
        client = front.connect(f"127.0.0.1:{tap.port}", options=options, compression="Gzip")
        assert client.call(SERVICE + "UnaryUnary", "unary_unary", [ZEROS]).responses == [ZEROS]
        assert tap.sent > len(ZEROS)
        assert tap.received > len(ZEROS)
    finally:
        tap.close()
