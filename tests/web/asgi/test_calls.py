"""Calls through an ASGI application: what comes in any pieces, what goes, and how it ends."""

from __future__ import annotations

import asyncio
import base64
import contextvars
import gzip
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import clarion
from clarion.call_tracing import ServerCallTracer, ServerTracing
from support.libraries import LIMIT

PROTO = "application/proto"
WEB = "application/grpc-web+proto"
GRPC = {"http_version": "2", "extensions": {"http.response.trailers": {}}}
Serve = Callable[..., Any]
MakeRequest = Callable[..., Any]


def framed(*messages: bytes) -> bytes:
    return b"".join(b"\0" + len(message).to_bytes(4, "big") + message for message in messages)


OK = b"\x80\0\0\0\x0fgrpc-status:0\r\n"


async def echo(request: bytes, context: Any) -> bytes:
    return request


async def echo_each(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


def test_protocols(serve: Serve, make_request: MakeRequest) -> None:
    async def main() -> None:
        app = serve(unary_unary=echo, stream_stream=echo_each)
        call = await make_request(app, body=framed(b"some")).done()
        assert (call.status, call.fields["content-type"]) == (200, WEB)
        assert call.body == framed(b"some") + OK
        assert [message["type"] for message in call.sent] == [
            "http.response.start",
            "http.response.body",
        ]
        text = base64.b64encode(framed(b"some"))
        call = await make_request(app, content_type="application/grpc-web-text", body=text).done()
        first, last = base64.b64encode(framed(b"some")), base64.b64encode(OK)
        assert call.body == first + last
        call = await make_request(app, content_type=PROTO, body=b"some").done()
        assert (call.status, call.body) == (200, b"some")
        assert call.fields["content-length"] == "4"
        call = await make_request(app, "Nope", PROTO, b"some").done()
        assert b'"unimplemented"' in call.body
        kind = "application/connect+proto"
        call = await make_request(app, "StreamStream", kind, framed(b"a", b"")).done()
        assert call.body == framed(b"a", b"") + b"\2\0\0\0\2{}"

    asyncio.run(main())


def test_grpc_needs_trailers_and_uses_them(serve: Serve, make_request: MakeRequest) -> None:
    async def refuse(request: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("why", "not"),))
        await context.abort(clarion.StatusCode.NOT_FOUND, "nothing of that name")
        raise AssertionError("abort raises")

    async def main() -> None:
        app = serve(unary_unary=echo, stream_stream=echo_each, stream_unary=refuse)
        grpc = {"content_type": "application/grpc", "headers": {"te": "trailers"}}
        call = await make_request(app, body=framed(b"some"), **grpc, **GRPC).done()
        assert (call.status, call.body) == (200, framed(b"some"))
        assert call.sent[0]["trailers"] is True
        assert call.trailers == {"grpc-status": "0"}
        call = await make_request(
            app, "StreamStream", body=framed(b"a", b"b"), **grpc, **GRPC
        ).done()
        assert (call.body, call.trailers) == (framed(b"a", b"b"), {"grpc-status": "0"})
        call = await make_request(app, "StreamUnary", body=framed(b"a"), **grpc, **GRPC).done()
        # HTTP/2 would have it all in one header list; ASGI cannot say that such a list is the end.
        assert "grpc-status" not in call.fields
        assert call.fields["content-type"] == "application/grpc"
        assert call.trailers == {
            "grpc-status": "5",
            "grpc-message": "nothing of that name",
            "why": "not",
        }
        # What is no gRPC is served there, too.
        call = await make_request(app, body=framed(b"some"), **GRPC).done()
        assert call.body == framed(b"some") + OK
        assert "trailers" not in call.sent[0]
        call = await make_request(app, content_type="text/plain", body=b"", **GRPC).done()
        assert call.status == 415
        # And without trailers gRPC is told why not, as far as it can be told.
        call = await make_request(app, body=framed(b"some"), http_version="2", **grpc).done()
        assert (call.status, call.body, call.fields["grpc-status"]) == (501, b"", "12")
        assert "http.response.trailers" in call.fields["grpc-message"]
        for version in ("1.0", "1.1"):
            call = make_request(app, body=framed(b"some"), http_version=version, **grpc)
            await call.done()
            assert call.status == 505
            assert b"gRPC needs HTTP/2" in call.body

    asyncio.run(main())


