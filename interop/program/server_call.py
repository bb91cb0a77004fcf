"""A call as the service's handlers see it: written once, run by both front ends.

A handler is `async def handler(call)`. It returns the response where its method has one, and writes
with `await call.send(...)` where it has many. On the sync front end nothing suspends it but `send`,
which hands the message to the generator that the library iterates.
"""

from __future__ import annotations

import abc
import asyncio
import threading
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from typing import Any

from interop.program.library import Library, Received
from interop.program.messages import Method
from interop.program.session import Metadata, pairs
from interop.program.sync_session import run_to_end

__all__ = ["Handler", "ServerCall", "method_handler"]

Handler = Callable[["ServerCall"], Coroutine[Any, Any, Any]]


class ServerCall(abc.ABC):
    """One call. `requests` is the request, or the library's iterator of requests."""

    def __init__(self, library: Library, context: Any, requests: Any) -> None:
        self.library = library
        self.context = context
        self._requests = requests

    @property
    def metadata(self) -> Metadata:
        return pairs(self.context.invocation_metadata())

    @property
    def request(self) -> Received:
        """The request, where the method has one."""
        return self._requests

    def compress(self) -> None:
        """Compress responses from now on. Before the first one, or it has no effect."""
        self.context.set_compression(self.library.root.Compression.Gzip)

    def send_next_plain(self) -> None:
        """Leave the next response as it is."""
        self.context.disable_next_message_compression()

    def set_trailing(self, metadata: Metadata) -> None:
        self.context.set_trailing_metadata(tuple(metadata))

    @abc.abstractmethod
    def requests(self) -> AsyncIterator[Received]:
        """The requests, where the method has many."""

    @abc.abstractmethod
    def send(self, message: Any) -> Awaitable[None]: ...

    @abc.abstractmethod
    async def send_initial(self, metadata: Metadata) -> None: ...

    @abc.abstractmethod
    async def abort(self, code: int, details: str) -> None:
        """End the call with a status, by its number; does not return."""

    @abc.abstractmethod
    async def pause(self, seconds: float) -> bool:
        """Wait; return whether the call is still wanted."""

    def status(self, code: int) -> Any:
        return next(each for each in self.library.root.StatusCode if each.value[0] == code)


class _SyncServerCall(ServerCall):
    def __init__(self, library: Library, context: Any, requests: Any) -> None:
        super().__init__(library, context, requests)
        self._over: threading.Event | None = None

    async def requests(self) -> AsyncIterator[Received]:
        for request in self._requests:
            yield request

    @types.coroutine
    def send(self, message: Any) -> Generator[Any, None, None]:
        yield message

    async def send_initial(self, metadata: Metadata) -> None:
        self.context.send_initial_metadata(tuple(metadata))

    async def abort(self, code: int, details: str) -> None:
        self.context.abort(self.status(code), details)

    async def pause(self, seconds: float) -> bool:
        if self._over is None:
            self._over = threading.Event()
            if not self.context.add_callback(self._over.set):
                return False
        return not self._over.wait(seconds)


class _AioServerCall(ServerCall):
    async def requests(self) -> AsyncIterator[Received]:
        async for request in self._requests:
            yield request

    async def send(self, message: Any) -> None:
        await self.context.write(message)

    async def send_initial(self, metadata: Metadata) -> None:
        await self.context.send_initial_metadata(tuple(metadata))

    async def abort(self, code: int, details: str) -> None:
        await self.context.abort(self.status(code), details)

    async def pause(self, seconds: float) -> bool:
        await asyncio.sleep(seconds)  # cancelled with the call
        return True


def method_handler(library: Library, method: Method, handler: Handler, *, aio: bool) -> Any:
    """The library's handler object of a method."""

    def unary(requests: Any, context: Any) -> Any:
        return run_to_end(handler(_SyncServerCall(library, context, requests)))

    def stream(requests: Any, context: Any) -> Iterator[Any]:
        yield from handler(_SyncServerCall(library, context, requests)).__await__()

    async def asynchronous(requests: Any, context: Any) -> Any:
        return await handler(_AioServerCall(library, context, requests))

    behaviour = asynchronous if aio else stream if method.pattern.endswith("stream") else unary
    return getattr(library.root, f"{method.pattern}_rpc_method_handler")(
        behaviour,
        request_deserializer=library.deserializer(method.request, serving=True),
        response_serializer=library.serializer(),
    )
