"""The classes of calls that a server makes which takes web requests.

`gated` is for its connections of HTTP/2. It tells the web from gRPC in place of the answer 415, so requests of gRPC meet nothing
of it. Calls of the web are of one more class, whose method is in the encoding that the request names; and so are calls of gRPC
whose content-type has a subtype, such as `application/grpc+json`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from clarion.hpack import HeaderList
from clarion.http2 import Connection
from clarion.protocol.content_type import is_grpc_content_type, response_heads
from clarion.protocol.messages import UnpackFailed
from clarion.server_core.call import ServerCall
from clarion.server_core.methods import Method
from clarion.status import StatusCode
from clarion.web.options import WebOptions
from clarion.web.serving.codecs import Codecs, NotServed, is_described, why_not_served
from clarion.web.serving.stream import WebStream

if TYPE_CHECKING:
    from clarion.web.apps.site import Site

__all__ = ["CallTypes"]


class CallTypes:
    """What a server makes for a request.

    Args:
        kind: the front end's class of calls.
        options: the server's.
        site: an application that has the requests which are no calls, or None.

    Attributes:
        gated: makes calls of gRPC, and streams of the web where a request is none.
        encoded: what calls of gRPC become whose requests name an encoding.
        web: makes calls of the web.
    """

    def __init__(self, kind: type[Any], options: WebOptions, site: Site | None = None) -> None:
        self.options = options
        self._site = site
        name = kind.__name__
        codecs = Codecs()
        named = {"_method": None, "_set_later": ("_method",)}
        members = {**named, "method": _property(codecs), "unpack": _unpack(kind)}
        self.web = type(f"Web{name}", (kind,), members)
        self.gated = type(f"Gated{name}", (_Gate, kind), {"types": self})
        members = {**named, "method": _encoded(Codecs())}
        self.encoded = type(f"Encoded{name}", (kind,), members)

    def open_stream(
        self, server: Any, link: Any, connection: Connection, stream_id: int, *, is_http1: bool
    ) -> WebStream:
        """A stream for a request that came on `link`."""
        make = _Maker(self.web, server, link)
        limits = server.core.options
        door = None if self._site is None else self._site.door(server, link)
        return WebStream(
            connection, stream_id, self.options, limits, make, is_http1=is_http1, door=door
        )


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
            method = codecs.method_for(
                method, side.codec, as_grpc=side.as_grpc, streaming=side.streaming
            )
            side.not_served = why_not_served(method)
            if side.not_served and call._method is None:
                # Before the handler begins. One that interceptors found too late for that can read and say nothing.
                raise NotServed
        call._method = method

    return property(read, write)


def _encoded(codecs: Codecs) -> Any:
    """`ServerCall.method` of calls of gRPC whose requests name an encoding."""

    def read(call: Any) -> Method | None:
        return cast("Method | None", call._method)

    def write(call: Any, method: Method | None) -> None:
        if method is not None and method.path:
            found = codecs.method_for(method, call.head.subtype, as_grpc=True)
            if not why_not_served(found):
                method = found
            elif is_described(method.path):
                # The handlers of others may know what to do with it.
                method = found
        call._method = method

    return property(read, write)


def _unpack(kind: Any) -> Any:
    """`ServerStream.unpack` of calls of the web: what is damaged is the client's fault, to Connect."""

    def unpack(call: Any, message: bytes) -> bytes:
        try:
            return cast(bytes, kind.unpack(call, message))
        except UnpackFailed as error:
            damaged = error.code is StatusCode.INTERNAL and call.head.compressor is not None
            if call.connection.as_grpc or not damaged:
                raise
            raise UnpackFailed(StatusCode.INVALID_ARGUMENT, str(error)) from None

    return unpack


class _Gate(ServerCall):
    """A front end's class of calls follows among the bases."""

    types: CallTypes
    server: Any
    link: Any

    def refuse_http(self, headers: HeaderList, status: int) -> None:
        if status == 200:
            # It is gRPC, in an encoding that it names.
            self.__class__ = self.types.encoded
            if self.head is not None and self.head.subtype == "json":
                # Whatever the answer is, clients look for what they asked for.
                self.head_block, self.head_fields = response_heads(b"application/grpc+json")
            self.refuse_http(headers, status)
            return
        if status == 431 and is_grpc_content_type(dict(headers.fields).get(b"content-type", b"")):
            super().refuse_http(headers, status)
            return
        self.over = self.headers_sent = True
        connection, sid = self.connection, self.stream_id
        stream = self.types.open_stream(self.server, self.link, connection, sid, is_http1=False)
        stream.remote_closed = self.remote_closed
        connection.streams[sid] = stream
        stream.headers_received(headers, self.remote_closed)
