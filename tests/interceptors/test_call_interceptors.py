"""One kind of interceptor for all four patterns, on both front ends."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import clarion
from clarion.interceptors import CallInterceptor
from clarion.interceptors.aio import CallInterceptor as AioCallInterceptor
from clarion.status import StatusCode
from clarion.sync.slow_stream import SlowStream
from support.call_interceptors import Endings, changing, plain_changing
from support.front_end import FrontEnd
from support.handlers import ServerCall
from support.libraries import LIMIT, PATTERNS, load
from support.loops import LoopThread
from support.simple import ECHOES

REQUESTS = {"unary": [b"a"], "stream": [b"a", b"b"]}


def requests_of(pattern: str) -> list[bytes]:
    return REQUESTS[pattern.partition("_")[0]]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_messages_and_numbers_of_each_pattern(front: FrontEnd, pattern: str) -> None:
    plain = front.rig(**ECHOES).call(pattern, requests_of(pattern))
    endings = Endings(front)
    log: list[str] = []
    rig = front.rig(
        **ECHOES,
        interceptors=[endings.interceptor, changing(front, b"1", log), changing(front, b"2", log)],
    )
    outcome = rig.call(pattern, requests_of(pattern))
    call = endings.next()
    assert outcome.code == "OK"
    assert len(outcome.responses) == len(plain.responses) > 0
    # The first interceptor is the outermost: its mark is the first on requests, the last on responses.
    assert all(response.endswith(b"1221") for response in outcome.responses)
    assert b"a12" in outcome.responses[0]
    assert log == ["1 begins", "2 begins", "2 ends", "1 ends"]
    assert (call.method, call.code) == (
        f"/test.Service/{pattern.title().replace('_', '')}",
        StatusCode.OK,
    )
    assert call.exception is None
    assert call.requests == len(requests_of(pattern))
    assert call.responses == len(outcome.responses)
    assert call.request_bytes == sum(map(len, requests_of(pattern)))
    assert call.response_bytes == sum(map(len, outcome.responses))
    assert (call.request_streaming, call.response_streaming) == (
        pattern.startswith("stream"),
        pattern.endswith("stream"),
    )
    assert call.peer.startswith("ipv4:127.0.0.1:")
    assert call.user_agent.startswith("grpc-python")
    assert call.first_response_after is not None
    assert 0 <= call.first_response_after <= call.duration
    assert endings.none_more()


def test_the_order_with_interceptors_of_grpcios_kind(front: FrontEnd) -> None:
    rig = front.rig(
        **ECHOES,
        interceptors=[changing(front, b"1"), plain_changing(front, b"2"), changing(front, b"3")],
    )
    assert rig.call("unary_unary", [b"a"]).responses == [b"a123321"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_an_exception_passes_through(
    front: FrontEnd, pattern: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(call: ServerCall) -> bytes:
        raise ValueError("a secret")

    endings = Endings(front)
    log: list[str] = []
    rig = front.rig(
        **{pattern: handler}, interceptors=[endings.interceptor, changing(front, b"1", log)]
    )
    outcome = rig.call(pattern, requests_of(pattern))
    call = endings.next()
    assert outcome.code == "UNKNOWN"
    assert outcome.details.startswith("Exception ")
    assert "secret" not in outcome.details
    assert log == ["1 begins", "1 saw a secret", "1 ends"]
    assert (call.code, call.details) == (StatusCode.UNKNOWN, outcome.details)
    assert isinstance(call.exception, ValueError)
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert call.method in record.getMessage()
    assert call.peer in record.getMessage()
    assert record.exc_info is not None
    assert "a secret" not in record.getMessage()


def test_a_status_that_the_handler_sets(front: FrontEnd) -> None:
    async def handler(call: ServerCall) -> None:
        call.fail("ABORTED", "enough")

    endings = Endings(front)
    rig = front.rig(unary_unary=handler, interceptors=[endings.interceptor, changing(front, b"1")])
    outcome = rig.call("unary_unary", [b"a"])
    call = endings.next()
    assert (outcome.code, outcome.details) == ("ABORTED", "enough")
    assert (call.code, call.details, call.exception) == (StatusCode.ABORTED, "enough", None)
    assert (call.requests, call.responses, call.first_response_after) == (1, 0, None)


def test_a_method_that_nobody_serves(front: FrontEnd) -> None:
    endings = Endings(front)
    rig = front.rig(unary_unary=ECHOES["unary_unary"], interceptors=[endings.interceptor])
    assert rig.call("stream_stream", [b"a"]).code == "UNIMPLEMENTED"
    call = endings.next()
    assert (call.code, call.context) == (StatusCode.UNIMPLEMENTED, None)
    assert call.request_streaming is None


def test_a_request_that_is_no_message(front: FrontEnd) -> None:
    def refuse(data: bytes) -> bytes:
        raise ValueError("not this")

    endings = Endings(front)
    rig = front.rig(**ECHOES, interceptors=[endings.interceptor, breaking(front, refuse)])
    assert rig.call("unary_unary", [b"a"]).code == "INTERNAL"
    call = endings.next()
    assert (call.code, call.requests, call.exception) == (StatusCode.INTERNAL, 1, None)


def breaking(front: FrontEnd, deserializer: Any) -> Any:
    """An interceptor of grpcio's kind that replaces the deserializer."""

    class Sync(front.library.root.ServerInterceptor):  # type: ignore[misc,name-defined]
        def intercept_service(self, continuation: Any, details: Any) -> Any:
            return continuation(details)._replace(request_deserializer=deserializer)

    class Aio(front.library.aio.ServerInterceptor):  # type: ignore[misc,name-defined]
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            return (await continuation(details))._replace(request_deserializer=deserializer)

    return Sync() if front.name == "sync" else Aio()


