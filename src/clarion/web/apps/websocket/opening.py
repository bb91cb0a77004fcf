"""Requests for a WebSocket: which become one, and which are answered with an error, by HTTP."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from clarion.web.apps.exchange import Exchange
from clarion.web.errors import HttpRefusal

if TYPE_CHECKING:
    from clarion.web.options import WebOptions
    from clarion.web.serving.request import WebRequest
    from clarion.web.serving.stream import WebStream

__all__ = ["open_websocket"]

_LOG = logging.getLogger(__name__)

_ABSENT = "WebSocket needs the package wsproto: pip install 'clarion-rpc[websocket]'"


def open_websocket(
    stream: WebStream, request: WebRequest, link: Any, options: WebOptions, *, is_http1: bool
) -> Exchange:
    """An exchange for a request that has what requests for WebSockets have.

    Args:
        stream, request, link, is_http1: see `Exchange`.
        options: the server's, with `websocket`.
    """
    try:
        return _open(stream, request, link, options, is_http1)
    except HttpRefusal as error:
        exchange = Exchange(stream, request, link, options, is_http1=is_http1)
        exchange.refusal = error
        return exchange


def _open(
    stream: WebStream, request: WebRequest, link: Any, options: WebOptions, is_http1: bool
) -> Exchange:
    if not is_http1:
        raise HttpRefusal(
            501, "WebSocket over HTTP/2 (RFC 8441) is not served; over HTTP/1.1 it is"
        )
    connection: Any = stream.connection
    if connection.version == "1.0":
        raise HttpRefusal(400, "a WebSocket is opened with HTTP/1.1")
    try:
        import wsproto  # noqa: F401
    except ImportError:
        _LOG.error("a request for a WebSocket was refused: %s", _ABSENT)
        raise HttpRefusal(501, _ABSENT) from None
    from clarion.web.apps.websocket.exchange import WebSocketExchange
    from clarion.web.apps.websocket.handshake import Handshake

    assert options.websocket is not None
    return WebSocketExchange(
        stream,
        request,
        link,
        options,
        is_http1=is_http1,
        handshake=Handshake(request.method, connection.request.headers),
        bounds=options.websocket,
    )
