"""Sessions on the asyncio front end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from interop.program.library import Library, Received
from interop.program.messages import Method
from interop.program.session import Call, Outcome, Session, pairs

__all__ = ["AioSession"]


async def _outcome(call: Any) -> Outcome:
    initial, trailing = await call.initial_metadata(), await call.trailing_metadata()
    code, details = await call.code(), await call.details()
    return Outcome(code.name, details or "", pairs(initial), pairs(trailing))


class AioSession(Session):
    async def unary(
        self, method: Method, request: Any, **options: Any
    ) -> tuple[Received | None, Outcome]:
        call = self.callable(method)(request, **self.options(**options))
        response = None
        try:
            response = await call
        except self.library.root.RpcError:
            pass  # the outcome says it
        return response, await _outcome(call)

    async def open(self, method: Method, request: Any = None, **options: Any) -> Call:
        first = (request,) if method.pattern == "unary_stream" else ()
        call = self.callable(method)(*first, **self.options(**options))
        return _AioCall(self.library, call, single=method.pattern == "stream_unary")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def gather(self, work: Sequence[Callable[[], Awaitable[Any]]], workers: int) -> None:
        room = asyncio.Semaphore(workers)

        async def one(each: Callable[[], Awaitable[Any]]) -> None:
            async with room:
                await each()

        await asyncio.gather(*(one(each) for each in work))

    async def reconnect(self) -> None:
        await self.channel.close()
        self.channel = self._connect()

    async def close(self) -> None:
        await self.channel.close()


class _AioCall(Call):
    def __init__(self, library: Library, call: Any, *, single: bool) -> None:
        self._library = library
        self._call = call
        self._single = single

    async def send(self, message: Any) -> None:
        try:
            await self._call.write(message)
        except (self._library.root.RpcError, asyncio.InvalidStateError):
            pass  # the call has ended; its outcome says how

    async def done_sending(self) -> None:
        await self._call.done_writing()

    async def receive(self) -> Received | None:
        try:
            message = await (self._call if self._single else self._call.read())
        except self._library.root.RpcError:
            return None
        except asyncio.CancelledError:
            if self._call.cancelled():
                return None
            raise
        return None if message is self._library.aio.EOF else message

    async def cancel(self) -> None:
        self._call.cancel()

    async def finish(self) -> Outcome:
        return await _outcome(self._call)
