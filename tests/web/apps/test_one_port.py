"""An application beside services on one port: who gets which request, and that answers arrive whole, for both interfaces."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from clarion.web import CorsPolicy, WebOptions
from support.credentials import server_tls
from support.front_end import SERVICE, FrontEnd
from support.libraries import LIMIT
from support.simple import ECHOES
from support.web_clients import WebClient

Connect = Callable[..., WebClient]


def said(environ: dict[str, Any], body: bytes) -> bytes:
    """What both applications answer."""
    return json.dumps([environ["method"], environ["path"], environ["query"], len(body)]).encode()


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    body, more = b"", True
    while more:
        message = await receive()
        assert message["type"] == "http.request"
        body, more = body + message["body"], message["more_body"]
    answer = said(
        {
            "method": scope["method"],
            "path": scope["path"],
            "query": scope["query_string"].decode(),
        },
        body,
    )
    headers = [(b"Content-Type", b"application/json"), (b"x-site", b"asgi")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer[:5], "more_body": True})
    await send({"type": "http.response.body", "body": answer[5:]})


def wsgi_app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    answer = said(
        {
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"],
            "query": environ["QUERY_STRING"],
        },
        environ["wsgi.input"].read(),
    )
    start_response("200 OK", [("Content-Type", "application/json"), ("X-Site", "wsgi")])
    return [answer[:5], answer[5:]]


@pytest.fixture(params=["asgi", "wsgi"])
def site(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {request.param: {"asgi": asgi_app, "wsgi": wsgi_app}[request.param]}


def web(**options: Any) -> list[tuple[str, Any]]:
    return [("clarion.web", WebOptions(**options))]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_calls_and_pages_take_turns(
    front: FrontEnd, connect: Connect, site: dict[str, Any], tls: bool
) -> None:
    credentials = server_tls(front.library) if tls else None
    server = front.serve(ECHOES, options=web(**site), credentials=credentials)
    client = connect(server, tls=tls)
    for _ in range(3):
        answer = client.request("/a/b%20c?x=1&y=%20", {}, method="GET")
        assert (answer.status, answer["x-site"]) == (200, next(iter(site)))
        assert json.loads(answer.body) == ["GET", "/a/b c", "x=1&y=%20", 0]
        assert answer["date"].endswith("GMT")
        called = client.request(
            SERVICE + "UnaryUnary", {"content-type": "application/proto"}, b"hello"
        )
        assert (called.status, called.body) == (200, b"hello")
    answer = client.request("/", {"content-type": "application/json"}, [b"x" * 100_000] * 3)
    assert json.loads(answer.body) == ["POST", "/", "", 300_000]


def test_grpc_beside_it(front: FrontEnd, site: dict[str, Any]) -> None:
    rig = front.rig(**ECHOES, options=web(**site))
    assert rig.call("unary_unary", [b"hello"]).responses == [b"hello"]
    outcome = rig.client.call("/no.Such/Method", "unary_unary", [b""])
    assert outcome.code == "UNIMPLEMENTED"


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/no.Such/Method", JSON, "app"),
        ("POST", "/no.Such/Method", JSON | {"connect-protocol-version": "1"}, 404),
        ("POST", "/no.Such/Method", {"content-type": "application/grpc-web+proto"}, 200),
        ("POST", "/no.Such/Method", {"content-type": "application/connect+json"}, 200),
        ("POST", SERVICE + "UnaryUnary", {"content-type": "text/plain"}, 415),
        ("PUT", SERVICE + "UnaryUnary", JSON, 405),
        ("PUT", "/thing", JSON, "app"),
        ("DELETE", "/thing", {}, "app"),
        ("HEAD", SERVICE + "UnaryUnary", {}, 405),
        ("GET", SERVICE + "UnaryUnary?encoding=proto&message=", {}, 405),
        ("GET", "/page?encoding=utf-8&message=hello", {}, "app"),
        ("GET", "/page?encoding=json&message=%7B%7D&connect=v1", {}, 405),
        (
            "OPTIONS",
            "/page",
            {"origin": "https://one.example", "access-control-request-method": "POST"},
            "app",
        ),
        (
            "OPTIONS",
            SERVICE + "UnaryUnary",
            {"origin": "https://one.example", "access-control-request-method": "POST"},
            204,
        ),
    ],
)
def test_who_gets_what(
    front: FrontEnd,
    connect: Connect,
    method: str,
    path: str,
    headers: dict[str, str],
    status: int | str,
) -> None:
    server = front.serve(
        ECHOES, options=web(asgi=asgi_app, cors=CorsPolicy(["https://one.example"]))
    )
    client = connect(server)
    answer = client.request(path, headers | {"content-length": "0"}, method=method)
    if status == "app":
        assert (answer.status, answer["x-site"]) == (200, "asgi")
        assert json.loads(answer.body)[:2] == [method, path.partition("?")[0]]
        # What calls allow is nothing of the application's.
        assert not [name for name, _ in answer.fields if name.startswith("access-control")]
        assert answer.get("vary") is None
    else:
        assert answer.status == status
        assert answer.get("x-site") is None


def test_rules_are_asked_for_their_methods(front: FrontEnd, connect: Connect) -> None:
    server = front.serve(ECHOES, options=web(asgi=asgi_app))

    class Rule:
        def service(self, details: Any) -> Any:
            if details.method == "/rule/raises":
                raise ValueError("no")
            return None

    server.raw.add_generic_rpc_handlers((Rule(),))
    client = connect(server)
    assert client.request("/rule/other", JSON).status == 200
    # What cannot be metadata is still a header of the application's.
    assert client.request("/rule/other", JSON | {"x-bin": "!"}).status == 200
    # The call tells what went wrong.
    logging.disable(logging.ERROR)
    try:
        assert json.loads(client.request("/rule/raises", JSON).body)["code"] == "unknown"
    finally:
        logging.disable(logging.NOTSET)


def test_head_and_answers_without_a_body(front: FrontEnd, connect: Connect) -> None:
    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        status = int(scope["path"][1:])
        headers = [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"hello"})

    client = connect(front.serve({}, options=web(asgi=asgi)))
    for method, path, length in [
        ("HEAD", "/200", "5"),
        ("HEAD", "/404", "5"),
        ("GET", "/204", None),
        ("GET", "/304", "5"),
    ]:
        answer = client.request(path, {}, method=method)
        assert (answer.status, answer.body) == (int(path[1:]), b"")
        assert answer.get("content-length") == length
    assert client.request("/200", {}, method="GET").body == b"hello"


@pytest.mark.parametrize("path", ["/unknown", "/299", "/599"])
def test_statuses_without_a_name(front: FrontEnd, connect: Connect, path: str) -> None:
    def wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response(f"{environ['PATH_INFO'][1:]} Mine".replace("unknown", "499"), [])
        return [b"as you like"]

    answer = connect(front.serve({}, options=web(wsgi=wsgi))).request(path, {}, method="GET")
    assert (str(answer.status) in path or answer.status == 499) is True
    assert answer.body == b"as you like"
    assert answer["content-length"] == "11"


BAD_HEADERS: list[tuple[str, str]] = [
    ("x-bad", "one\r\nset-cookie: two=2"),
    ("x-bad\r\nx", "one"),
    ("x bad", "one"),
    ("x-bad", "zero\0"),
    ("content-length", "-1"),
    (":status", "200"),
]


@pytest.mark.parametrize("header", BAD_HEADERS)
def test_headers_that_cannot_be_sent(
    front: FrontEnd, connect: Connect, log: Any, header: tuple[str, str]
) -> None:
    name, value = header

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        headers = [(name.encode(), value.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})

    def wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [header])
        return [b"never"]

    options: dict[str, Any]
    for options in ({"asgi": asgi}, {"wsgi": wsgi}):
        client = connect(front.serve({}, options=web(**options)))
        answer = client.request("/", {}, method="GET")
        assert (answer.status, answer.body) == (500, b"Internal Server Error\n")
        assert answer.get("set-cookie") is None
        log.until("BadAnswer")
        # The connection is as good as before.
        assert client.request("/", {}, method="GET").status == 500
        log.until("BadAnswer")


def test_what_belongs_to_connections_is_dropped(front: FrontEnd, connect: Connect) -> None:
    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        headers = [
            (b"connection", b"keep-alive, x-mine"),
            (b"keep-alive", b"timeout=5"),
            (b"transfer-encoding", b"chunked"),
            (b"upgrade", b"h2c"),
            (b"x-kept", b" yes\t"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"hello"})

    client = connect(front.serve({}, options=web(asgi=asgi)))
    for _ in range(2):
        answer = client.request("/", {}, method="GET")
        assert answer.body == b"hello"
        assert [pair for pair in answer.fields if pair[0] != "date"] == [
            ("x-kept", "yes"),
            ("content-length", "5"),
        ]


@pytest.mark.parametrize("promise", [3, 9], ids=["more", "less"])
@pytest.mark.parametrize("pieces", [1, 2])
def test_a_length_that_is_not_kept_cuts_the_answer_off(
    front: FrontEnd,
    connect: Connect,
    log: Any,
    promise: int,
    pieces: int,
) -> None:
    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/fine":
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"fine"})
            return
        headers = [(b"content-length", b"%d" % promise)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if pieces == 2:
            await send({"type": "http.response.body", "body": b"h", "more_body": True})
            await send({"type": "http.response.body", "body": b"ello"})
        else:
            await send({"type": "http.response.body", "body": b"hello"})

    server = front.serve({}, options=web(asgi=asgi))
    client = connect(server)
    h11 = pytest.importorskip("h11", reason="h11 is not installed")
    if pieces == 1:
        # What has not begun can become an error.
        assert client.request("/", {}, method="GET").status == 500
    else:
        client.send_head("/", {}, method="GET")
        client.send_end()
        assert client.head()["content-length"] == str(promise)
        # As the client's library has it.
        with pytest.raises((AssertionError, h11.RemoteProtocolError)):
            list(client.pieces())
    log.until(f"than content-length={promise}")
    assert connect(server).request("/fine", {}, method="GET").body == b"fine"


def test_an_application_that_fails(front: FrontEnd, connect: Connect, log: Any) -> None:
    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/silent":
            return
        if scope["path"] == "/exit":
            raise SystemExit(3)
        raise ValueError("the secret")

    def wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/silent":
            return []
        if environ["PATH_INFO"] == "/exit":
            raise SystemExit(3)
        raise ValueError("the secret")

    options: dict[str, Any]
    for options in ({"asgi": asgi}, {"wsgi": wsgi}):
        client = connect(front.serve({}, options=web(**options)))
        for path in ("/raise", "/silent", "/exit", "/raise"):
            answer = client.request(path, {}, method="GET")
            assert (answer.status, answer.body) == (500, b"Internal Server Error\n")
            assert answer["content-type"] == "text/plain; charset=utf-8"
        for _ in range(2):
            log.until("ValueError: the secret")


def test_http_client_keeps_its_connection(front: FrontEnd, site: dict[str, Any]) -> None:
    server = front.serve(ECHOES, options=web(**site))
    connection = http.client.HTTPConnection("127.0.0.1", server.ports[0], timeout=LIMIT)
    connection.connect()
    sock = connection.sock
    for number in range(5):
        connection.request("POST", "/form", b"x" * number, {"Content-Type": "text/plain"})
        response = connection.getresponse()
        assert json.loads(response.read())[3] == number
        assert connection.sock is sock
    connection.close()


def test_requests_are_nobodys_calls(front: FrontEnd, connect: Connect) -> None:
    from clarion.channelz.counting import of_server

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("expected by the test")

    logging.disable(logging.ERROR)
    try:
        server = front.serve(ECHOES, options=web(asgi=asgi))
        client = connect(server)
        for _ in range(3):
            assert client.request("/", {}, method="GET").status == 500
        client.request(SERVICE + "UnaryUnary", {"content-type": "application/proto"}, b"x")
    finally:
        logging.disable(logging.NOTSET)
    counts = of_server(server.raw)
    assert (counts.started, counts.failed) == (1, 0)


def test_context_variables_stay_with_their_request(front: FrontEnd, connect: Connect) -> None:
    import contextvars

    seen: contextvars.ContextVar[int] = contextvars.ContextVar("seen", default=0)

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        before = seen.get()
        seen.set(before + 1)
        await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"%d" % before})

    client = connect(front.serve({}, options=web(asgi=asgi)))
    assert [client.request("/", {}, method="GET").body for _ in range(3)] == [b"0"] * 3
