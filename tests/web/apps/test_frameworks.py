"""Frameworks as people use them, beside services: Starlette (ASGI) and Flask (WSGI), on both front ends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from support.libraries import LIMIT
from support.web_clients import WebClient

Connect = Callable[..., WebClient]


def test_starlette(sites: Any, connect: Connect) -> None:
    starlette = pytest.importorskip("starlette", reason="Starlette is not installed")
    assert starlette
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
    from starlette.routing import Route

    async def echo(request: Request) -> JSONResponse:
        said = await request.json()
        return JSONResponse({"said": said, "query": request.query_params["q"]}, 201)

    def in_a_thread(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{request.url} {request.state.word}")

    async def count(request: Request) -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(3):
                yield b"%d\n" % number

        return StreamingResponse(pieces())

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        yield {"word": "kept"}

    routes = [
        Route("/echo", echo, methods=["POST"]),
        Route("/thread", in_a_thread),
        Route("/count", count),
    ]
    client = connect(sites.asgi(Starlette(routes=routes, lifespan=lifespan)))
    answer = client.request(
        "/echo?q=a%20b", {"content-type": "application/json"}, b'{"hello": "world"}'
    )
    assert answer.status == 201
    assert json.loads(answer.body) == {"said": {"hello": "world"}, "query": "a b"}
    assert client.request("/thread", {}, method="GET").body == b"http://localhost/thread kept"
    assert client.request("/count", {}, method="GET").body == b"0\n1\n2\n"
    assert client.request("/echo", {}, method="GET").status == 405
    assert client.request("/nowhere", {}, method="GET").status == 404


def test_flask(sites: Any, connect: Connect) -> None:
    pytest.importorskip("flask", reason="Flask is not installed")
    from flask import Flask, request

    app = Flask("site")

    @app.post("/form")
    def form() -> dict[str, Any]:
        return {"name": request.form["name"], "host": request.host, "url": request.url}

    @app.get("/count")
    def count() -> Any:
        def pieces() -> Iterator[str]:
            for number in range(3):
                yield f"{number}\n"

        return pieces(), {"content-type": "text/plain"}

    client = connect(sites.wsgi(app))
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = client.request("/form", headers, b"name=B%C3%B6b")
    assert json.loads(answer.body) == {
        "name": "Böb",
        "host": "localhost",
        "url": "http://localhost/form",
    }
    assert client.request("/count", {}, method="GET").body == b"0\n1\n2\n"
    assert client.request("/nowhere", {}, method="GET").status == 404


WEBSOCKETS = ["starlette", "fastapi"]


def _starlette_with_websockets() -> Any:
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute
    from starlette.websockets import WebSocket, WebSocketDisconnect

    async def chat(websocket: WebSocket) -> None:
        if websocket.headers.get("origin") != "https://app.example":
            await websocket.close()
            return
        await websocket.accept(subprotocol="chat.v1")
        try:
            while True:
                said = await websocket.receive_json()
                await websocket.send_json({"heard": said, "by": websocket.path_params["name"]})
        except WebSocketDisconnect as gone:
            chat.codes.append(gone.code)  # type: ignore[attr-defined]

    chat.codes = []  # type: ignore[attr-defined]
    return Starlette(routes=[WebSocketRoute("/chat/{name}", chat)])


def _fastapi_with_websockets() -> Any:
    import fastapi

    app = fastapi.FastAPI()

    # FastAPI reads annotations, which this module's are not by then.
    async def chat(websocket: Any, name: str) -> None:
        if websocket.headers.get("origin") != "https://app.example":
            raise fastapi.WebSocketException(code=1008)
        await websocket.accept(subprotocol="chat.v1")
        async for said in websocket.iter_json():
            await websocket.send_json({"heard": said, "by": name})

    chat.__annotations__.update(websocket=fastapi.WebSocket, name=str)
    app.websocket("/chat/{name}")(chat)
    return app


@pytest.mark.parametrize("framework", WEBSOCKETS)
def test_websockets(sites: Any, framework: str) -> None:
    pytest.importorskip(framework, reason=f"{framework} is not installed")
    pytest.importorskip("wsproto", reason="wsproto is not installed")
    client = pytest.importorskip("websockets.sync.client", reason="websockets is not installed")
    from websockets.exceptions import InvalidStatus

    app = _starlette_with_websockets() if framework == "starlette" else _fastapi_with_websockets()
    server = sites.asgi(app)
    url = f"ws://127.0.0.1:{server.ports[0]}/chat"
    options = {"origin": "https://app.example", "subprotocols": ["chat.v2", "chat.v1"]}
    with client.connect(f"{url}/bob", **options) as websocket:
        assert websocket.subprotocol == "chat.v1"
        for said in ("hello", {"long": "x" * 100_000}):
            websocket.send(json.dumps(said))
            assert json.loads(websocket.recv(LIMIT)) == {"heard": said, "by": "bob"}
        assert websocket.ping().wait(LIMIT)
    with pytest.raises(InvalidStatus) as caught:
        client.connect(f"{url}/bob", origin="https://evil.example").__enter__()
    assert caught.value.response.status_code == 403
    with pytest.raises(InvalidStatus):
        client.connect(f"ws://127.0.0.1:{server.ports[0]}/nowhere").__enter__()
