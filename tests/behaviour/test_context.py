"""The servicer context: what a handler learns of its call, and what it may do to it."""

from __future__ import annotations

import threading

import pytest

from support.front_end import FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT, PATTERNS, Metadata
from support.simple import ECHOES, Hang


def test_invocation_metadata(front: FrontEnd) -> None:
    seen: list[Metadata] = []

    async def handler(call: ServerCall) -> bytes:
        seen.append(call.metadata)
        return b""

    sent: Metadata = [("k", "1"), ("k", "2"), ("b-bin", b"\x00\xff")]
    assert front.rig(unary_unary=handler).call("unary_unary", [b""], metadata=sent).code == "OK"
    (metadata,) = seen
    assert [each for each in metadata if each[0] in ("k", "b-bin")] == sent
    keys = {key for key, _ in metadata}
    assert not {key for key in keys if key.startswith((":", "grpc-"))}
    assert "te" not in keys


def test_peer_names_the_client(front: FrontEnd) -> None:
    async def handler(call: ServerCall) -> bytes:
        return str(call.context.peer()).encode()

    outcome = front.rig(unary_unary=handler).call("unary_unary", [b""])
    assert outcome.responses[0].startswith(b"ipv4:127.0.0.1:")
    assert int(outcome.responses[0].rpartition(b":")[2]) > 0


@pytest.mark.parametrize("pattern", PATTERNS)
def test_initial_metadata_arrives_before_the_first_response(front: FrontEnd, pattern: str) -> None:
    go_on = threading.Event()

    async def handler(call: ServerCall) -> bytes | None:
        await call.send_initial_metadata([("early", "bird")])
        await call.wait(go_on)
        if not pattern.endswith("stream"):
            return b"late"
        await call.write(b"late")
        return None

    if pattern == "unary_unary":
        front.clarion_only("grpcio's unary calls show it with the response only")
    rig = front.rig(**{pattern: handler})
    call = rig.open(pattern, [b"x"])
    assert ("early", "bird") in front.initial_metadata(call)
    go_on.set()
    assert call.finish().responses == [b"late"]


def test_initial_metadata_goes_once(front: FrontEnd) -> None:
    async def handler(call: ServerCall) -> bytes:
        await call.send_initial_metadata([("a", "1")])
        await call.send_initial_metadata([("a", "2")])
        return b""

    outcome = front.rig(unary_unary=handler).call("unary_unary", [b""])
    assert outcome.code == "UNKNOWN"
    assert ("a", "1") in outcome.initial


def test_code_details_and_trailing_metadata_can_be_read_back(front: FrontEnd) -> None:
    seen: list[object] = []

    async def handler(call: ServerCall) -> bytes:
        call.fail("NOT_FOUND", "nothing")
        call.context.set_trailing_metadata((("a", "1"),))
        seen.append(call.context.code() is call.library.status("NOT_FOUND"))
        seen.append(call.context.details())
        seen.append(tuple(call.context.trailing_metadata()))
        return b""

    outcome = front.rig(unary_unary=handler).call("unary_unary", [b""])
    assert (outcome.code, outcome.details, outcome.responses) == ("NOT_FOUND", "nothing", [])
    # grpcio's sync context gives back bytes.
    details = b"nothing" if repr(front) == "grpc-sync" else "nothing"
    assert seen == [True, details, (("a", "1"),)]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_abort_leaves_the_handler(front: FrontEnd, pattern: str) -> None:
    after = threading.Event()

    async def handler(call: ServerCall) -> bytes:
        await call.abort("ABORTED", "enough")
        after.set()
        return b""

    outcome = front.rig(**{pattern: handler}).call(pattern, [b"x"])
    assert (outcome.code, outcome.details) == ("ABORTED", "enough")
    assert not after.is_set()


def test_abort_with_ok_is_an_error_of_the_handler(front: FrontEnd) -> None:
    async def handler(call: ServerCall) -> bytes:
        await call.abort("OK", "all is well")
        return b""

    if front.name == "aio":
        front.clarion_only("grpc.aio leaves the call hanging")
    assert front.rig(unary_unary=handler).call("unary_unary", [b""]).code == "UNKNOWN"


