"""An ASGI application's life, its place among others, and what it refuses."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import clarion
import clarion.aio
import clarion.errors
from clarion.asgi import Application, CorsPolicy, WebOptions
from clarion.web.asgi.scope import MalformedScope
from support.libraries import LIMIT

PROTO = "application/proto"
GRPC = {"http_version": "2", "extensions": {"http.response.trailers": {}}}
Serve = Callable[..., Any]
MakeRequest = Callable[..., Any]


def framed(*messages: bytes) -> bytes:
    return b"".join(b"\0" + len(message).to_bytes(4, "big") + message for message in messages)


async def echo(request: bytes, context: Any) -> bytes:
    return request


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """Some other application."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


class Lifespan:
    """A server's side of the protocol."""

    def __init__(self, app: Any, **scope: Any) -> None:
        self._to: asyncio.Queue[Any] = asyncio.Queue()
        self._from: asyncio.Queue[Any] = asyncio.Queue()
        self.scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}, **scope}
        self.task = asyncio.create_task(app(self.scope, self._to.get, self._from.put))

    async def say(self, what: str) -> str:
        """What the application answers."""
        self._to.put_nowait({"type": f"lifespan.{what}"})
        answer = await asyncio.wait_for(self._from.get(), LIMIT)
        kind: str = answer["type"]
        return kind

    async def end(self) -> None:
        await asyncio.wait_for(self.task, LIMIT)
        assert asyncio.all_tasks() == {asyncio.current_task()}


def test_lifespan(serve: Serve, make_request: MakeRequest) -> None:
    async def main() -> None:
        started, release = asyncio.Event(), asyncio.Event()

        async def wait(request: bytes, context: Any) -> bytes:
            started.set()
            await release.wait()
            return b"at last"

        app = serve(unary_unary=wait)
        assert repr(app) == "<clarion.asgi.Application: not started, 0 calls>"
        # Test clients do that again and again.
        for _ in range(2):
            started.clear()
            release.clear()
            lifespan = Lifespan(app)
            assert await lifespan.say("startup") == "lifespan.startup.complete"
            call = make_request(app, content_type=PROTO, body=b"").start()
            await asyncio.wait_for(started.wait(), LIMIT)
            assert repr(app) == "<clarion.asgi.Application: serving, 1 calls>"
            ending = asyncio.create_task(lifespan.say("shutdown"))
            await asyncio.sleep(0)
            # What is in progress may finish; nothing new is taken.
            late = await make_request(app, content_type=PROTO, body=b"").done()
            assert (late.status, late.body) == (
                503,
                b"the application has been stopped, and takes no more calls\n",
            )
            assert not ending.done()
            release.set()
            assert await ending == "lifespan.shutdown.complete"
            await call.done()
            assert call.body == b"at last"
            await lifespan.end()
        assert repr(app) == "<clarion.asgi.Application: stopped, 0 calls>"

    asyncio.run(main())


def test_calls_that_outlast_the_grace_are_cut_off(serve: Serve, make_request: MakeRequest) -> None:
    async def main() -> None:
        started = asyncio.Event()

        async def hang(request: bytes, context: Any) -> bytes:
            started.set()
            await asyncio.Event().wait()
            return b""

        async def much(request: bytes, context: Any) -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 100_000

        app = serve(unary_unary=hang, unary_stream=much, grace=0.01)
        lifespan = Lifespan(app)
        await lifespan.say("startup")
        call = make_request(app, body=framed(b"")).start()
        deaf = make_request(app, "UnaryStream", body=framed(b""))
        deaf.open.clear()
        deaf.start()
        await asyncio.wait_for(started.wait(), LIMIT)
        stopping = asyncio.create_task(lifespan.say("shutdown"))
        await call.done()
        assert call.outcome == ("14", "the server was stopped")
        deaf.open.set()
        await deaf.done()
        assert not deaf.complete
        assert await stopping == "lifespan.shutdown.complete"
        await lifespan.end()

    asyncio.run(main())


def test_an_application_that_is_mounted_starts_with_its_first_request(
    serve: Serve, make_request: MakeRequest
) -> None:
    app = serve(unary_unary=echo)

    async def main() -> None:
        call = await make_request(app, content_type=PROTO, body=b"some").done()
        assert call.body == b"some"

    # Test clients have a loop for each request.
    asyncio.run(main())
    asyncio.run(main())

    async def outer() -> None:
        async with app.lifespan(object()):
            await main()
        assert repr(app) == "<clarion.asgi.Application: stopped, 0 calls>"

    asyncio.run(outer())
    asyncio.run(outer())


def test_stop_before_anything(serve: Serve, make_request: MakeRequest) -> None:
    async def main() -> None:
        app = serve(unary_unary=echo)
        await app.stop(None)
        call = await make_request(app, content_type=PROTO, body=b"some").done()
        assert call.status == 503
        # gRPC may be sent to another server, because nobody acted on it.
        headers = {"te": "trailers"}
        kind = "application/grpc"
        call = await make_request(app, content_type=kind, body=b"", headers=headers, **GRPC).done()
        assert call.status == 503

    asyncio.run(main())