def test_a_client_that_cancels(front: FrontEnd) -> None:
    started = threading.Event()

    async def handler(call: ServerCall) -> None:
        await call.write(b"a")
        started.set()
        await call.until_cancelled(lambda: None)

    endings = Endings(front)
    log: list[str] = []
    rig = front.rig(
        unary_stream=handler, interceptors=[endings.interceptor, changing(front, b"1", log)]
    )
    call = rig.open("unary_stream", [b"x"])
    assert call.read() == b"a1"
    assert started.wait(LIMIT)
    call.cancel()
    ended = endings.next()
    assert ended.code is StatusCode.CANCELLED
    assert log == ["1 begins", "1 ends"]


def test_a_deadline(front: FrontEnd) -> None:
    async def handler(call: ServerCall) -> bytes:
        await call.until_cancelled(lambda: None)
        return b""

    endings = Endings(front)
    rig = front.rig(**{**ECHOES, "unary_unary": handler}, interceptors=[endings.interceptor])
    # There is a connection then, so that the call gets to the server in time.
    assert rig.call("stream_unary", [b"x"]).code == "OK"
    assert endings.next().code is StatusCode.OK
    assert rig.call("unary_unary", [b"x"], timeout=1).code == "DEADLINE_EXCEEDED"
    call = endings.next()
    # The client may be the first to notice, and reset the stream.
    assert call.code in (StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED)
    assert call.time_remaining() is not None


def test_a_call_whose_request_never_comes_ends(front: FrontEnd) -> None:
    if front.name == "aio":
        pytest.skip("asyncio servers ask interceptors when the request is there")
    endings = Endings(front)
    asked = threading.Event()

    class Asked(CallInterceptor):
        def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
            asked.set()
            return super().intercept_service(continuation, handler_call_details)

    rig = front.rig(**ECHOES, interceptors=[endings.interceptor, Asked()])
    # A stream of requests, as the client has it, of which none comes.
    call = rig.client.open("/test.Service/UnaryUnary", "stream_unary")
    assert asked.wait(LIMIT)
    call.cancel()
    ended = endings.next()
    assert (ended.code, ended.requests) == (StatusCode.CANCELLED, 0)


class Answering(CallInterceptor):
    def intercept(self, call: Any, requests: Any, proceed: Any) -> Any:
        yield b"mine"


class AioAnswering(AioCallInterceptor):
    async def intercept(self, call: Any, requests: Any, proceed: Any) -> Any:
        yield b"mine"


class Refusing(CallInterceptor):
    def intercept(self, call: Any, requests: Any, proceed: Any) -> Any:
        call.context.abort(StatusCode.PERMISSION_DENIED, "no")
        yield from ()


class AioRefusing(AioCallInterceptor):
    async def intercept(self, call: Any, requests: Any, proceed: Any) -> Any:
        await call.context.abort(StatusCode.PERMISSION_DENIED, "no")
        yield b""


class Retelling(CallInterceptor):
    def intercept(self, call: Any, requests: Any, proceed: Any) -> Any:
        try:
            yield from proceed(requests)
        except KeyError as error:
            call.context.abort(StatusCode.NOT_FOUND, f"there is no {error}")


class AioRetelling(AioCallInterceptor):
    async def intercept(self, call: Any, requests: Any, proceed: Any) -> Any:
        try:
            async for response in proceed(requests):
                yield response
        except KeyError as error:
            await call.context.abort(StatusCode.NOT_FOUND, f"there is no {error}")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_one_that_answers_refuses_or_retells(front: FrontEnd, pattern: str) -> None:
    async def handler(call: ServerCall) -> bytes:
        raise KeyError("x")

    kinds: Any = (Answering, Refusing, Retelling)
    if front.name == "aio":
        kinds = (AioAnswering, AioRefusing, AioRetelling)
    outcomes = [
        front.rig(**{pattern: handler}, interceptors=[kind()]).call(pattern, requests_of(pattern))
        for kind in kinds
    ]
    assert [(each.code, each.details, each.responses) for each in outcomes] == [
        ("OK", "", [b"mine"]),
        ("PERMISSION_DENIED", "no", []),
        ("NOT_FOUND", "there is no 'x'", []),
    ]


class Twice(CallInterceptor):
    def intercept(self, call: Any, requests: Any, proceed: Any) -> Any:
        yield b"one"
        yield b"two"