def test_abort_cannot_be_swallowed(front: FrontEnd) -> None:
    async def handler(call: ServerCall) -> bytes:
        try:
            await call.abort("ABORTED", "enough")
        except Exception:
            return b"as if nothing had happened"
        return b""

    outcome = front.rig(unary_unary=handler).call("unary_unary", [b""])
    assert (outcome.code, outcome.responses) == ("ABORTED", [])


def test_the_sync_context_is_active_until_the_end(sync: FrontEnd) -> None:
    states: list[bool] = []
    ended = threading.Event()

    async def handler(call: ServerCall) -> bytes:
        states.append(call.context.is_active())
        started.set()
        await call.until_cancelled(lambda: None)
        states.append(call.context.is_active())
        states.append(call.context.add_callback(lambda: None))
        ended.set()
        return b""

    started = threading.Event()
    call = sync.rig(unary_unary=handler).open("unary_unary", [b""])
    assert started.wait(LIMIT)
    call.cancel()
    assert ended.wait(LIMIT)
    assert states == [True, False, False]


def test_a_sync_callback_runs_when_the_call_ends_well(sync: FrontEnd) -> None:
    ended = threading.Event()

    async def handler(call: ServerCall) -> bytes:
        assert call.context.add_callback(ended.set)
        return b""

    assert sync.rig(unary_unary=handler).call("unary_unary", [b""]).code == "OK"
    assert ended.wait(LIMIT)


def test_a_sync_handler_cancels_its_call(sync: FrontEnd) -> None:
    async def handler(call: ServerCall) -> bytes:
        call.context.cancel()
        await call.until_cancelled(lambda: None)
        return b""

    assert sync.rig(unary_unary=handler).call("unary_unary", [b""]).code == "CANCELLED"


def test_an_asynchronous_done_callback_gets_the_context(aio: FrontEnd) -> None:
    done: list[bool] = []
    ended = threading.Event()

    async def handler(call: ServerCall) -> bytes:
        def on_done(context: object) -> None:
            done.append(context is call.context)
            ended.set()

        call.context.add_done_callback(on_done)
        assert not call.context.done()
        return b""

    assert aio.rig(unary_unary=handler).call("unary_unary", [b""]).code == "OK"
    assert ended.wait(LIMIT)
    assert done == [True]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_an_exception_is_unknown_and_tells_its_text_if_asked(front: FrontEnd, pattern: str) -> None:
    async def handler(call: ServerCall) -> bytes:
        raise ValueError("no such luck")

    options = [("clarion.expose_exceptions", 1)]
    rig = front.rig(**{**ECHOES, pattern: handler}, options=options)
    outcome = rig.call(pattern, [b"x"])
    assert outcome.code == "UNKNOWN"
    assert "no such luck" in outcome.details


def test_an_exception_after_set_code_keeps_the_code(front: FrontEnd) -> None:
    async def handler(call: ServerCall) -> bytes:
        call.fail("DATA_LOSS", "broken")
        raise ValueError("oops")

    outcome = front.rig(unary_unary=handler).call("unary_unary", [b"x"])
    assert outcome.code in ("DATA_LOSS", "UNKNOWN")


def test_time_remaining(front: FrontEnd) -> None:
    async def handler(call: ServerCall) -> bytes:
        return repr(call.context.time_remaining()).encode()

    rig = front.rig(unary_unary=handler)
    (with_deadline,) = rig.call("unary_unary", [b""], timeout=100).responses
    assert 0 < float(with_deadline) <= 102  # `grpc-timeout` may be rounded up by a hundredth.
    (without,) = rig.call("unary_unary", [b""]).responses
    if repr(front) == "grpc-sync":
        assert float(without) > 1e18, "grpcio's sync context has no None for it"
    else:
        assert without == b"None"


def test_hang_is_told_of_a_cancel(front: FrontEnd) -> None:
    hang = Hang()
    call = front.rig(unary_unary=hang).open("unary_unary", [b""])
    hang.wait_started()
    call.cancel()
    hang.wait_ended()
    assert call.finish().code == "CANCELLED"