class Other:
    """An application beside the services that knows the lifespan protocol."""

    def __init__(self, *answers: str) -> None:
        self.seen: list[str] = []
        self._answers = list(answers)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await plain(scope, receive, send)
            return
        scope["state"]["other"] = True
        while self._answers:
            message = await receive()
            self.seen.append(message["type"])
            await send({"type": self._answers.pop(0), "message": "so it is"})


def test_lifespan_reaches_the_other_application(serve: Serve) -> None:
    async def main() -> None:
        other = Other("lifespan.startup.complete", "lifespan.shutdown.complete")
        lifespan = Lifespan(serve(otherwise=other))
        assert await lifespan.say("startup") == "lifespan.startup.complete"
        assert await lifespan.say("shutdown") == "lifespan.shutdown.complete"
        await lifespan.end()
        assert other.seen == ["lifespan.startup", "lifespan.shutdown"]
        assert lifespan.scope["state"] == {"other": True}
        # It cannot start.
        app = serve(otherwise=Other("lifespan.startup.failed"))
        lifespan = Lifespan(app)
        assert await lifespan.say("startup") == "lifespan.startup.failed"
        await lifespan.end()
        assert repr(app) == "<clarion.asgi.Application: not started, 0 calls>"
        # It cannot stop; and one that is over has no part in it.
        lifespan = Lifespan(
            serve(otherwise=Other("lifespan.startup.complete", "lifespan.shutdown.failed"))
        )
        await lifespan.say("startup")
        assert await lifespan.say("shutdown") == "lifespan.shutdown.failed"
        await lifespan.end()
        lifespan = Lifespan(serve(otherwise=Other("lifespan.startup.complete")))
        await lifespan.say("startup")
        assert await lifespan.say("shutdown") == "lifespan.shutdown.complete"
        await lifespan.end()

    asyncio.run(main())


