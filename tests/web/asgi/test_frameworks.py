"""Services mounted in applications of Starlette, FastAPI and Django, and the other way round."""

from __future__ import annotations

import asyncio
import json
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

PROTO = "application/proto"
Serve = Callable[..., Any]
MakeRequest = Callable[..., Any]


async def echo(request: bytes, context: Any) -> bytes:
    return request


async def _get(make_request: MakeRequest, app: Any, path: str) -> Any:
    call = make_request(app, body=b"", content_type="text/plain", path=path)
    call.scope["method"] = "GET"
    return await call.done()


@pytest.mark.parametrize("prefix", ["", "/rpc"])
def test_starlette(serve: Serve, make_request: MakeRequest, prefix: str) -> None:
    pytest.importorskip("starlette", reason="starlette is not installed")
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route

    async def page(request: Any) -> Any:
        return PlainTextResponse("a page")

    async def main() -> None:
        services = serve(unary_unary=echo)
        routes = [Route("/page", page), Mount(prefix or "/", services)]
        app = Starlette(routes=routes, lifespan=services.lifespan)
        assert (await _get(make_request, app, "/page")).body == b"a page"
        path = f"{prefix}/test.Service/UnaryUnary"
        call = await make_request(app, content_type=PROTO, body=b"some", path=path).done()
        assert (call.status, call.body) == (200, b"some")
        # The other way round.
        app = serve(unary_unary=echo, otherwise=Starlette(routes=routes[:1]))
        assert (await _get(make_request, app, "/page")).body == b"a page"
        assert (await _get(make_request, app, "/nothing")).status == 404
        call = await make_request(app, content_type=PROTO, body=b"some").done()
        assert (call.status, call.body) == (200, b"some")

    asyncio.run(main())


def test_middleware_of_starlette(serve: Serve, make_request: MakeRequest) -> None:
    pytest.importorskip("starlette", reason="starlette is not installed")
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.routing import Mount

    class Stamp(BaseHTTPMiddleware):
        async def dispatch(self, request: Any, call_next: Any) -> Any:
            response = await call_next(request)
            response.headers["x-stamp"] = "stamped"
            return response

    async def main() -> None:
        services = serve(unary_unary=echo)
        app = Starlette(routes=[Mount("/", services)], middleware=[Middleware(Stamp)])
        call = await make_request(app, content_type=PROTO, body=b"some").done()
        assert (call.body, call.fields["x-stamp"]) == (b"some", "stamped")
        assert services.links == {}

    asyncio.run(main())


def test_the_test_client_of_starlette(serve: Serve) -> None:
    pytest.importorskip("starlette", reason="starlette is not installed")
    pytest.importorskip("httpx2", reason="httpx2 is not installed (starlette's test client)")
    from starlette.testclient import TestClient

    services = serve(unary_unary=echo)
    path = "/test.Service/UnaryUnary"
    headers = {"content-type": PROTO}
    for _ in range(2):
        with TestClient(services) as client:
            for _ in range(2):
                answer = client.post(path, content=b"some", headers=headers)
                assert (answer.status_code, answer.content) == (200, b"some")


def test_fastapi(serve: Serve, make_request: MakeRequest) -> None:
    pytest.importorskip("fastapi", reason="fastapi is not installed")
    from fastapi import FastAPI

    async def main() -> None:
        services = serve(unary_unary=echo)
        app = FastAPI(lifespan=services.lifespan)

        @app.get("/health")
        async def health() -> dict[str, bool]:
            return {"well": True}

        app.mount("/", services)
        assert json.loads((await _get(make_request, app, "/health")).body) == {"well": True}
        call = await make_request(app, content_type=PROTO, body=b"some").done()
        assert (call.status, call.body) == (200, b"some")

    asyncio.run(main())


def test_django(serve: Serve, make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    django = pytest.importorskip("django", reason="django is not installed")
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import HttpResponse
    from django.urls import path

    urls = types.ModuleType("test_urls")
    setattr(urls, "urlpatterns", [path("page", lambda request: HttpResponse("a page"))])  # noqa: B010
    monkeypatch.setitem(sys.modules, "test_urls", urls)
    if not settings.configured:
        settings.configure(ROOT_URLCONF="test_urls", ALLOWED_HOSTS=["*"], SECRET_KEY="of a test")
        django.setup()

    async def main() -> None:
        app = serve(unary_unary=echo, otherwise=get_asgi_application())
        assert (await _get(make_request, app, "/page")).body == b"a page"
        call = await make_request(app, content_type=PROTO, body=b"some").done()
        assert (call.status, call.body) == (200, b"some")

    asyncio.run(main())
