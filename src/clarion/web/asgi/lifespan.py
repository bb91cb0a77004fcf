"""The lifespan protocol: an application starts and stops with its server, and so does the other application that it has."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from clarion.web.asgi_types import AsgiApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from clarion.web.asgi.application import Application

__all__ = ["Lifespan"]

_LOG = logging.getLogger(__name__)

_STARTED = "lifespan.startup.complete"
_NOT_STARTED = "lifespan.startup.failed"
_STOPPED = "lifespan.shutdown.complete"


class Lifespan:
    """One run of the protocol.

    Args:
        application: whose.
        otherwise: the application beside it, or None. It starts first, because services may use what it opens, and stops last.
        scope, receive, send: ASGI's.
    """

    def __init__(
        self,
        application: Application,
        otherwise: AsgiApp | None,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self._application = application
        self._receive = receive
        self._send = send
        self._other: _Other | None = None
        if otherwise is not None:
            self._other = _Other(otherwise, scope)

    async def run(self) -> None:
        """Serve it until the application has stopped, or failed to start."""
        other = self._other
        try:
            while True:
                kind = (await self._receive())["type"]
                if kind == "lifespan.startup":
                    failed = await other.ask({"type": kind}) if other is not None else None
                    if failed is not None and failed["type"] == _NOT_STARTED:
                        await self._send(failed)
                        return
                    await self._application.start()
                    await self._send({"type": _STARTED})
                elif kind == "lifespan.shutdown":
                    await self._application.stop(self._application.grace)
                    answer = await other.ask({"type": kind}) if other is not None else None
                    await self._send(answer or {"type": _STOPPED})
                    return
        finally:
            if other is not None:
                await other.end()


class _Other:
    """The other application's lifespan."""

    def __init__(self, app: AsgiApp, scope: Scope) -> None:
        self._to: asyncio.Queue[Message] = asyncio.Queue()
        self._from: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] = asyncio.create_task(self._run(app, scope))

    async def _run(self, app: AsgiApp, scope: Scope) -> None:
        await app(scope, self._to.get, self._from.put)

    async def ask(self, message: Message) -> Message | None:
        """What it answers; None if it does not know the protocol, or is done with it."""
        if self._task.done():
            return None
        self._to.put_nowait(message)
        answer = asyncio.create_task(self._from.get())
        try:
            await asyncio.wait([answer, self._task], return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
        finally:
            answer.cancel()
        # Servers take that for an application without the protocol, which Django's is; so it is taken here.
        if not self._task.cancelled() and self._task.exception() is not None:
            _LOG.info("the other application has no lifespan: %r", self._task.exception())
        return None

    async def end(self) -> None:
        """See that it is over."""
        if not self._task.done():
            # Having answered the last message, it has nothing to wait for.
            await asyncio.wait([self._task], timeout=1)
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()