def test_an_other_application_without_lifespan(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        lifespan = Lifespan(serve(otherwise=plain))
        assert await lifespan.say("startup") == "lifespan.startup.complete"
        assert await lifespan.say("shutdown") == "lifespan.shutdown.complete"
        await lifespan.end()

    asyncio.run(main())
    assert "the other application has no lifespan: AssertionError(" in caplog.text


def test_an_other_application_that_hangs_is_left(serve: Serve) -> None:
    async def stubborn(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed"})
        await asyncio.Event().wait()

    async def main() -> None:
        lifespan = Lifespan(serve(otherwise=stubborn))
        assert await lifespan.say("startup") == "lifespan.startup.failed"
        await lifespan.end()

    asyncio.run(main())


def test_what_is_no_call_is_the_other_applications(serve: Serve, make_request: MakeRequest) -> None:
    async def main() -> None:
        app = serve(unary_unary=echo, otherwise=plain)
        for ours in (
            {"content_type": PROTO, "body": b""},
            {"body": framed(b"")},
            {"method": "Nope", "body": framed(b"")},
            {"method": "Nope", "content_type": "application/grpc", "body": b""},
            # Also with what is wrong about it.
            {"content_type": "text/plain", "body": b""},
        ):
            call = await make_request(app, **ours).done()
            assert call.status != 299, ours
        for theirs in (
            {"method": "Nope", "content_type": "application/json", "body": b"{}"},
            {"path": "/page?", "content_type": "text/html"},
            {"path": "/a\nb", "content_type": "text/html"},
        ):
            call = await make_request(app, **theirs).done()
            assert (call.status, call.body) == (299, call.scope["path"].encode())
        seen = []

        async def websockets(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["type"])

        await serve(otherwise=websockets)({"type": "websocket"}, None, None)
        assert seen == ["websocket"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("root", "path", "served"),
    [
        ("", "/test.Service/UnaryUnary", True),
        ("/api", "/api/test.Service/UnaryUnary", True),
        ("/api/", "/api/test.Service/UnaryUnary", True),
        # Servers, and older frameworks, take it off, as ASGI once had it.
        ("/api", "/test.Service/UnaryUnary", True),
        ("/api", "/apitest.Service/UnaryUnary", False),
        ("/api", "/api", False),
        ("", "/test.Service/UnaryUnary?x", False),
        ("", "", False),
    ],
)
def test_paths(serve: Serve, make_request: MakeRequest, root: str, path: str, served: bool) -> None:
    async def main() -> None:
        app = serve(unary_unary=echo)
        for scope in ({}, GRPC):
            call = make_request(app, body=framed(b"a"), path=path, root_path=root, **scope)
            await call.done()
            assert (call.outcome[0] == "0") is served
            if not served:
                assert "Method not found!" in call.outcome[1]

    asyncio.run(main())


def test_websockets_are_closed(serve: Serve) -> None:
    async def main() -> None:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await serve()({"type": "websocket"}, receive, send)
        assert [message["type"] for message in sent] == ["websocket.close"]

    asyncio.run(main())


def test_scopes_that_break_asgi(serve: Serve, make_request: MakeRequest) -> None:
    async def main() -> None:
        app = serve(unary_unary=echo)
        for scope, kind in (({"type": "mail"}, "'mail'"), ({}, "None")):
            with pytest.raises(clarion.errors.LocalError, match=f"does not know .* type {kind}"):
                await app(scope, None, None)
        for wrong in (
            {"headers": [("text", "text")]},
            {"headers": [1]},
            {"path": 5},
            {"method": "PÖST"},
        ):
            call = make_request(app, body=b"")
            call.scope |= wrong
            with pytest.raises(MalformedScope, match="the ASGI scope of a request is malformed"):
                await call.done()

    asyncio.run(main())


def test_other_origins(serve: Serve, make_request: MakeRequest) -> None:
    origin = {"origin": "https://app.example"}
    wish = {**origin, "access-control-request-method": "POST"}

    async def main() -> None:
        app = serve(unary_unary=echo)
        call = await make_request(app, content_type=PROTO, body=b"", headers=origin).done()
        assert not [name for name in call.fields if name.startswith("access-control")]
        call = make_request(app, headers=wish)
        call.scope["method"] = "OPTIONS"
        assert (await call.done()).status == 403
        web = WebOptions(cors=CorsPolicy(origins=["https://app.example"]))
        app = serve(unary_unary=echo, options=[("clarion.web", web)])
        call = await make_request(app, content_type=PROTO, body=b"", headers=origin).done()
        assert call.fields["access-control-allow-origin"] == "https://app.example"
        call = make_request(app, headers=wish)
        call.scope["method"] = "OPTIONS"
        assert (await call.done()).status == 204
        assert call.fields["access-control-allow-methods"] == "GET, POST"
        assert "content-length" not in call.fields

    asyncio.run(main())


def test_get(serve: Serve, make_request: MakeRequest) -> None:
    async def main() -> None:
        app = serve(unary_unary=echo)
        query = b"connect=v1&encoding=proto&message=a"
        call = make_request(app, body=b"", query_string=query)
        call.scope["method"] = "GET"
        # Which methods may be called so their .proto file says, and this one has none.
        assert (await call.done()).status == 405
        assert call.fields["allow"] == "POST"

    asyncio.run(main())


def test_arguments_are_checked() -> None:
    for wrong, message in (
        ({"maximum_concurrent_rpcs": 0}, "maximum_concurrent_rpcs is 0"),
        ({"grace": -1}, "grace is -1"),
        ({"interceptors": [1]}, "must be ServerInterceptor"),
    ):
        with pytest.raises(ValueError, match=message):
            Application(**wrong)  # type: ignore[arg-type]
    with pytest.raises(clarion.errors.LocalError, match=re.escape("Application(otherwise=...)")):
        Application(options=[("clarion.web", WebOptions(http1=False, asgi=plain))])
    with pytest.raises(TypeError, match=re.escape("clarion.web takes a clarion.web.WebOptions")):
        Application(options=[("clarion.web", True)])
    app = Application()
    for add in (app.add_insecure_port, lambda address: app.add_secure_port(address, None)):  # type: ignore[arg-type]
        with pytest.raises(clarion.aio.UsageError, match="has no port of its own"):
            add("127.0.0.1:0")


def test_a_channel_from_within_the_process(serve: Serve, make_request: MakeRequest) -> None:
    async def main() -> None:
        app = serve(unary_unary=echo)
        async with app.lifespan():
            async with app.in_process_channel() as channel:
                call = channel.unary_unary("/test.Service/UnaryUnary")
                assert await call(b"some", timeout=LIMIT) == b"some"
                assert len(app.open_links) == 1
            counted = app.core.totals
            await make_request(app, content_type=PROTO, body=b"").done()
            await make_request(app, content_type="text/plain", body=b"").done()
            assert (counted.started, counted.failed) >= (2, 1)

    asyncio.run(main())


def test_services_of_clarions_own(serve: Serve, make_request: MakeRequest) -> None:
    pytest.importorskip("google.protobuf", reason="protobuf is not installed")
    from clarion import channelz, health, reflection

    async def main() -> None:
        app = serve(unary_unary=echo)
        health.add_service(app)
        reflection.add_service(app)
        channelz.add_service(app)
        call = make_request(app, content_type="application/json", body=b"{}")
        call.scope["path"] = "/grpc.health.v1.Health/Check"
        await call.done()
        assert call.body == b'{"status":"SERVING"}'
        call = make_request(app, content_type="application/json", body=b"{}")
        call.scope["path"] = "/grpc.channelz.v1.Channelz/GetServers"
        await call.done()
        assert b'"callsStarted"' in call.body

    asyncio.run(main())


def test_the_module_is_there_without_an_import_of_its_own() -> None:
    assert clarion.asgi.Application is Application
