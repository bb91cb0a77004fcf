"""Deadlines, cancellation and stopped servers: how calls end before their time."""

from __future__ import annotations

import socket
import threading

import pytest

from support import http2
from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT, PATTERNS
from support.simple import ECHOES, Hang


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_deadline_ends_both_sides(front: FrontEnd, pattern: str) -> None:
    hang = Hang()
    rig = front.rig(**{**ECHOES, pattern: hang})
    front.wait_ready(rig.client, LIMIT)
    outcome = rig.call(pattern, [b"x"], timeout=0.2)
    assert outcome.code == "DEADLINE_EXCEEDED"
    hang.wait_started()
    hang.wait_ended()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_cancel_ends_both_sides(front: FrontEnd, pattern: str) -> None:
    hang = Hang()
    rig = front.rig(**{**ECHOES, pattern: hang})
    call = rig.open(pattern, [b"x"])
    hang.wait_started()
    call.cancel()
    assert call.finish().code == "CANCELLED"
    hang.wait_ended()


def test_a_deadline_in_mid_stream_keeps_what_came_before(front: FrontEnd) -> None:
    async def handler(call: ServerCall) -> None:
        await call.write(b"first")
        await call.until_cancelled(ended.set)

    ended = threading.Event()
    rig = front.rig(unary_stream=handler)
    front.wait_ready(rig.client, LIMIT)
    call = rig.open("unary_stream", [b"x"], timeout=0.3)
    assert call.read() == b"first"
    assert call.finish().code == "DEADLINE_EXCEEDED"
    assert ended.wait(LIMIT)


def test_cancelling_an_ended_call_changes_nothing(front: FrontEnd) -> None:
    call = front.rig(**ECHOES).open("unary_unary", [b"x"])
    assert call.finish().code == "OK"
    call.cancel()
    assert call.finish().code == "OK"


def test_dropping_the_last_reference_does_not_break_the_channel(front: FrontEnd) -> None:
    rig = front.rig(**ECHOES)
    for _ in range(20):
        call = rig.open("unary_stream", [b"x"])
        assert call.read() == b"x"
        del call
    assert rig.call("unary_unary", [b"x"]).code == "OK"


def test_a_graceful_stop_waits_for_calls(front: FrontEnd) -> None:
    started, go_on = threading.Event(), threading.Event()

    async def handler(call: ServerCall) -> bytes:
        started.set()
        await call.wait(go_on)
        return b"done"

    rig = front.rig(unary_unary=handler)
    held = rig.open("unary_unary", [b"x"])
    assert started.wait(LIMIT)
    watcher = front.watch(rig.client, connect=False)
    watcher.until("READY")
    wait = rig.server.stop(LIMIT)
    # The channel learns of the stop by GOAWAY; from then on the connection takes no new call.
    watcher.until("IDLE", "CONNECTING", "TRANSIENT_FAILURE")
    assert rig.call("unary_unary", [b"x"]).code == "UNAVAILABLE"
    go_on.set()
    assert held.finish().responses == [b"done"]
    wait()


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("grace", [None, 0.05])
def test_a_stop_ends_calls_after_its_grace(
    front: FrontEnd, grace: float | None, pattern: str
) -> None:
    hang = Hang()
    rig = front.rig(**{**ECHOES, pattern: hang})
    calls = [rig.open(pattern, [b"x"]) for _ in range(3)]
    for _ in calls:
        hang.wait_started()
    wait = rig.server.stop(grace)
    for call in calls:
        outcome = call.finish()
        assert outcome.code == "UNAVAILABLE", outcome
        assert outcome.details in ("the server was stopped", "Cancelling all calls")
    for _ in calls:
        hang.wait_ended()
    wait()


def test_a_stop_keeps_the_responses_that_came_before(front: FrontEnd) -> None:
    async def handler(call: ServerCall) -> None:
        await call.write(b"first")
        waiting.set()
        await call.until_cancelled(ended.set)

    waiting, ended = threading.Event(), threading.Event()
    rig = front.rig(unary_stream=handler)
    call = rig.open("unary_stream", [b"x"])
    assert call.read() == b"first"
    assert waiting.wait(LIMIT)
    rig.server.stop(None)()
    assert call.finish().code == "UNAVAILABLE"
    assert ended.wait(LIMIT)


def test_a_stop_does_not_wait_for_a_client_that_does_not_read(front: FrontEnd) -> None:
    ended = threading.Event()

    async def handler(call: ServerCall) -> None:
        try:
            while True:
                await call.write(bytes(1 << 20))
        finally:
            ended.set()

    rig = front.rig(unary_stream=handler)
    with socket.create_connection(("127.0.0.1", rig.server.ports[0]), LIMIT) as peer:
        path = (SERVICE + camel("unary_stream")).encode()
        request = tuple((name, path if name == b":path" else v) for name, v in http2.REQUEST)
        peer.sendall(
            http2.PREFACE
            + http2.settings()
            + http2.headers(1, request)
            + http2.data(1, b"\0\0\0\0\x01x", end=True)
        )
        # All that the windows let through; the rest of the message is held back from now on.
        received = 0
        while received < 1 << 16:
            received += len(peer.recv(1 << 16))
        rig.server.stop(None)()
        assert ended.wait(LIMIT)


def test_a_stopped_server_refuses_calls(front: FrontEnd) -> None:
    rig = front.rig(**ECHOES)
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    rig.server.stop(None)()
    assert rig.call("unary_unary", [b"x"]).code == "UNAVAILABLE"


def test_stopping_twice_is_fine(front: FrontEnd) -> None:
    server = front.serve(ECHOES)
    first = server.stop(1)
    server.stop(None)()
    first()
    server.stop(1)()
    client = front.connect(server.target)
    assert client.call(SERVICE + "UnaryUnary", "unary_unary", [b"x"]).code == "UNAVAILABLE"


def test_waiting_for_termination(front: FrontEnd) -> None:
    server = front.serve(ECHOES)
    if front.name == "sync":
        assert server.raw.wait_for_termination(timeout=0.01) is True
        server.stop(None)()
        assert server.raw.wait_for_termination(timeout=LIMIT) is False
    else:

        async def wait(timeout: float) -> bool:
            timed_out: bool = await server.raw.wait_for_termination(timeout)
            return timed_out

        assert front.loop.run(wait, 0.01) is True
        server.stop(None)()
        assert front.loop.run(wait, LIMIT) is False


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_deadline_also_ends_a_request_that_never_gets_complete(
    front: FrontEnd, pattern: str
) -> None:
    front.clarion_only("leaves such a call to the client's deadline")
    rig = front.rig(**{**ECHOES, pattern: Hang()})
    path = (SERVICE + camel(pattern)).encode()
    request = tuple((name, path if name == b":path" else value) for name, value in http2.REQUEST)
    with socket.create_connection(("127.0.0.1", rig.server.ports[0]), LIMIT) as peer:
        # The first half of a message, and nothing more.
        peer.sendall(
            http2.PREFACE
            + http2.settings()
            + http2.headers(1, (*request, (b"grpc-timeout", b"100m")))
            + http2.data(1, b"\0\0\0\0\x08half")
        )
        received = b""
        while b"Deadline Exceeded" not in received:
            piece = peer.recv(65536)
            assert piece, received
            received += piece
