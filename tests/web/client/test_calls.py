"""Calls on web channels: all kinds, in all protocols, over both versions of HTTP, from both front ends."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from clarion.rich_errors.protos import message_class
from support.credentials import client_tls, server_tls
from support.front_end import SERVICE
from support.handlers import ServerCall
from support.libraries import LIMIT
from support.simple import ECHOES, Hang
from support.web_channels import WebFront

PROTOCOLS = ["connect", "grpc-web", "grpc-web-text"]
MIB = 1 << 20


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_calls_of_every_pattern(web: WebFront) -> None:
    rig = web.rig(**ECHOES)
    assert rig.call("unary_unary", [b"a"]).responses == [b"a"]
    assert rig.call("unary_unary", [b""]).responses == [b""]
    assert rig.call("unary_stream", [b"a"]).responses == [b"a"] * 3
    assert rig.call("stream_unary", [b"a", b"bc", b""]).responses == [b"abc"]
    outcome = rig.call("stream_stream", [b"a", b"bc", b""])
    if web.web["http"] == "2":
        assert outcome.responses == [b"a", b"bc", b""]
    else:
        assert outcome.code == "UNIMPLEMENTED"
        assert 'use http="2"' in outcome.details
        client = web.connect(rig.server.target, half_duplex=True)
        outcome = client.call(SERVICE + "StreamStream", "stream_stream", [b"a", b"bc", b""])
        assert outcome.responses == [b"a", b"bc", b""]


@pytest.mark.parametrize("version", ["auto", "1.1", "2"])
def test_tls(name: str, version: str, library: Any, loop: Any) -> None:
    front = WebFront(library, name, loop, http=version)
    server = front.serve(ECHOES, credentials=server_tls(library))
    url = f"https://localhost:{server.ports[0]}"
    client = front.connect(url, credentials=client_tls(library))
    outcome = client.call(SERVICE + "UnaryStream", "unary_stream", [b"a" * 100_000])
    assert outcome.responses == [b"a" * 100_000] * 3
    outcome = client.call(SERVICE + "StreamStream", "stream_stream", [b"a", b"b"])
    # Asked what it likes, the server takes HTTP/2.
    assert outcome.code == ("UNIMPLEMENTED" if version == "1.1" else "OK")
    front.close()


def test_metadata_and_errors(web: WebFront) -> None:
    async def handler(call: ServerCall) -> bytes:
        sent = dict(call.metadata)
        await call.send_initial_metadata([("first", sent["key"]), ("first-bin", sent["key-bin"])])
        call.context.set_trailing_metadata((("last", "x"), ("last-bin", b"\x00\xff")))
        if call.request == b"fail":
            call.fail("FAILED_PRECONDITION", "nicht möglich: 50 %")
        return b"done"

    rig = web.rig(unary_unary=handler)
    metadata = [("key", "value"), ("key-bin", b"\x00\x01\xfe")]
    outcome = rig.call("unary_unary", [b""], metadata=metadata)
    assert (outcome.code, outcome.responses) == ("OK", [b"done"])
    assert {("first", "value"), ("first-bin", b"\x00\x01\xfe")} <= set(outcome.initial)
    assert {("last", "x"), ("last-bin", b"\x00\xff")} <= set(outcome.trailing)
    outcome = rig.call("unary_unary", [b"fail"], metadata=metadata)
    assert (outcome.code, outcome.details) == ("FAILED_PRECONDITION", "nicht möglich: 50 %")
    # Connect has one set of them where a unary call fails.
    assert ("first", "value") in [*outcome.initial, *outcome.trailing]
    assert ("last-bin", b"\x00\xff") in outcome.trailing


def test_error_details(web: WebFront) -> None:
    status_type = message_class("Status")
    status = status_type(code=5, message="none")
    status.details.add(type_url="type.googleapis.com/google.rpc.Help", value=b"")

    async def handler(call: ServerCall) -> bytes:
        packed = status.SerializeToString()
        call.context.set_trailing_metadata((("grpc-status-details-bin", packed),))
        call.fail("NOT_FOUND", "none")
        return b""

    outcome = web.rig(unary_unary=handler).call("unary_unary", [b""])
    assert (outcome.code, outcome.details) == ("NOT_FOUND", "none")
    packed = dict(outcome.trailing)["grpc-status-details-bin"]
    assert status_type.FromString(packed) == status


def test_a_deadline_reaches_the_server(web: WebFront) -> None:
    hang = Hang()
    rig = web.rig(unary_unary=hang)
    web.wait_ready(rig.client, LIMIT)
    for timeout in (0.2, 1.0, 5.0):
        call = rig.open("unary_unary", [b"x"], timeout=timeout)
        assert call.finish().code == "DEADLINE_EXCEEDED"
        # On a machine that is busy the time may be up before the server is asked.
        if hang.started.acquire(timeout=timeout):
            break
    else:
        raise AssertionError("the handler never started")
    hang.wait_ended()


def test_a_cancel_ends_both_sides(web: WebFront) -> None:
    hang = Hang()
    rig = web.rig(**{**ECHOES, "unary_unary": hang, "stream_unary": hang})
    for pattern in ("unary_unary", "stream_unary"):
        call = rig.open(pattern, [b"x"])
        hang.wait_started()
        call.cancel()
        assert call.finish().code == "CANCELLED"
        hang.wait_ended()
    assert rig.call("unary_stream", [b"x"]).code == "OK"


def test_closing_the_channel_ends_calls(web: WebFront) -> None:
    hang = Hang()
    rig = web.rig(unary_unary=hang)
    call = rig.open("unary_unary", [b"x"])
    hang.wait_started()
    rig.client.close()
    assert call.finish().code == "CANCELLED"
    hang.wait_ended()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_large_messages(web: WebFront) -> None:
    rig = web.rig(**ECHOES)
    message = bytes(range(256)) * (3 * MIB // 256)
    assert rig.call("unary_unary", [message]).responses == [message]
    assert rig.call("unary_unary", [message], compression="Gzip").responses == [message]
    assert rig.call("stream_unary", [message[:MIB]] * 3).responses == [message[:MIB] * 3]
    outcome = rig.call("unary_unary", [bytes(5 * MIB)])
    assert outcome.code == "RESOURCE_EXHAUSTED"


def test_what_is_received_has_a_limit(web: WebFront) -> None:
    limit = [("grpc.max_receive_message_length", 1000)]
    rig = web.rig(**ECHOES, client_options=limit)
    assert rig.call("unary_unary", [bytes(1000)]).code == "OK"
    assert rig.call("unary_unary", [bytes(1001)]).code == "RESOURCE_EXHAUSTED"
    assert rig.call("unary_stream", [bytes(1001)]).code == "RESOURCE_EXHAUSTED"
    # Compressed, it is small; what counts is what it was.
    assert rig.call("unary_unary", [bytes(1001)], compression="Gzip").code == "RESOURCE_EXHAUSTED"


def test_a_reader_that_rests_stops_the_writer(web: WebFront) -> None:
    sent = 0
    piece = bytes(MIB)

    async def handler(call: ServerCall) -> None:
        nonlocal sent
        for _ in range(200):
            await call.write(piece)
            sent += 1

    rig = web.rig(unary_stream=handler, unary_unary=ECHOES["unary_unary"])
    call = rig.open("unary_stream", [b""])
    assert call.read() == piece
    # Other calls go on; by then the writer has long filled what may be filled.
    for _ in range(50):
        assert rig.call("unary_unary", [b"x"]).code == "OK"
    assert sent < 100
    call.cancel()
    assert call.finish().code == "CANCELLED"


RETRIES = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.01s",
                    "maxBackoff": "0.01s",
                    "backoffMultiplier": 1,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ]
    }
)


@pytest.mark.parametrize("pattern", ["unary_unary", "unary_stream", "stream_unary"])
def test_retries(web: WebFront, pattern: str) -> None:
    attempts: list[str | None] = []

    async def handler(call: ServerCall) -> Any:
        attempts.append(dict(call.metadata).get("grpc-previous-rpc-attempts"))
        if len(attempts) < 3:
            await call.abort("UNAVAILABLE", "not yet")
        if pattern.endswith("stream"):
            await call.write(b"done")
            return None
        return b"done"

    rig = web.rig(**{pattern: handler}, client_options=[("grpc.service_config", RETRIES)])
    outcome = rig.call(pattern, [b"x"])
    assert (outcome.code, outcome.responses) == ("OK", [b"done"])
    assert attempts == [None, "1", "2"]


@pytest.mark.parametrize("options", [[], [("grpc.service_config", RETRIES)]], ids=["", "retries"])
def test_initial_metadata_comes_before_messages(web: WebFront, options: Any) -> None:
    """Also where a call may be tried again, and has more requests."""
    go_on = threading.Event()

    async def handler(call: ServerCall) -> bytes:
        await call.send_initial_metadata([("first", "x")])
        await call.wait(go_on)
        return b"done"

    rig = web.rig(stream_unary=handler, client_options=options)
    call = rig.open("stream_unary")
    call.write(b"x")
    assert ("first", "x") in web.initial_metadata(call)
    go_on.set()
    call.done_writing()
    assert call.finish().responses == [b"done"]


def test_connectivity(web: WebFront) -> None:
    rig = web.rig(**ECHOES)
    web.wait_ready(rig.client, LIMIT)
    watcher = web.watch(rig.client, connect=False)
    assert watcher.until("READY") == "READY"
    assert rig.call("unary_unary", [b"x"]).code == "OK"
    rig.server.stop(None)()
    watcher.until("IDLE", "TRANSIENT_FAILURE")
    outcome = rig.call("unary_unary", [b"x"])
    assert outcome.code == "UNAVAILABLE"
    assert rig.server.target in outcome.details