def test_bodies_may_be_cut_anywhere(serve: Serve, make_request: MakeRequest) -> None:
    async def main() -> None:
        app = serve(unary_unary=echo, stream_stream=echo_each)
        for method, messages in (("UnaryUnary", (b"some",)), ("StreamStream", (b"ab", b"", b"c"))):
            body = framed(*messages)
            for scope in ({}, GRPC):
                call = make_request(app, method, **scope)
                for at in range(len(body)):
                    call.give(body[at : at + 1])
                    call.give(b"")
                call.give(b"", more=False)
                await call.done()
                assert call.body == body + OK
        # ASGI lets both be left out.
        call = make_request(app, body=None, content_type=PROTO)
        call._to.put_nowait({"type": "http.request"})
        await call.done()
        assert (call.status, call.body) == (200, b"")

    asyncio.run(main())


def test_the_head_goes_out_before_the_first_message(
    serve: Serve, make_request: MakeRequest
) -> None:
    async def greet(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        await context.send_initial_metadata((("hello", "there"),))
        async for request in requests:
            yield request

    async def main() -> None:
        app = serve(stream_stream=greet)
        call = make_request(app, "StreamStream").start()
        # Some servers wait with the head for a piece of the body.
        await call.until(lambda: len(call.sent) == 2)
        assert call.fields["hello"] == "there"
        assert call.sent[1] == {"type": "http.response.body", "body": b"", "more_body": True}
        call.give(framed(b"a"))
        await call.until(lambda: len(call.sent) == 3)
        assert call.sent[2]["body"] == framed(b"a")
        call.give(b"", more=False)
        await call.done()
        assert call.body == framed(b"a") + OK

    asyncio.run(main())


@pytest.mark.parametrize("scope", [{}, {"http_version": "2"}, GRPC])
def test_a_client_that_goes_away_cancels_its_call(
    serve: Serve, make_request: MakeRequest, scope: dict[str, Any]
) -> None:
    ends: list[str] = []

    class Tracer(ServerCallTracer):
        def ended(self, code: Any, details: str, *arguments: Any, **rest: Any) -> None:
            ends.append(code.name)

    class Tracing(ServerTracing):
        def call(self, start: Any) -> ServerCallTracer:
            return Tracer()

    async def main() -> None:
        events: asyncio.Queue[str] = asyncio.Queue()

        async def hang(request: bytes, context: Any) -> bytes:
            context.add_done_callback(lambda _: events.put_nowait("done"))
            events.put_nowait("started")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                assert context.cancelled()
                events.put_nowait("cancelled")
                raise
            return b""

        app = serve(unary_unary=hang, options=[("clarion.server_call_tracing", Tracing())])
        call = make_request(app, body=framed(b""), **scope).start()
        assert await asyncio.wait_for(events.get(), LIMIT) == "started"
        call.leave()
        await call.done()
        assert [await asyncio.wait_for(events.get(), LIMIT) for _ in range(2)] == [
            "cancelled",
            "done",
        ]
        assert call.sent == []
        assert app.core.active == 0
        assert app.links == {}

    asyncio.run(main())
    assert ends == ["CANCELLED" if scope else "UNAVAILABLE"]


def test_an_application_that_is_cancelled_cancels_its_call(
    serve: Serve, make_request: MakeRequest
) -> None:
    async def main() -> None:
        started, ended = asyncio.Event(), asyncio.Event()

        async def hang(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            started.set()
            try:
                async for request in requests:
                    yield request
            finally:
                ended.set()

        app = serve(stream_stream=hang)
        call = make_request(app, "StreamStream").start()
        await asyncio.wait_for(started.wait(), LIMIT)
        call.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call.task
        await asyncio.wait_for(ended.wait(), LIMIT)
        assert app.links == {}
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


@pytest.mark.parametrize("error", [OSError("gone"), ValueError("a defect of the server's")])
def test_a_server_that_cannot_send(
    serve: Serve, make_request: MakeRequest, error: Exception
) -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def endless(request: bytes, context: Any) -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x"
                    await asyncio.sleep(0)
            finally:
                ended.set()

        app = serve(unary_stream=endless)
        call = make_request(app, "UnaryStream", body=framed(b""))

        async def refuse(message: Any) -> None:
            raise error

        call._send = refuse
        if isinstance(error, OSError):
            # That is how ASGI says that the client is gone.
            await call.done()
        else:
            with pytest.raises(ValueError, match="a defect"):
                await call.done()
        await asyncio.wait_for(ended.wait(), LIMIT)
        assert app.core.active == 0

    asyncio.run(main())


@pytest.mark.parametrize("what", ["error", "nonsense", "too much"])
def test_a_server_that_cannot_receive(serve: Serve, make_request: MakeRequest, what: str) -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def read(requests: AsyncIterator[bytes], context: Any) -> bytes:
            try:
                async for _ in requests:
                    pass
                await asyncio.Event().wait()
            finally:
                ended.set()
            return b""

        app = serve(stream_unary=read)
        call = make_request(app, "StreamUnary")
        call.give(framed(b"a"))
        if what == "error":
            call.give_error(RuntimeError("it broke"))
        elif what == "nonsense":
            call._to.put_nowait({"type": "http.nonsense"})
        else:
            call.give(b"", more=False)
            call.give(b"", more=False)
        with pytest.raises((RuntimeError, clarion.errors.LocalError), match=r"it broke|no place"):
            await call.done()
        await asyncio.wait_for(ended.wait(), LIMIT)
        assert app.core.active == 0

    import clarion.errors

    asyncio.run(main())


def test_receiving_that_somebody_else_cancels(serve: Serve, make_request: MakeRequest) -> None:
    """Middleware has its tasks, whose cancellation may come out of `receive`."""

    async def main() -> None:
        ended = asyncio.Event()

        async def read(requests: AsyncIterator[bytes], context: Any) -> bytes:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return b""

        app = serve(stream_unary=read)
        call = make_request(app, "StreamUnary")
        call.give(framed(b"a"))
        call.give_error(asyncio.CancelledError())
        await call.done()
        await asyncio.wait_for(ended.wait(), LIMIT)
        assert call.sent == []
        assert app.core.active == 0

    asyncio.run(main())


def test_requests_that_nobody_reads_are_not_received(
    serve: Serve, make_request: MakeRequest
) -> None:
    piece = framed(b"x" * 65_531)

    async def main() -> None:
        read = asyncio.Event()

        async def rest(requests: AsyncIterator[bytes], context: Any) -> bytes:
            await read.wait()
            return b"%d" % len([request async for request in requests])

        app = serve(stream_unary=rest)
        window = app.core.options.http2.initial_window
        most = window // len(piece)
        call = make_request(app, "StreamUnary")
        for _ in range(4 * most):
            call.give(piece)
        call.give(b"", more=False)
        call.start()
        # The first one is not held back, and the one that is too much was received.
        await call.until(lambda: call.asked == most + 2)
        for _ in range(100):
            await asyncio.sleep(0)
        assert call.asked == most + 2
        read.set()
        await call.done()
        assert call.body == framed(b"%d" % (4 * most)) + OK

    asyncio.run(main())


@pytest.mark.parametrize(("kind", "scope"), [("web", {}), ("web", GRPC), ("grpc", GRPC)])
def test_a_server_that_takes_nothing_holds_the_handler_up(
    serve: Serve, make_request: MakeRequest, scope: dict[str, Any], kind: str
) -> None:
    async def main() -> None:
        written = 0
        size = 100_000

        async def much(request: bytes, context: Any) -> None:
            nonlocal written
            for _ in range(20):
                await context.write(b"x" * size)
                written += 1

        app = serve(unary_stream=much)
        limit = app.core.options.http2.send_buffer
        rest: dict[str, Any] = {}
        if kind == "grpc":
            rest = {"content_type": "application/grpc", "headers": {"te": "trailers"}}
        call = make_request(app, "UnaryStream", body=framed(b""), **rest, **scope)
        call.open.clear()
        call.start()
        for _ in range(200):
            await asyncio.sleep(0)
        assert 0 < written <= 2 * limit // size + 1
        call.open.set()
        await call.done()
        assert written == 20
        assert call.body.count(b"x") == 20 * size
        assert max(len(message.get("body", b"")) for message in call.sent) <= limit + 20
        if kind == "grpc":
            assert call.trailers == {"grpc-status": "0"}
        else:
            assert call.body.endswith(OK)

    asyncio.run(main())


def test_a_large_answer_goes_in_pieces(serve: Serve, make_request: MakeRequest) -> None:
    async def main() -> None:
        app = serve(unary_unary=echo)
        big = b"x" * 1_000_000
        call = await make_request(app, content_type=PROTO, body=big).done()
        assert (call.body, call.fields["content-length"]) == (big, "1000000")
        assert len(call.sent) > 3
        call = await make_request(app, body=framed(big)).done()
        assert call.body == framed(big) + OK
        grpc = {"content_type": "application/grpc", "headers": {"te": "trailers"}}
        call = await make_request(app, body=framed(big), **grpc, **GRPC).done()
        assert (call.body, call.trailers) == (framed(big), {"grpc-status": "0"})
        # The client goes away in the middle.
        call = make_request(app, body=framed(big))
        call.open.clear()
        call.start()
        await call.until(lambda: call.asked == 2)
        for _ in range(20):
            await asyncio.sleep(0)
        call.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call.task
        assert (app.core.active, app.links) == (0, {})

    asyncio.run(main())


def test_deadlines(serve: Serve, make_request: MakeRequest) -> None:
    async def main() -> None:
        left: list[Any] = []

        async def hang(request: bytes, context: Any) -> bytes:
            left.append(context.time_remaining())
            await asyncio.Event().wait()
            return b""

        app = serve(unary_unary=hang)
        call = make_request(app, body=framed(b""), headers={"grpc-timeout": "50m"})
        await call.done()
        assert call.outcome == ("4", "Deadline Exceeded")
        assert 0 <= left[0] <= 0.05
        call = make_request(app, content_type=PROTO, body=b"", headers={"connect-timeout-ms": "50"})
        await call.done()
        assert (call.status, b"deadline_exceeded" in call.body) == (504, True)
        # The request is never complete.
        call = make_request(app, headers={"grpc-timeout": "50m"})
        call.give(b"\0")
        await call.done()
        assert call.outcome == ("4", "Deadline Exceeded")
        assert app.core.active == 0

    asyncio.run(main())


@pytest.mark.parametrize("scope", [{}, GRPC])
def test_a_status_that_would_wait_cuts_the_answer_off(
    serve: Serve, make_request: MakeRequest, scope: dict[str, Any]
) -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def much(request: bytes, context: Any) -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"x" * 100_000
            finally:
                ended.set()

        app = serve(unary_stream=much)
        timeout = {"grpc-timeout": "100m"}
        call = make_request(app, "UnaryStream", body=framed(b""), headers=timeout, **scope)
        call.open.clear()
        call.start()
        await asyncio.wait_for(ended.wait(), LIMIT)
        call.open.set()
        await call.done()
        # The server sees an answer that ends before its end, and says so to the client in its way.
        assert not call.complete
        assert app.core.active == 0

    asyncio.run(main())


def test_an_answer_before_the_end_of_the_request(serve: Serve, make_request: MakeRequest) -> None:
    async def hasty(requests: AsyncIterator[bytes], context: Any) -> bytes:
        return b"enough"

    async def main() -> None:
        app = serve(stream_unary=hasty, unary_unary=echo)
        for scope in ({}, GRPC):
            # A client that sends nothing more gets it all the same.
            call = make_request(app, "StreamUnary", **scope)
            call.give(framed(b"a"))
            await call.done()
            assert call.body == framed(b"enough") + OK
        for method, kind in (("StreamUnary", WEB), ("UnaryUnary", "text/plain")):
            # Servers drop connections on which more comes than was answered, so it is received.
            call = make_request(app, method, kind).start()
            for _ in range(3):
                call.give(b"x" * 100)
            call.give(b"", more=False)
            await call.done()
            assert call.asked == 4
            # Up to a limit.
            call = make_request(app, method, kind).start()
            for _ in range(100):
                call.give(b"x" * 100_000)
            await call.done()
            assert 40 < call.asked < 50
        # Who asks before it sends is not told to send what is not wanted.
        call = make_request(app, content_type="text/plain", headers={"expect": "100-continue"})
        await call.done()
        assert (call.status, call.asked) == (415, 0)

    asyncio.run(main())


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_only_the_end_of_an_answer_waits_for_its_request(
    serve: Serve, make_request: MakeRequest, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clarion.web.asgi.link._MOMENT", LIMIT)

    async def hasty(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        yield await anext(requests)

    async def refuses(requests: AsyncIterator[bytes], context: Any) -> bytes:
        await context.abort(clarion.StatusCode.ABORTED, "no")
        return b""

    async def main() -> None:
        app = serve(stream_stream=hasty, stream_unary=refuses)
        for scope in ({"http_version": version}, GRPC):
            # The client ends its request when it has the answer.
            call = make_request(app, "StreamStream", **scope).start()
            call.give(framed(b"a"))
            if version == "2" or scope is GRPC:
                await call.until(lambda call=call: framed(b"a") in call.body)
            assert not call.complete
            call.give(b"", more=False)
            await call.done()
            assert call.complete
            assert call.body.startswith(framed(b"a"))
        # A head that is all of an answer goes with its end.
        te = {"te": "trailers"}
        call = make_request(app, "StreamUnary", "application/grpc", headers=te, **GRPC).start()
        await call.until(lambda: call.asked == 1)
        assert call.sent == []
        call.give(b"", more=False)
        await call.done()
        assert call.trailers["grpc-status"] == "10"

    asyncio.run(main())


def test_a_server_that_sends_when_all_is_received(serve: Serve, make_request: MakeRequest) -> None:
    async def hasty(requests: AsyncIterator[bytes], context: Any) -> bytes:
        return b"enough"

    async def main() -> None:
        app = serve(stream_unary=hasty)
        call = make_request(app, "StreamUnary")
        send, receive = call._send, call._receive

        async def full(message: Any) -> None:
            # hypercorn has a queue for what comes, and behind it one for what goes.
            if not message.get("more_body", True):
                await call.until(lambda: call.asked > 60)
            await send(message)

        for _ in range(60):
            call.give(b"x" * 100_000)
        call.task = asyncio.create_task(app(call.scope, receive, full))
        await call.done()
        assert call.body == framed(b"enough") + OK

    asyncio.run(main())


def test_an_answer_while_receiving_is_held_back(serve: Serve, make_request: MakeRequest) -> None:
    async def hasty(requests: AsyncIterator[bytes], context: Any) -> bytes:
        await go_on.wait()
        return b"enough"

    go_on = asyncio.Event()

    async def main() -> None:
        app = serve(stream_unary=hasty)
        call = make_request(app, "StreamUnary").start()
        for _ in range(30):
            call.give(framed(b"x" * 100_000))
        call.give(b"", more=False)
        await call.until(lambda: call.asked > 9)
        (link,) = app.links
        assert link.connection.held
        go_on.set()
        await call.done()
        assert call.asked == 31
        assert call.body == framed(b"enough") + OK

    asyncio.run(main())


def test_a_client_that_goes_away_while_an_answer_waits_for_it(
    serve: Serve, make_request: MakeRequest
) -> None:
    async def main() -> None:
        app = serve(unary_unary=echo)
        call = make_request(app, content_type="text/plain").start()
        call.leave()
        await call.done()
        assert (call.sent, app.links) == ([], {})

    asyncio.run(main())


def test_what_the_handler_knows(serve: Serve, make_request: MakeRequest) -> None:
    seen: dict[str, Any] = {}

    async def look(request: bytes, context: Any) -> bytes:
        seen.update(
            peer=context.peer(),
            metadata=dict(context.invocation_metadata()),
            left=context.time_remaining(),
            auth=context.auth_context(),
            identities=context.peer_identities(),
            key=context.peer_identity_key(),
        )
        return b""

    async def main() -> None:
        app = serve(unary_unary=look)
        headers = {
            "x-color": "blue",
            "data-bin": "AAE",
            "connection": "keep-alive, x-hop",
            "x-hop": "1",
            "keep-alive": "5",
            "te": "gzip",
            "user-agent": "tests",
        }
        call = make_request(app, body=framed(b""), headers=headers)
        await call.done()
        assert call.outcome == ("0", "")
        assert seen["peer"] == "ipv4:192.0.2.1:4711"
        assert seen["metadata"] == {"x-color": "blue", "data-bin": b"\0\1", "user-agent": "tests"}
        assert seen["left"] is None
        assert seen["auth"]["transport_security_type"] == [b"insecure"]
        assert (seen["identities"], seen["key"]) == (None, None)

    asyncio.run(main())


_REQUEST_ID: contextvars.ContextVar[str] = contextvars.ContextVar("request_id")


def test_handlers_see_what_middleware_has_set(serve: Serve, make_request: MakeRequest) -> None:
    async def look(request: bytes, context: Any) -> bytes:
        return _REQUEST_ID.get("nothing").encode()

    async def look_each(requests: AsyncIterator[bytes], context: Any) -> bytes:
        return _REQUEST_ID.get("nothing").encode()

    async def main() -> None:
        app = serve(unary_unary=look, stream_unary=look_each)

        async def middleware(scope: Any, receive: Any, send: Any) -> None:
            _REQUEST_ID.set(scope["id"])
            await app(scope, receive, send)

        for method in ("UnaryUnary", "StreamUnary"):
            for number in ("one", "two"):
                call = make_request(middleware, method, body=framed(b""), id=number)
                await call.done()
                assert call.body == framed(number.encode()) + OK

    asyncio.run(main())


def test_plain_functions_run_on_threads(serve: Serve, make_request: MakeRequest) -> None:
    here = threading.get_ident()

    def plain(request: bytes, context: Any) -> bytes:
        assert threading.get_ident() != here
        context.set_trailing_metadata((("by", "thread"),))
        return request

    def many(requests: Any, context: Any) -> Any:
        assert threading.get_ident() != here
        yield from requests

    async def main() -> None:
        app = serve(unary_unary=plain, stream_stream=many)
        call = await make_request(app, content_type=PROTO, body=b"some").done()
        assert (call.body, call.fields["trailer-by"]) == (b"some", "thread")
        call = await make_request(app, "StreamStream", body=framed(b"a", b"b")).done()
        assert call.body == framed(b"a", b"b") + OK

    asyncio.run(main())


def test_interceptors_and_compression(serve: Serve, make_request: MakeRequest) -> None:
    seen: list[str] = []

    class Note(clarion.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            seen.append(details.method)
            return await continuation(details)

    async def main() -> None:
        app = serve(unary_unary=echo, interceptors=[Note()], compression=clarion.Compression.Gzip)
        long = b"a" * 1000
        headers = {"accept-encoding": "gzip"}
        call = await make_request(app, content_type=PROTO, body=long, headers=headers).done()
        assert call.fields["content-encoding"] == "gzip"
        assert gzip.decompress(call.body) == long
        assert seen == ["/test.Service/UnaryUnary"]

    asyncio.run(main())


def test_limits(serve: Serve, make_request: MakeRequest) -> None:
    async def main() -> None:
        release = asyncio.Event()

        async def wait(request: bytes, context: Any) -> bytes:
            await release.wait()
            return b""

        options = [("grpc.max_receive_message_length", 10), ("grpc.max_metadata_size", 20_000)]
        app = serve(unary_unary=wait, maximum_concurrent_rpcs=1, options=options)
        call = await make_request(app, body=framed(b"x" * 11)).done()
        assert call.outcome[0] == "8"
        assert "larger than max (11 vs. 10)" in call.outcome[1]
        call = await make_request(app, content_type=PROTO, body=b"x" * 11).done()
        assert call.status == 429
        for scope in ({}, {"http_version": "2"}, GRPC):
            headers = {"x-long": "x" * 20_000}
            call = await make_request(app, body=framed(b""), headers=headers, **scope).done()
            assert call.outcome[0] == "8"
            assert "metadata" in call.outcome[1]
        first = make_request(app, body=framed(b"")).start()
        await first.until(lambda: first.asked == 2)
        call = await make_request(app, body=framed(b"")).done()
        assert call.outcome[0] == "8"
        assert "maximum_concurrent_rpcs=1" in call.outcome[1]
        release.set()
        await first.done()
        assert first.outcome == ("0", "")

    asyncio.run(main())


def test_requests_that_http_forbids(serve: Serve, make_request: MakeRequest) -> None:
    async def main() -> None:
        app = serve(unary_unary=echo)
        for wrong in (
            {"path": "/test.Service/Unary\nUnary"},
            {"headers": {"content-length": "many"}},
            {"headers": {"x-y": "a\rb"}},
        ):
            for scope in ({}, GRPC):
                call = await make_request(app, body=framed(b""), **wrong, **scope).done()
                assert call.status == 400
                assert call.fields["content-type"].startswith("text/plain")
        assert app.core.active == 0

    asyncio.run(main())
