"""What tracers hear of calls, on both front ends and with every pattern."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import clarion
import clarion.aio
from clarion.call_tracing import CLIENT_TRACING
from clarion.sync.call import SyncCall
from clarion.sync.server_call import SyncServerCall
from support.call_events import ClientEvents, Log
from support.traced_echo import PATTERNS, call_aio, call_sync, method, run_aio

REQUESTS = {"unary": 1, "stream": 2}


def check_client(log: Log, pattern: str) -> None:
    sent, _, received = pattern.partition("_")
    requests, responses = REQUESTS[sent], REQUESTS[received]
    ours = ["headers_sent", *["message_sent"] * requests, "half_closed"]
    theirs = ["headers_received", *["message_received"] * responses, "attempt_ended", "ended"]
    names = [name for name in log.names if name not in ("method", "begin", "name_resolved")]
    assert names[0] == "attempt"
    assert [name for name in names if name in ours] == ours
    assert [name for name in names if name in theirs] == theirs
    assert names[-2:] == ["attempt_ended", "ended"]
    assert log.of("attempt_ended") == [("OK", {"by_server"})]
    assert log.of("ended") == ["OK"]
    assert {len(wire) for _, wire in log.of("message_sent")} == {2 // requests}


def check_server(log: Log, pattern: str) -> None:
    sent, _, received = pattern.partition("_")
    requests, responses = REQUESTS[sent], REQUESTS[received]
    theirs = [*["message_received"] * requests, "half_closed"]
    ours = ["handler_starts", "headers_sent", *["message_sent"] * responses, "ended"]
    assert log.names[0] == "call"
    assert [name for name in log.names if name in theirs] == theirs
    assert [name for name in log.names if name in ours] == ours
    assert log.of("ended") == [("OK", {"sent"})]
    start = log.of("call")[0]
    assert (start.method, start.registered) == (method(pattern), True)
    assert start.peer.startswith("ipv4:127.0.0.1:")
    assert dict(start.metadata)["x-traced"] == "yes"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_sync(rigs: Any, pattern: str) -> None:
    rig = rigs()
    answer = call_sync(rig.channel, pattern)
    assert (answer if isinstance(answer, bytes) else b"".join(answer))[:2] == b"ab"
    rig.server.wait_for("ended")
    check_client(rig.client, pattern)
    check_server(rig.server, pattern)
    target, path, registered = rig.client.of("method")[0]
    assert (target, path) == (f"dns:///127.0.0.1:{rig.port}", method(pattern))
    assert registered
    start = rig.client.of("attempt")[0]
    assert (start.previous_attempts, start.transparent, start.hedged) == (0, False, False)
    assert start.peer == f"ipv4:127.0.0.1:{rig.port}"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_aio(pattern: str) -> None:
    async def use(channel: Any) -> None:
        await call_aio(channel, pattern)

    client, server = run_aio(use)
    check_client(client, pattern)
    check_server(server, pattern)


def test_server_interceptors(rigs: Any) -> None:
    """The handler's context is ready before the first interceptor, whose context it shares."""

    class Passing(clarion.ServerInterceptor):
        def intercept_service(self, continuation: Any, details: Any) -> Any:
            return continuation(details)

    rig = rigs(interceptors=[Passing()])
    assert call_sync(rig.channel, "unary_unary") == b"ab"
    rig.server.wait_for("ended")
    check_client(rig.client, "unary_unary")
    assert rig.server.names.count("handler_starts") == 1
    assert rig.server.of("handler_starts") != [threading.get_ident()]

    class AioPassing(clarion.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            return await continuation(details)

    async def use(channel: Any) -> None:
        await call_aio(channel, "unary_unary")

    _, server = run_aio(use, interceptors=[AioPassing()])
    check_server(server, "unary_unary")


def test_client_interceptors(rigs: Any) -> None:
    """Tracers hear of the calls that interceptors make."""

    class Twice(clarion.UnaryUnaryClientInterceptor):
        def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            continuation(details, request).result()
            return continuation(details, request)

    rig = rigs()
    assert call_sync(clarion.intercept_channel(rig.channel, Twice()), "unary_unary") == b"ab"
    assert rig.client.of("ended") == ["OK", "OK"]
    assert rig.client.of("method")[0][2]

    class AioTwice(clarion.aio.UnaryUnaryClientInterceptor):
        async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
            await (await continuation(details, request))
            return await continuation(details, request)

    async def use(channel: Any) -> None:
        await call_aio(channel, "unary_unary")

    client, _ = run_aio(use, client_interceptors=[AioTwice()])
    assert client.of("ended") == ["OK", "OK"]


def test_compressed_messages(rigs: Any) -> None:
    rig = rigs()
    call = rig.channel.unary_unary(method("unary_unary"))
    request = b"x" * 1000
    assert call(request, compression=clarion.Compression.Gzip) == request
    ((payload, wire),) = rig.client.of("message_sent")
    assert payload == request
    assert len(wire) < 100
    rig.server.wait_for("ended")
    ((received, _),) = rig.server.of("message_received")
    assert received == wire
    call = rig.channel.stream_stream(method("stream_stream"))
    assert list(call(iter([request]), compression=clarion.Compression.Gzip)) == [request]
    assert rig.client.of("message_sent")[1] == (request, wire)


def test_compressed_responses(rigs: Any) -> None:
    rig = rigs(compression=clarion.Compression.Gzip)
    request = b"x" * 1000
    assert rig.channel.unary_unary(method("unary_unary"))(request) == request
    rig.server.wait_for("ended")
    ((payload, wire),) = rig.server.of("message_sent")
    assert payload == request
    assert len(wire) < 100
    ((received, _),) = rig.client.of("message_received")
    assert received == wire


def test_unknown_method(rigs: Any) -> None:
    rig = rigs()
    with pytest.raises(clarion.RpcError):
        rig.channel.unary_unary("/other/Method")(b"")
    assert rig.client.of("attempt_ended") == [("UNIMPLEMENTED", {"by_server", "trailers_only"})]
    assert not rig.client.of("method")[0][2]
    rig.server.wait_for("ended")
    assert rig.server.of("ended") == [("UNIMPLEMENTED", {"sent", "trailers_only"})]
    assert not rig.server.of("call")[0].registered


def test_cancelled_stream(rigs: Any) -> None:
    rig = rigs()
    call = rig.channel.stream_stream(method("stream_stream"))(iter_first_then_wait(b"a"))
    assert next(call) == b"a"
    call.cancel()
    rig.client.wait_for("ended")
    assert rig.client.of("attempt_ended") == [("CANCELLED", {"here"})]
    rig.server.wait_for("ended")
    assert rig.server.of("ended") == [("CANCELLED", set())]


def iter_first_then_wait(message: bytes) -> Any:
    yield message
    # Whoever asks for more is a thread that nobody waits for.
    threading.Event().wait(0.5)


def test_cancelled_aio_stream() -> None:
    async def use(channel: Any) -> None:
        call = channel.stream_stream(method("stream_stream"))()
        await call.write(b"a")
        assert await call.read() == b"a"
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call.read()

    client, server = run_aio(use)
    assert client.of("attempt_ended") == [("CANCELLED", {"here"})]
    assert server.of("ended") == [("CANCELLED", set())]


def test_lost_connection(rigs: Any) -> None:
    rig = rigs()
    call = rig.channel.stream_stream(method("stream_stream"))(iter_first_then_wait(b"a"))
    assert next(call) == b"a"
    rig.running.stop(None).wait()
    with pytest.raises(clarion.RpcError):
        next(call)
    rig.client.wait_for("ended")
    assert rig.client.of("attempt_ended")[0][0] == "UNAVAILABLE"


def test_never_begun(rigs: Any) -> None:
    """A call that ends before it has an attempt."""
    rig = rigs()
    call = rig.channel.unary_unary(method("unary_unary"))
    with pytest.raises(clarion.RpcError):
        call(b"", timeout=0)
    call = rig.channel.unary_unary(method("unary_unary"), request_serializer=str.encode)
    with pytest.raises(clarion.RpcError):
        call(b"no text")
    assert rig.client.of("ended") == ["DEADLINE_EXCEEDED", "INTERNAL"]
    assert "attempt" not in rig.client.names


def test_no_connection() -> None:
    log = ClientEvents()
    options = [(CLIENT_TRACING, log)]
    with (
        clarion.insecure_channel("unix:/nowhere/at/all", options=options) as channel,
        pytest.raises(clarion.RpcError),
    ):
        channel.unary_unary("/a/b")(b"")
    assert log.of("ended") == ["UNAVAILABLE"]
    assert log.of("method")[0][0] == "unix:/nowhere/at/all"
    assert "attempt" not in log.names


def service_config(**policy: Any) -> list[tuple[str, Any]]:
    return [
        (
            "grpc.service_config",
            json.dumps({"methodConfig": [{"name": [{}], **policy}]}),
        )
    ]


RETRY = {
    "maxAttempts": 3,
    "initialBackoff": "0.01s",
    "maxBackoff": "0.01s",
    "backoffMultiplier": 1,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


def test_retries(rigs: Any) -> None:
    left = [2]

    def fail(context: Any) -> None:
        if left[0]:
            left[0] -= 1
            context.abort(clarion.StatusCode.UNAVAILABLE, "not yet")

    rig = rigs(service_config(retryPolicy=RETRY), fail)
    assert call_sync(rig.channel, "unary_unary") == b"ab"
    attempts = rig.client.of("attempt")
    assert [each.previous_attempts for each in attempts] == [0, 1, 2]
    assert not any(each.transparent for each in attempts)
    assert len(rig.client.of("retry_in")) == 2
    assert [code for code, _ in rig.client.of("attempt_ended")] == ["UNAVAILABLE"] * 2 + ["OK"]
    assert len(rig.client.of("message_sent")) == 3
    assert rig.client.of("ended") == ["OK"]


def test_retries_of_streams_send_again_what_was_kept(rigs: Any) -> None:
    rig = rigs(service_config(retryPolicy=RETRY))
    assert call_sync(rig.channel, "stream_stream") == [b"a", b"b"]
    rig.running.core.stopping = True
    heard: list[int] = []
    listen = rig.server.call

    def refuse_once(start: Any) -> Any:
        heard.append(1)
        rig.running.core.stopping = len(heard) == 1
        return listen(start)

    rig.server.call = refuse_once
    rig.client.events.clear()
    assert call_sync(rig.channel, "stream_unary") == b"ab"
    attempts = rig.client.of("attempt")
    assert [each.transparent for each in attempts] == [False, True]
    assert [each.previous_attempts for each in attempts] == [0, 0]
    # What of the first attempt was on its way is chance; the second has all of it.
    assert [wire for _, wire in rig.client.of("message_sent")][-2:] == [b"a", b"b"]
    rig.server.wait_for("ended", 3)
    assert ("UNAVAILABLE", set()) in rig.server.of("ended")


@pytest.mark.parametrize("pattern", ["unary_unary", "stream_unary"])
def test_hedges(rigs: Any, pattern: str) -> None:
    hedging = {"maxAttempts": 2, "hedgingDelay": "0s", "nonFatalStatusCodes": ["UNAVAILABLE"]}
    rig = rigs(service_config(hedgingPolicy=hedging))
    assert call_sync(rig.channel, pattern) == b"ab"
    rig.client.wait_for("ended")
    attempts = rig.client.of("attempt")
    assert attempts
    assert all(each.hedged for each in attempts)
    assert rig.client.of("ended") == ["OK"]
    wires = b"".join(wire for _, wire in rig.client.of("message_sent"))
    assert wires.startswith(b"a")
    assert wires.count(b"ab") >= 1 or pattern == "stream_unary"


def test_plain_channels_make_plain_calls() -> None:
    """Without a tracing, nothing of it is there."""
    with clarion.insecure_channel("localhost:1") as channel:
        call: Any = channel.unary_unary("/a/b")
        assert call._call is SyncCall
    server: Any = clarion.server(ThreadPoolExecutor(1))
    assert server.call_type is SyncServerCall
