"""A handler of one pattern that serves a call of another, as interceptors that refuse calls do."""

from __future__ import annotations

import pytest

from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT


@pytest.mark.parametrize("count", [1, 3])
def test_a_refusal_does_not_wait_for_the_client_s_end(front: FrontEnd, count: int) -> None:
    async def refuse(call: ServerCall) -> None:
        await call.abort("UNAUTHENTICATED", "who are you?")

    rig = front.rig(unary_unary=refuse)
    call = rig.client.open(SERVICE + "UnaryUnary", "stream_stream", None, timeout=LIMIT)
    for _ in range(count):
        try:
            call.write(b"x")
        except Exception:
            # The answer is there already.
            break
    outcome = call.finish()
    assert (outcome.code, outcome.details) == ("UNAUTHENTICATED", "who are you?")


def test_a_deadline_ends_a_call_whose_client_never_half_closes(front: FrontEnd) -> None:
    front.clarion_only("answers without waiting for the client's end")
    rig = front.rig(unary_unary=_echo, maximum_concurrent_rpcs=1)
    call = rig.client.open(SERVICE + "UnaryUnary", "stream_stream", None, timeout=0.2)
    call.write(b"x")
    assert call.finish().code == "DEADLINE_EXCEEDED"
    # The server gave the call up as well, and has room for another.
    assert rig.call("unary_unary", [b"y"], timeout=LIMIT).responses == [b"y"]


async def _echo(call: ServerCall) -> bytes:
    request: bytes = call.request
    return request
