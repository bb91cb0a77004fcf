"""ASGI in memory: requests to an application, with everything that it sends, and does not receive."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any

import pytest

import clarion
from clarion.asgi import Application
from support.libraries import LIMIT

SERVICE = "/test.Service/"
TRAILERS = {"http.response.trailers": {}}
WEB = "application/grpc-web+proto"


def framed(*messages: bytes) -> bytes:
    return b"".join(struct.pack(">BI", 0, len(message)) + message for message in messages)


class Request:
    """One request. `body` is all of it; None: the test gives it piece by piece."""

    def __init__(
        self,
        app: Any,
        method: str = "UnaryUnary",
        content_type: str = WEB,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        **scope: Any,
    ) -> None:
        fields = {"host": "app.example", "content-type": content_type, **(headers or {})}
        self.scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": SERVICE + method,
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
            "client": ["192.0.2.1", 4711],
            "server": ["127.0.0.1", 80],
        } | scope
        self._app = app
        self.sent: list[dict[str, Any]] = []
        self.asked = 0
        """How many messages were received, or are waited for."""
        self.open = asyncio.Event()
        """While it is not set, the server takes nothing."""
        self.open.set()
        self._to: asyncio.Queue[Any] = asyncio.Queue()
        self._news = asyncio.Condition()
        self.task: Any = None
        if body is not None:
            self.give(body, more=False)

    def give(self, body: bytes, *, more: bool = True) -> None:
        self._to.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def leave(self) -> None:
        self._to.put_nowait({"type": "http.disconnect"})

    def give_error(self, error: BaseException) -> None:
        self._to.put_nowait(error)

    async def _receive(self) -> Any:
        self.asked += 1
        await self._tell()
        message = await self._to.get()
        if isinstance(message, BaseException):
            raise message
        return message

    async def _send(self, message: Any) -> None:
        await self.open.wait()
        self.sent.append(dict(message))
        await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def until(self, reached: Callable[[], bool]) -> None:
        async with self._news:
            await asyncio.wait_for(self._news.wait_for(reached), LIMIT)

    def start(self) -> Request:
        self.task = asyncio.create_task(self._app(self.scope, self._receive, self._send))
        return self

    async def done(self) -> Request:
        """Waits until the application has returned; raises what it raised."""
        if self.task is None:
            self.start()
        await asyncio.wait_for(asyncio.shield(self.task), LIMIT)
        return self

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def fields(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(m["body"] for m in self.sent if m["type"] == "http.response.body")

    @property
    def trailers(self) -> dict[str, str]:
        assert self.sent[-1]["type"] == "http.response.trailers"
        return {name.decode(): value.decode() for name, value in self.sent[-1]["headers"]}

    @property
    def complete(self) -> bool:
        return any(not m.get("more_body", True) for m in self.sent)

    @property
    def outcome(self) -> tuple[str, str]:
        """Status and message of gRPC-Web's answer, wherever they are."""
        fields = self.fields
        if "grpc-status" not in fields:
            body = self.body
            while body[0] != 0x80:
                body = body[5 + int.from_bytes(body[1:5], "big") :]
            lines = body[5:].decode().split("\r\n")[:-1]
            fields = {line.partition(":")[0]: line.partition(":")[2] for line in lines}
        return fields["grpc-status"], fields.get("grpc-message", "")


@pytest.fixture
def make_request() -> type[Request]:
    return Request


@pytest.fixture
def serve() -> Callable[..., Application]:
    """An application with handlers by pattern, as the arguments name them; the rest goes to it."""

    def make(**arguments: Any) -> Application:
        kinds = {
            "unary_unary": clarion.unary_unary_rpc_method_handler,
            "unary_stream": clarion.unary_stream_rpc_method_handler,
            "stream_unary": clarion.stream_unary_rpc_method_handler,
            "stream_stream": clarion.stream_stream_rpc_method_handler,
        }
        handlers = {
            pattern.title().replace("_", ""): kind(arguments.pop(pattern))
            for pattern, kind in kinds.items()
            if pattern in arguments
        }
        app = Application(**arguments)
        app.add_registered_method_handlers("test.Service", handlers)
        return app

    return make
