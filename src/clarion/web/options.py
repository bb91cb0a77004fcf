"""What the option `clarion.web` of a server may be: the limits of HTTP/1.1, and who may call from other origins. See docs/web.md."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from clarion.errors import LocalError
from clarion.web.apps.websocket.limits import WebSocketLimits
from clarion.web.asgi_types import AsgiApp
from clarion.web.cors import CorsPolicy
from clarion.web.http1.limits import Http1Limits

__all__ = ["WEB", "WebOptions"]

WEB = "clarion.web"
"""The name of the server's option."""


@dataclasses.dataclass(frozen=True, slots=True)
class WebOptions(Http1Limits):
    """The value of the server's option `clarion.web`, with the limits of HTTP/1.1 as `Http1Limits` has them.

    Attributes:
        cors: what pages of other origins may do; by default nothing.
        http1: HTTP/1.1 is taken, too. It needs `h11` (extra `web`).
        asgi: an ASGI application (version 3) that gets the requests which are no calls, or None.
        wsgi: a WSGI application (PEP 3333) that gets them, or None.
        wsgi_threads: how many requests it serves at a time, on threads of its own.
        websocket: limits of the WebSockets of an ASGI application, which need `wsproto` (extra `websocket`); None: it has none.
        app_stop_timeout: how long an ASGI application may take to shut down when the server has stopped, in seconds.

    Raises:
        LocalError: a value cannot be.
    """

    cors: CorsPolicy = dataclasses.field(default_factory=CorsPolicy)
    http1: bool = True
    asgi: AsgiApp | None = None
    wsgi: Callable[..., Any] | None = None
    wsgi_threads: int = 16
    websocket: WebSocketLimits | None = dataclasses.field(default_factory=WebSocketLimits)
    app_stop_timeout: float = 30.0

    def __post_init__(self) -> None:
        # `super()` does not find a class that `slots=True` made anew.
        Http1Limits.__post_init__(self)
        if self.asgi is not None and self.wsgi is not None:
            raise LocalError("asgi and wsgi are both given; a port has one application")
        for name in ("asgi", "wsgi"):
            app = getattr(self, name)
            if app is not None and not callable(app):
                raise LocalError(f"{name} is {app!r}; an application is something to call")
        if self.wsgi_threads < 1:
            raise LocalError(f"wsgi_threads is {self.wsgi_threads!r}; it must be at least 1")
        if not self.app_stop_timeout > 0:
            raise LocalError(f"app_stop_timeout is {self.app_stop_timeout!r}; it must be positive")

    def for_front_end(self, name: str) -> Any:
        """What a server asks about requests of the web, and connections of HTTP/1.1.

        Args:
            name: the front end, `sync` or `aio`.

        Raises:
            LocalError: HTTP/1.1 is wanted, and h11 is not installed.
        """
        # Each needs its front end, which the other does not load.
        if name == "aio":
            from clarion.web.serving.aio_front import AioFrontEnd

            return AioFrontEnd(self)
        from clarion.web.serving.sync_front import SyncFrontEnd

        return SyncFrontEnd(self)

    def __int__(self) -> int:
        """Channel arguments are numbers, texts, or what has this."""
        return 1
