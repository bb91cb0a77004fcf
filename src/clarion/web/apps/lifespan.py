"""An ASGI application's start and end (the specification's lifespan protocol).

An application that raises before it has said anything of it does not know the protocol, and is served without.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from clarion.web.asgi_types import AsgiApp, Message

__all__ = ["Lifespan"]

_LOG = logging.getLogger(__name__)


class Lifespan:
    """The one task in which an application hears of it.

    Args:
        app: the application.
        stop_timeout: how long it may take to shut down, in seconds.

    Attributes:
        state: what the application keeps for its requests; None where it does not know the protocol.
    """

    def __init__(self, app: AsgiApp, stop_timeout: float) -> None:
        self._app = app
        self._stop_timeout = stop_timeout
        self.state: dict[str, Any] | None = None
        self._task: asyncio.Task[None] | None = None
        self._failure = ""

    async def start(self) -> None:
        """Tell the application that it starts, and wait until it has.

        Raises:
            RuntimeError: it says that it cannot.
        """
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._started = asyncio.Event()
        self._stopped = asyncio.Event()
        self._inbox.put_nowait({"type": "lifespan.startup"})
        state: dict[str, Any] = {}
        self._task = asyncio.get_running_loop().create_task(self._run(state))
        await self._started.wait()
        if self._failure:
            await asyncio.wait([self._task], timeout=self._stop_timeout)
            raise RuntimeError(f"the ASGI application did not start: {self._failure}")
        if not self._task.done():
            self.state = state

    async def stop(self) -> None:
        """Tell the application that it stops, and wait until it has, or for its time to be up."""
        task = self._task
        if task is None or task.done():
            return
        self._inbox.put_nowait({"type": "lifespan.shutdown"})
        try:
            async with asyncio.timeout(self._stop_timeout):
                await self._stopped.wait()
        except TimeoutError:
            _LOG.error(
                "the ASGI application did not shut down within %g s (app_stop_timeout)",
                self._stop_timeout,
            )
        # It has no more to say, and may wait for messages that never come.
        task.cancel()
        await asyncio.wait([task], timeout=self._stop_timeout)

    async def _run(self, state: dict[str, Any]) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": state,
        }
        try:
            await self._app(scope, self._inbox.get, self._send)
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            if self._started.is_set() and not self._failure:
                _LOG.error("the ASGI application failed in its lifespan", exc_info=error)
            else:
                _LOG.debug("the ASGI application takes no part in lifespan: %r", error)
        finally:
            self._started.set()
            self._stopped.set()

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete":
            self._started.set()
        elif kind == "lifespan.startup.failed":
            self._failure = message.get("message") or "it gave no reason"
            self._started.set()
        elif kind == "lifespan.shutdown.complete":
            self._stopped.set()
        elif kind == "lifespan.shutdown.failed":
            why = message.get("message") or "it gave no reason"
            _LOG.error("the ASGI application did not shut down well: %s", why)
            self._stopped.set()
        else:
            raise RuntimeError(f"a message of type {kind!r} has no place in a lifespan")
