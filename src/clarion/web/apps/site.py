"""The application of one server: what its requests, its start and its end go to, for both front ends and both interfaces.

ASGI on the asyncio server    tasks on its event loop
ASGI on the sync server       tasks on an event loop of a thread of its own, from the server's start to its stop
WSGI on either                threads of its own
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from clarion.web.apps.door import Door
from clarion.web.apps.exchange import ClientGone, Exchange
from clarion.web.apps.wsgi import WsgiRunner
from clarion.web.errors import HttpRefusal

if TYPE_CHECKING:
    from clarion.web.options import WebOptions
    from clarion.web.serving.request import WebRequest
    from clarion.web.serving.stream import WebStream

__all__ = ["Site", "make_site"]

T = TypeVar("T")

# How often a thread looks whether the loop that it waits for is there at all, in seconds.
_LOOK = 1.0
# What requests for a WebSocket have, and no others.
_WEBSOCKET = b"sec-websocket-key"


class Site:
    """What all four kinds share.

    Args:
        options: the server's option `clarion.web`.
    """

    kind: type[Exchange] = Exchange

    def __init__(self, options: WebOptions) -> None:
        self.options = options

    def door(self, server: Any, link: Any) -> Door:
        """The way here, for the requests of a connection."""
        return Door(self, server.core, link)

    def exchange(
        self, stream: WebStream, request: WebRequest, link: Any, is_http1: bool
    ) -> Exchange:
        """A request that is the application's."""
        exchange = self.kind(stream, request, link, self.options, is_http1=is_http1)
        if _WEBSOCKET in request.values:
            exchange.refusal = HttpRefusal(501, "WebSocket is not served on this port")
        return exchange

    def begin(self, exchange: Exchange) -> None:
        """Have a request served; where the connection may be touched."""
        raise NotImplementedError


class _LoopExchange(Exchange):
    """An exchange of an asyncio server whose application runs on a thread."""

    def do(self, function: Callable[..., T], *arguments: Any) -> T:
        future: Future[T] = Future()
        work = partial(super().do, function, *arguments)
        loop = self.link.loop
        try:
            loop.call_soon_threadsafe(_settle, future, work)
        except RuntimeError:
            raise ClientGone("the server's event loop is closed") from None
        try:
            while True:
                try:
                    return future.result(_LOOK)
                except TimeoutError:
                    if loop.is_closed():
                        raise ClientGone("the server's event loop is closed") from None
        finally:
            # An error's traceback has this frame, which would keep the error.
            del future


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    try:
        result = work()
    except BaseException as error:
        future.set_exception(error)
        # See above.
        del future
    else:
        future.set_result(result)


class _WsgiOnThreads(Site):
    """WSGI, on either server."""

    def __init__(self, options: WebOptions) -> None:
        super().__init__(options)
        assert options.wsgi is not None
        self._runner = WsgiRunner(options.wsgi, options.wsgi_threads)

    def begin(self, exchange: Exchange) -> None:
        self._runner.begin(exchange)


class _WsgiForSync(_WsgiOnThreads):
    def start(self) -> None:
        """There is nothing to start."""

    def stop(self, done: Callable[[], None]) -> None:
        """The server has stopped."""
        self._runner.close()
        done()


class _WsgiForAio(_WsgiOnThreads):
    kind = _LoopExchange

    async def start(self) -> None:
        """There is nothing to start."""

    async def stop(self) -> None:
        """The server has stopped."""
        self._runner.close()


class _Asgi(Site):
    """ASGI, on either server."""

    def exchange(
        self, stream: WebStream, request: WebRequest, link: Any, is_http1: bool
    ) -> Exchange:
        if _WEBSOCKET in request.values and self.options.websocket is not None:
            # Which others do not need.
            from clarion.web.apps.websocket.opening import open_websocket

            return open_websocket(stream, request, link, self.options, is_http1=is_http1)
        return super().exchange(stream, request, link, is_http1)


class _AsgiForSync(_Asgi):
    def __init__(self, options: WebOptions) -> None:
        from clarion.web.apps.asgi import AsgiThread

        super().__init__(options)
        assert options.asgi is not None
        self._thread = AsgiThread(options.asgi, options.app_stop_timeout)

    def start(self) -> None:
        """See `AsgiThread`."""
        self._thread.start()

    def stop(self, done: Callable[[], None]) -> None:
        """See `AsgiThread`."""
        self._thread.stop(done)

    def begin(self, exchange: Exchange) -> None:
        self._thread.begin(exchange)


class _AsgiForAio(_Asgi):
    def __init__(self, options: WebOptions) -> None:
        from clarion.web.apps.asgi import AsgiRunner

        super().__init__(options)
        assert options.asgi is not None
        self._runner = AsgiRunner(options.asgi, options.app_stop_timeout)

    async def start(self) -> None:
        """See `AsgiRunner`."""
        await self._runner.start()

    async def stop(self) -> None:
        """See `AsgiRunner`."""
        await self._runner.stop()

    def begin(self, exchange: Exchange) -> None:
        self._runner.begin(exchange)


def make_site(options: WebOptions, front_end: str) -> Site:
    """The application that `options` have, for a server.

    Args:
        options: they have one.
        front_end: `sync` or `aio`.
    """
    if options.asgi is not None:
        return _AsgiForSync(options) if front_end == "sync" else _AsgiForAio(options)
    return _WsgiForSync(options) if front_end == "sync" else _WsgiForAio(options)
