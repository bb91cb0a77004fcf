"""A server that echoes and channels to it, for tests of the asyncio front end's interceptors.

Such a test is an `async def` that runs on the suite's event loop: mark it with `on_the_loop`.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from support.echo import camel
from support.libraries import LIMIT, PATTERNS, Library
from support.loops import LoopThread

__all__ = ["PATH", "AioRig", "expected", "kind", "on_the_loop", "requests", "proceed", "tagging"]

PATH = "/test.Echo/"
Intercept = Callable[[Any, Any, Any], Awaitable[Any]]


def on_the_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test with a fixture `rig` on the rig's loop."""

    @functools.wraps(test)
    def run(rig: AioRig, **fixtures: Any) -> None:
        async def limited() -> None:
            await asyncio.wait_for(test(rig, **fixtures), LIMIT)

        rig.loop.run(limited)

    return run


class AioRig:
    """A server that echoes for each pattern, and channels to it.

    Attributes:
        grpc, aio: the library's modules.
        gate: calls with the request `hang` say so by `hanging` and wait for it.
        handlers: by method name.
    """

    def __init__(self, library: Library, loop: LoopThread) -> None:
        self.library = library
        self.grpc = library.root
        self.aio = library.aio
        self.loop = loop
        self.gate = asyncio.Event()
        self.hanging = asyncio.Semaphore(0)
        self.cut_off = asyncio.Semaphore(0)
        self.handlers = self._handlers()
        self._channels: list[Any] = []
        self._servers: list[Any] = []
        self.target = ""

    async def serve(self, *interceptors: Any, **options: Any) -> Any:
        server = self.aio.server(interceptors=interceptors, **options)
        service = self.grpc.method_handlers_generic_handler("test.Echo", self.handlers)
        server.add_generic_rpc_handlers((service,))
        self.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        self._servers.append(server)
        await server.start()
        return server

    def connect(self, *interceptors: Any) -> Any:
        channel = self.aio.insecure_channel(self.target, interceptors=interceptors)
        self._channels.append(channel)
        return channel

    async def close(self) -> None:
        self.gate.set()
        for channel in self._channels:
            await channel.close()
        for server in self._servers:
            await server.stop(None)

    def interceptor(self, pattern: str, intercept: Intercept, *more: str) -> Any:
        """A client interceptor of this kind, and of `more` kinds, that runs a function."""

        async def entry(self: Any, continuation: Any, details: Any, request: Any) -> Any:
            return await intercept(continuation, details, request)

        kinds = (pattern, *more)
        bases = tuple(getattr(self.aio, f"{camel(each)}ClientInterceptor") for each in kinds)
        return type("Interceptor", bases, {f"intercept_{each}": entry for each in kinds})()

    def server_interceptor(self, intercept: Callable[[Any, Any], Awaitable[Any]]) -> Any:
        class Interceptor(self.aio.ServerInterceptor):  # type: ignore[misc]
            async def intercept_service(self, continuation: Any, details: Any) -> Any:
                return await intercept(continuation, details)

        return Interceptor()

    def open(self, channel: Any, pattern: str, *given: bytes, **options: Any) -> Any:
        """Start a call, of the method named `method` if that is not the pattern's."""
        path = PATH + options.pop("method", pattern)
        callable_ = getattr(channel, pattern)(path)
        options.setdefault("timeout", LIMIT)
        if pattern.startswith("stream"):
            return callable_(requests(*given) if given else None, **options)
        return callable_(*given, **options)

    async def finish(self, call: Any, pattern: str) -> list[bytes]:
        """All responses."""
        if pattern.endswith("stream"):
            return [response async for response in call]
        return [await call]

    async def invoke(
        self, channel: Any, pattern: str, *given: bytes, **options: Any
    ) -> list[bytes]:
        return await self.finish(self.open(channel, pattern, *given, **options), pattern)

    def _handlers(self) -> dict[str, Any]:
        async def begin(context: Any) -> None:
            tags = [value for key, value in context.invocation_metadata() if key == "tag"]
            remaining = context.time_remaining()
            time = "none" if remaining is None else "more" if remaining > 2 * LIMIT else "less"
            context.set_trailing_metadata((("side", "server"), ("time", time)))
            await context.send_initial_metadata((("seen", ",".join(tags)),))

        async def check(request: bytes, context: Any) -> None:
            if request == b"fail":
                await context.abort(self.grpc.StatusCode.NOT_FOUND, "nothing here")
            if request == b"hang":
                self.hanging.release()
                try:
                    await self.gate.wait()
                except asyncio.CancelledError:
                    self.cut_off.release()
                    raise

        async def one(request: bytes, context: Any) -> bytes:
            await begin(context)
            await check(request, context)
            return request

        async def many(request: bytes, context: Any) -> AsyncIterator[bytes]:
            await begin(context)
            for _ in range(3):
                yield request
            await check(request, context)

        async def join(given: Any, context: Any) -> bytes:
            return await one(b"".join([request async for request in given]), context)

        async def each(given: Any, context: Any) -> AsyncIterator[bytes]:
            await begin(context)
            async for request in given:
                await check(request, context)
                yield request

        behaviors: tuple[Callable[..., Any], ...] = (one, many, join, each)
        return {
            pattern: getattr(self.grpc, f"{pattern}_rpc_method_handler")(behavior)
            for pattern, behavior in zip(PATTERNS, behaviors, strict=True)
        }


def kind(aio: Any, pattern: str) -> Any:
    """The class of the pattern's calls."""
    return getattr(aio, f"{camel(pattern)}Call")


async def requests(*given: bytes) -> AsyncIterator[bytes]:
    for request in given:
        yield request


def expected(pattern: str) -> list[bytes]:
    """What comes back for `x`."""
    return [b"x", b"x", b"x"] if pattern == "unary_stream" else [b"x"]


async def proceed(continuation: Any, details: Any, request: Any) -> Any:
    return await continuation(details, request)


def tagging(rig: AioRig, pattern: str, tag: str) -> Any:
    """Adds a metadata entry `tag`, which the server lists in the order of arrival."""

    async def intercept(continuation: Any, details: Any, request: Any) -> Any:
        details.metadata.add("tag", tag)
        return await continuation(details, request)

    return rig.interceptor(pattern, intercept)
