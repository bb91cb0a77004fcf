"""Handlers that many behaviour tests need."""

from __future__ import annotations

import threading
from typing import Any

from support.handlers import Handler, ServerCall
from support.libraries import LIMIT

__all__ = ["ECHOES", "Hang", "echo", "echo_each", "echo_thrice", "join"]


async def echo(call: ServerCall) -> Any:
    """unary_unary: the request."""
    return call.request


async def echo_thrice(call: ServerCall) -> None:
    """unary_stream: the request three times."""
    for _ in range(3):
        await call.write(call.request)


async def join(call: ServerCall) -> bytes:
    """stream_unary: all requests joined."""
    requests = []
    while (request := await call.read()) is not None:
        requests.append(request)
    return b"".join(requests)


async def echo_each(call: ServerCall) -> None:
    """stream_stream: each request as it comes."""
    while (request := await call.read()) is not None:
        await call.write(request)


ECHOES: dict[str, Handler] = {
    "unary_unary": echo,
    "unary_stream": echo_thrice,
    "stream_unary": join,
    "stream_stream": echo_each,
}


class Hang:
    """A handler, for any pattern, that never ends by itself and tells how far its calls are."""

    def __init__(self) -> None:
        self.started = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)

    async def __call__(self, call: ServerCall) -> bytes:
        self.started.release()
        await call.until_cancelled(self.ended.release)
        return b""

    def wait_started(self) -> None:
        assert self.started.acquire(timeout=LIMIT), "the handler never started"

    def wait_ended(self) -> None:
        assert self.ended.acquire(timeout=LIMIT), "the handler never learnt of the call's end"
