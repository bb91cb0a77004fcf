"""The classes of calls that a server makes which takes web requests.

`gated` is for its connections of HTTP/2. It tells the web from gRPC in place of the answer 415, so requests of gRPC meet nothing
of it. Calls of the web are of one more class, whose method is in the encoding that the request names.
"""

from __future__ import annotations

from typing import Any, cast

from clarion.hpack import HeaderList
from clarion.http2 import Connection
from clarion.server_core.call import ServerCall
from clarion.server_core.methods import Method
from clarion.web.options import WebOptions
from clarion.web.serving.codecs import Codecs
from clarion.web.serving.stream import WebStream

__all__ = ["CallTypes"]


class CallTypes:
    """What a server makes for a request.

    Args:
        kind: the front end's class of calls.
        options: the server's.

    Attributes:
        gated: makes calls of gRPC, and streams of the web where a request is none.
        web: makes calls of the web.
    """

    def __init__(self, kind: type[Any], options: WebOptions) -> None:
        self.options = options
        name = kind.__name__
        codecs = Codecs()
        self.web = type(f"Web{name}", (kind,), {"method": _property(codecs), "_method": None})
        self.gated = type(f"Gated{name}", (_Gate, kind), {"types": self})

    def open_stream(
        self, server: Any, link: Any, connection: Connection, stream_id: int, *, is_http1: bool
    ) -> WebStream:
        """A stream for a request that came on `link`."""
        make = _Maker(self.web, server, link)
        limits = server.core.options
        return WebStream(connection, stream_id, self.options, limits, make, is_http1=is_http1)


class _Maker:
    """Makes a call for a request of the web."""

    __slots__ = ("_kind", "_link", "_server")

    def __init__(self, kind: Any, server: Any, link: Any) -> None:
        self._kind = kind
        self._server = server
        self._link = link

    def __call__(self, side: Any, stream_id: int) -> Any:
        return self._kind(self._server, self._link, side, stream_id)


def _property(codecs: Codecs) -> Any:
    """`ServerCall.method` of calls of the web."""

    def read(call: Any) -> Method | None:
        return cast("Method | None", call._method)

    def write(call: Any, method: Method | None) -> None:
        side = call.connection
        if method is not None:
            method = codecs.method_for(method, side.codec, as_grpc=side.as_grpc)
        call._method = method

    return property(read, write)


class _Gate(ServerCall):
    """A front end's class of calls follows among the bases."""

    types: CallTypes
    server: Any
    link: Any

    def refuse_http(self, headers: HeaderList, status: int) -> None:
        self.over = self.headers_sent = True
        connection, sid = self.connection, self.stream_id
        stream = self.types.open_stream(self.server, self.link, connection, sid, is_http1=False)
        stream.remote_closed = self.remote_closed
        connection.streams[sid] = stream
        stream.headers_received(headers, self.remote_closed)
