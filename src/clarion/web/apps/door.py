"""Which requests are the application's, and which are calls.

A call is what its content type says is one; where that is not for calls alone (`application/json`, `application/proto`, GET), it
is its path that decides: a method that the server has is always a call, also with the wrong verb or content type. So is what
says that it is of the Connect protocol. Everything else is the application's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clarion.errors import RemoteError
from clarion.method import CallDetails
from clarion.protocol.metadata import decode_metadata
from clarion.web.errors import HttpRefusal
from clarion.web.serving.request import Kind, WebRequest

if TYPE_CHECKING:
    from clarion.server_core.core import ServerCore
    from clarion.web.apps.exchange import Exchange
    from clarion.web.apps.site import Site
    from clarion.web.serving.stream import WebStream

__all__ = ["Door", "is_call"]

_CALLS_ALONE = (Kind.GRPC, Kind.GRPC_WEB, Kind.CONNECT_STREAM)


def is_call(core: ServerCore, request: WebRequest) -> bool:
    """Whether a request is for the services of a server, and not for an application beside them."""
    kind = request.kind
    if kind in _CALLS_ALONE:
        return True
    if kind is Kind.CONNECT_UNARY and b"connect-protocol-version" in request.values:
        return True
    if kind is Kind.CONNECT_GET and b"connect=v1" in request.query.split(b"&"):
        return True
    return _is_method(core, request)


def _is_method(core: ServerCore, request: WebRequest) -> bool:
    path = request.path.decode("utf-8", "replace")
    if core.knows(path):
        return True
    try:
        metadata = decode_metadata(request.fields)
    except RemoteError:
        metadata = ()
    try:
        # Rules of the application's may know more methods than tables do.
        return core.lookup(CallDetails(path, metadata)) is not None
    except Exception:
        # The call runs into the same, and reports it.
        return True


class Door:
    """The way from a connection to the application.

    Args:
        site: the application.
        core: the server's methods.
        link: the connection's.
    """

    __slots__ = ("_core", "_link", "_site")

    def __init__(self, site: Site, core: ServerCore, link: Any) -> None:
        self._site = site
        self._core = core
        self._link = link

    def takes(self, request: WebRequest) -> bool:
        """Whether a request is the application's."""
        return not is_call(self._core, request)

    def open(self, stream: WebStream, request: WebRequest, *, is_http1: bool) -> Exchange:
        """An exchange for a request that is the application's."""
        return self._site.exchange(stream, request, self._link, is_http1)

    def begin(self, exchange: Exchange) -> None:
        """Have the application serve it."""
        refusal = _refusal(exchange.request) or exchange.refusal
        if refusal is not None:
            exchange.refuse(refusal.http_status, str(refusal), refusal.fields)
        else:
            self._site.begin(exchange)


def _refusal(request: WebRequest) -> HttpRefusal | None:
    path = request.path
    if path[:1] != b"/" and (path, request.method) != (b"*", b"OPTIONS"):
        return HttpRefusal(400, "the path does not begin with a slash")
    if min(path + request.query) <= 0x20 or max(path + request.query) >= 0x7F:
        return HttpRefusal(400, "the path has characters that are not escaped")
    return None
