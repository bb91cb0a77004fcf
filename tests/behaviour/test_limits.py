"""Limits: concurrent streams and calls, message and metadata sizes."""

from __future__ import annotations

import threading

import pytest

from support.front_end import FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT, PATTERNS
from support.simple import ECHOES, Hang

MIB = 1 << 20


class Crowd:
    """A handler that counts how many of its calls run at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0
        self.started = threading.Semaphore(0)
        self.go_on = threading.Event()

    async def __call__(self, call: ServerCall) -> bytes:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self.started.release()
        await call.wait(self.go_on)
        with self._lock:
            self._now -= 1
        return b""


def test_calls_above_the_stream_limit_queue(front: FrontEnd) -> None:
    crowd = Crowd()
    options = [("grpc.max_concurrent_streams", 2)]
    front.clarion_only("grpcio's server refuses some of them with UNAVAILABLE")
    rig = front.rig(unary_unary=crowd, options=options)
    front.wait_ready(rig.client, LIMIT)
    # The client knows the limit once its first call is through.
    calls = [rig.open("unary_unary", [b"x"]) for _ in range(8)]
    for _ in range(2):
        assert crowd.started.acquire(timeout=LIMIT)
    crowd.go_on.set()
    assert [call.finish().code for call in calls] == ["OK"] * 8
    assert crowd.most <= 2


def test_a_queued_call_has_its_deadline_and_can_be_cancelled(front: FrontEnd) -> None:
    hang = Hang()
    rig = front.rig(
        unary_unary=hang, stream_stream=hang, options=[("grpc.max_concurrent_streams", 1)]
    )
    first = rig.open("unary_unary", [b"x"])
    hang.wait_started()
    assert rig.call("unary_unary", [b"x"], timeout=0.1).code == "DEADLINE_EXCEEDED"
    queued = rig.open("stream_stream", [b"x"])
    queued.cancel()
    assert queued.finish().code == "CANCELLED"
    first.cancel()
    assert first.finish().code == "CANCELLED"


def test_calls_above_maximum_concurrent_rpcs_are_refused(front: FrontEnd) -> None:
    hang = Hang()
    rig = front.rig(unary_unary=hang, maximum_concurrent_rpcs=2)
    calls = [rig.open("unary_unary", [b"x"]) for _ in range(2)]
    for _ in calls:
        hang.wait_started()
    assert rig.call("unary_unary", [b"x"]).code == "RESOURCE_EXHAUSTED"
    for call in calls:
        call.cancel()
        assert call.finish().code == "CANCELLED"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_received_messages_have_a_limit_of_four_mebibytes(front: FrontEnd, pattern: str) -> None:
    rig = front.rig(**ECHOES)
    outcome = rig.call(pattern, [bytes(4 * MIB)])
    assert outcome.code == "OK", outcome.details
    outcome = rig.call(pattern, [bytes(4 * MIB + 1)])
    assert outcome.code == "RESOURCE_EXHAUSTED"
    # Who refused what, and what the limit is.
    assert str(4 * MIB + 1) in outcome.details
    assert str(4 * MIB) in outcome.details


def test_sent_messages_have_the_limit_that_options_set(front: FrontEnd) -> None:
    rig = front.rig(**ECHOES, client_options=[("grpc.max_send_message_length", 1000)])
    assert rig.call("unary_unary", [bytes(1000)]).code == "OK"
    assert rig.call("unary_unary", [bytes(1001)]).code == "RESOURCE_EXHAUSTED"


def test_a_server_has_a_limit_on_what_it_sends(front: FrontEnd) -> None:
    rig = front.rig(**ECHOES, options=[("grpc.max_send_message_length", 1000)])
    assert rig.call("unary_unary", [bytes(1000)]).code == "OK"
    assert rig.call("unary_unary", [bytes(1001)]).code == "RESOURCE_EXHAUSTED"


def test_metadata_over_the_hard_limit(front: FrontEnd) -> None:
    rig = front.rig(**ECHOES)
    outcome = rig.call("unary_unary", [b""], metadata=[("big", "x" * 20_000)])
    assert outcome.code == "RESOURCE_EXHAUSTED"
    assert rig.call("unary_unary", [b""], metadata=[("big", "x" * 7_000)]).code == "OK"


def test_trailing_metadata_over_the_hard_limit(front: FrontEnd) -> None:
    async def handler(call: ServerCall) -> bytes:
        call.context.set_trailing_metadata((("big", "x" * 20_000),))
        return b""

    outcome = front.rig(unary_unary=handler).call("unary_unary", [b""])
    assert outcome.code == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize(
    "metadata",
    [
        [("Upper", "case")],
        [("with space", "x")],
        [("", "x")],
        [("text", "line\nbreak")],
        [("text", "caf\u00e9")],
        [("text", b"bytes \xff")],
        [(":path", "/elsewhere")],
    ],
    ids=lambda metadata: repr(metadata[0]),
)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_metadata_that_cannot_be_sent(
    front: FrontEnd, pattern: str, metadata: list[tuple[str, str]]
) -> None:
    rig = front.rig(**ECHOES)
    if repr(front) == "grpc-aio" and pattern.endswith("unary"):
        front.clarion_only("raises an exception of its internals, which is not public")
    outcome = rig.call(pattern, [b""], metadata=metadata)
    assert outcome.code == "INTERNAL"
    assert "metadata" in outcome.details
    assert rig.call("unary_unary", [b""]).code == "OK"


def test_binary_metadata_has_to_be_bytes(front: FrontEnd) -> None:
    rig = front.rig(**ECHOES)
    with pytest.raises(TypeError, match="data-bin"):
        rig.call("unary_unary", [b""], metadata=[("data-bin", "text")])
    assert rig.call("unary_unary", [b""]).code == "OK"
