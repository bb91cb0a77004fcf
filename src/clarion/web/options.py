"""What the option `clarion.web` of a server may be: the limits of HTTP/1.1, and who may call from other origins. See docs/web.md."""

from __future__ import annotations

import dataclasses
from typing import Any

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

    Raises:
        LocalError: a value cannot be.
    """

    cors: CorsPolicy = dataclasses.field(default_factory=CorsPolicy)
    http1: bool = True

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