class AioTwice(AioCallInterceptor):
    async def intercept(self, call: Any, requests: Any, proceed: Any) -> Any:
        yield b"one"
        yield b"two"


class Nothing(CallInterceptor):
    def intercept(self, call: Any, requests: Any, proceed: Any) -> Any:
        return None


class AioNothing(AioCallInterceptor):
    async def intercept(self, call: Any, requests: Any, proceed: Any) -> Any:  # type: ignore[override]
        return None


class NoRequest(CallInterceptor):
    def intercept(self, call: Any, requests: Any, proceed: Any) -> Any:
        return proceed(iter(()))


class AioNoRequest(AioCallInterceptor):
    def intercept(self, call: Any, requests: Any, proceed: Any) -> Any:
        async def none() -> Any:
            for each in ():
                yield each

        return proceed(none())


@pytest.mark.parametrize(
    ("kind", "aio_kind", "text"),
    [
        (Twice, AioTwice, "Twice.intercept yields more than one response"),
        (Nothing, AioNothing, "Nothing.intercept "),
        (NoRequest, AioNoRequest, "made 0 requests of one"),
    ],
)
def test_one_that_is_wrong_is_told_so(
    front: FrontEnd, kind: Any, aio_kind: Any, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    interceptor = kind() if front.name == "sync" else aio_kind()
    rig = front.rig(unary_unary=ECHOES["unary_unary"], interceptors=[interceptor])
    assert rig.call("unary_unary", [b"a"]).code == "UNKNOWN"
    assert text in caplog.text


class BrokenEnd(CallInterceptor):
    def ended(self, call: Any) -> None:
        raise ValueError("broken end")


class AioBrokenEnd(AioCallInterceptor):
    async def ended(self, call: Any) -> None:
        raise ValueError("broken end")


def test_an_end_that_raises_is_logged_and_stops_nobody(
    front: FrontEnd, caplog: pytest.LogCaptureFixture
) -> None:
    endings = Endings(front)
    broken = BrokenEnd() if front.name == "sync" else AioBrokenEnd()
    # The innermost is told first.
    rig = front.rig(**ECHOES, interceptors=[endings.interceptor, broken])
    assert rig.call("unary_unary", [b"a"]).code == "OK"
    assert endings.next().code is StatusCode.OK
    assert "broken end" in caplog.text


class AioCancelledEnd(AioCallInterceptor):
    async def ended(self, call: Any) -> None:
        raise asyncio.CancelledError


def test_an_end_that_is_cancelled_stops_nobody(front: FrontEnd) -> None:
    if front.name == "sync":
        pytest.skip("cancelling is asyncio's")
    endings = Endings(front)
    rig = front.rig(**ECHOES, interceptors=[endings.interceptor, AioCancelledEnd()])
    assert rig.call("unary_unary", [b"a"]).code == "OK"
    assert endings.next().code is StatusCode.OK


class Raising(CallInterceptor):
    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        raise ValueError("a secret")


class AioRaising(AioCallInterceptor):
    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        raise ValueError("a secret")


def test_an_interceptor_that_raises_before_there_is_a_handler(
    front: FrontEnd, caplog: pytest.LogCaptureFixture
) -> None:
    endings = Endings(front)
    raising = Raising() if front.name == "sync" else AioRaising()
    rig = front.rig(**ECHOES, interceptors=[endings.interceptor, raising])
    outcome = rig.call("unary_unary", [b"a"])
    call = endings.next()
    assert (outcome.code, call.code) == ("UNKNOWN", StatusCode.UNKNOWN)
    assert "secret" not in outcome.details
    assert isinstance(call.exception, ValueError)
    assert call.peer in caplog.text


def test_another_server_is_told_that_it_does_not_work() -> None:
    with pytest.raises(RuntimeError, match="Clarion server"):
        Answering().intercept_service(lambda details: None, None)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="Clarion server"):
        asyncio.run(AioAnswering().intercept_service(lambda details: None, None))  # type: ignore[arg-type]


class Passing(CallInterceptor):
    def intercept(self, call: Any, requests: Any, proceed: Any) -> Any:
        return proceed(requests)


@pytest.mark.parametrize("around", [False, True])
def test_a_stream_that_goes_by_the_clock(loop: LoopThread, around: bool) -> None:
    front = FrontEnd(load("clarion"), "sync", loop)

    def stream(request: bytes, context: Any) -> SlowStream:
        return SlowStream(context, 0.01, lambda: b"x")

    endings = Endings(front)
    interceptors: list[Any] = [endings.interceptor, *([Passing()] if around else [])]
    rig = front.rig(interceptors=interceptors)
    handler = clarion.unary_stream_rpc_method_handler(stream)
    rig.server.raw.add_registered_method_handlers("test.Slow", {"Stream": handler})
    try:
        call = rig.client.open("/test.Slow/Stream", "unary_stream", [b""])
        assert [call.read(), call.read()] == [b"x", b"x"]
        assert endings.none_more()
        call.cancel()
        assert endings.next().code is StatusCode.CANCELLED
    finally:
        front.close()
