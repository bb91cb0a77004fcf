"""What both front ends of a server with web requests share: its classes of calls, its ports, and connections of HTTP/1.1."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from clarion.errors import LocalError
from clarion.http2 import Connection, KeepaliveConfig
from clarion.http2.frames import PREFACE
from clarion.http2.watching import connection_type
from clarion.web.options import WebOptions
from clarion.web.serving.gate import CallTypes

if TYPE_CHECKING:
    from clarion.web.apps.site import Site
    from clarion.web.http1.connection import Http1Observer
    from clarion.web.http1.patience import Patience

__all__ = ["FrontEnd", "speaks_http2"]

# A handshake or alert record: HTTP/2 connections have the words for TLS where plain text is taken.
_TLS = (b"\x15\x03", b"\x16\x03")
_ENOUGH = 3


def speaks_http2(begin: bytes) -> bool | None:
    """Whether a client that begins like that is HTTP/2's connection's business; None: there is too little of it."""
    if begin[:2] in _TLS:
        return True
    if begin[:_ENOUGH] != PREFACE[: len(begin[:_ENOUGH])]:
        # No method of HTTP/1.1 begins like the preface.
        return False
    return True if len(begin) >= _ENOUGH else None


class FrontEnd:
    """The part that needs no I/O.

    Args:
        options: the server's option `clarion.web`.

    Raises:
        LocalError: HTTP/1.1 is wanted, and h11 is not installed.
    """

    NAME = ""

    def __init__(self, options: WebOptions) -> None:
        self.options = options
        self.takes_http1 = options.http1
        # The application beside the services, which `start` and `stop` go to.
        self.site: Site | None = None
        if options.asgi is not None or options.wsgi is not None:
            from clarion.web.apps.site import make_site

            self.site = make_site(options, self.NAME)
        if options.http1:
            try:
                import h11  # noqa: F401
            except ImportError:
                raise LocalError(
                    "HTTP/1.1 needs the package h11: pip install 'clarion-rpc[web]', "
                    "or WebOptions(http1=False) for HTTP/2 alone"
                ) from None

    def call_type(self, kind: type[Any]) -> type[Any]:
        """The class of calls on connections of HTTP/2."""
        self.types = CallTypes(kind, self.options, self.site)
        return self.types.gated

    def add_port(self, security: Any) -> None:
        """A port with `security` is added: have it agree to HTTP/1.1, too."""
        offer = getattr(security, "offer", None)
        if offer is not None and self.takes_http1:
            offer("http/1.1")

    def http1_connection(
        self,
        server: Any,
        link: Http1Observer,
        now: Callable[[], float],
        secure: bool,
    ) -> Connection:
        """A connection of HTTP/1.1, for a link that has HTTP/2's elsewhere."""
        from clarion.web.http1.connection import Http1Connection

        kind: type[Http1Connection] = Http1Connection
        if connection_type() is not Connection:
            # Somebody watches what is on the wire.
            from clarion.web.serving.traced_http1 import TracedHttp1Connection

            kind = TracedHttp1Connection

        # Nothing can be asked of a client between answers, and `Patience` sees to the beginning.
        config = server.core.options.http2
        lifetime = dataclasses.replace(config.lifetime, handshake=math.inf)
        config = dataclasses.replace(config, keepalive=KeepaliveConfig(), lifetime=lifetime)
        types = self.types

        def open_stream(connection: Connection, sid: int) -> Any:
            return types.open_stream(server, link, connection, sid, is_http1=True)

        scheme = b"https" if secure else b"http"
        connection = kind(link, now, config, open_stream, self.options, scheme)
        return cast(Connection, connection)

    def patience(self, link: Any) -> Patience:
        """The timer of a link with a connection of HTTP/1.1."""
        from clarion.web.http1.patience import Patience

        return Patience(link.connection, link.later, self.options)
