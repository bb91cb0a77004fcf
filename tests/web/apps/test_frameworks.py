"""Frameworks as people use them, beside services: Starlette (ASGI) and Flask (WSGI), on both front ends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

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
