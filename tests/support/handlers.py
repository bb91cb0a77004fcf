"""Server handlers written once, run by the sync and by the asyncio front end.

A handler is `async def handler(call: ServerCall)`. It returns the response when the method has one
response and writes with `await call.write(...)` when it has many. On the sync front end nothing that
a handler awaits suspends it, except `write`, which hands the message to the generator that the
library iterates; so back-pressure and cancellation reach it as they reach a hand-written generator.
"""

from __future__ import annotations

import abc
import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from dataclasses import dataclass
from typing import Any

from support.libraries import LIMIT, Library, Metadata, pairs

__all__ = ["Handler", "Method", "ServerCall", "aio_handler", "sync_handler"]


class ServerCall(abc.ABC):
    """One RPC as a handler sees it. `context` is the library's own servicer context."""

    def __init__(self, library: Library, context: Any, request: Any) -> None:
        self.library = library
        self.context = context
        self.request = request
        """The request, or the library's request iterator when the method has many."""

    @property
    def metadata(self) -> Metadata:
        return pairs(self.context.invocation_metadata())

    def fail(self, code: str, details: str) -> None:
        """Sets the status the RPC ends with, without leaving the handler."""
        self.context.set_code(self.library.status(code))
        self.context.set_details(details)

    @abc.abstractmethod
    async def read(self) -> Any:
        """The next request, or None after the client's end."""

    @abc.abstractmethod
    async def write(self, message: Any) -> None: ...

    @abc.abstractmethod
    async def send_initial_metadata(self, metadata: Metadata) -> None: ...

    @abc.abstractmethod
    async def abort(self, code: str, details: str) -> None: ...

    @abc.abstractmethod
    async def wait(self, event: threading.Event) -> None:
        """Until another thread sets `event`."""

    @abc.abstractmethod
    async def until_cancelled(self, then: Callable[[], None]) -> None:
        """Waits until the RPC has ended without this handler's doing, and calls `then`."""


Handler = Callable[[ServerCall], Coroutine[Any, Any, Any]]
Codec = Callable[[Any], Any]


@dataclass(frozen=True)
class Method:
    """One method of a service: its pattern, handler and, if not bytes, its codec."""

    pattern: str
    handler: Handler
    deserializer: Codec | None = None
    serializer: Codec | None = None


class _Emit:
    """Awaiting it gives `message` to whoever drives the coroutine."""

    def __init__(self, message: Any) -> None:
        self._message = message

    def __await__(self) -> Generator[Any, None, None]:
        yield self._message


class _SyncCall(ServerCall):
    async def read(self) -> Any:
        return next(self.request, None)

    async def write(self, message: Any) -> None:
        await _Emit(message)

    async def send_initial_metadata(self, metadata: Metadata) -> None:
        self.context.send_initial_metadata(tuple(metadata))

    async def abort(self, code: str, details: str) -> None:
        self.context.abort(self.library.status(code), details)

    async def wait(self, event: threading.Event) -> None:
        assert event.wait(LIMIT), "the test never let the handler go on"

    async def until_cancelled(self, then: Callable[[], None]) -> None:
        ended = threading.Event()
        if self.context.add_callback(ended.set):
            assert ended.wait(LIMIT), "the RPC never ended"
        then()


class _AioCall(ServerCall):
    async def read(self) -> Any:
        requests: AsyncIterator[Any] = self.request.__aiter__()
        try:
            return await requests.__anext__()
        except StopAsyncIteration:
            return None

    async def write(self, message: Any) -> None:
        await self.context.write(message)

    async def send_initial_metadata(self, metadata: Metadata) -> None:
        await self.context.send_initial_metadata(tuple(metadata))

    async def abort(self, code: str, details: str) -> None:
        await self.context.abort(self.library.status(code), details)

    async def wait(self, event: threading.Event) -> None:
        # A poll, because a thread that waits for the event would outlive a cancelled handler.
        give_up = time.monotonic() + LIMIT
        while not event.is_set():
            assert time.monotonic() < give_up, "the test never let the handler go on"
            await asyncio.sleep(0.002)

    async def until_cancelled(self, then: Callable[[], None]) -> None:
        try:
            await asyncio.wait_for(asyncio.get_running_loop().create_future(), LIMIT)
        except asyncio.CancelledError:
            then()
            raise


def _finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise AssertionError("a handler with one response has to return it, not write it")


def _stream(coroutine: Coroutine[Any, Any, Any]) -> Iterator[Any]:
    try:
        while True:
            try:
                message = coroutine.send(None)
            except StopIteration:
                return
            yield message
    finally:
        coroutine.close()


def _wrap(library: Library, method: Method, behaviour: Callable[..., Any]) -> Any:
    factory = getattr(library.root, f"{method.pattern}_rpc_method_handler")
    return factory(
        behaviour,
        request_deserializer=method.deserializer,
        response_serializer=method.serializer,
    )


def sync_handler(library: Library, method: Method) -> Any:
    """The library's method handler for `method` on its sync server."""
    drive = _stream if method.pattern.endswith("stream") else _finish

    def behaviour(request: Any, context: Any) -> Any:
        return drive(method.handler(_SyncCall(library, context, request)))

    return _wrap(library, method, behaviour)


def aio_handler(library: Library, method: Method) -> Any:
    """The library's method handler for `method` on its asyncio server."""

    async def behaviour(request: Any, context: Any) -> Any:
        result: Awaitable[Any] = method.handler(_AioCall(library, context, request))
        return await result

    return _wrap(library, method, behaviour)
