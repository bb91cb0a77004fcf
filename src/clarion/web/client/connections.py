"""Connections as the calls of a web channel have them: of gRPC to the call, of HTTP to the peer.

They are those of `http2.Connection` and `Http1ClientConnection`, with two things changed. Header fields are not encoded when a
call gives them (`Said`), because what is sent is still to be made of them. And a stream is opened by a `ClientSide`, which stands
between the attempt and the connection from then on.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

from clarion.hpack import Encoder, encode_literal
from clarion.http2 import Connection
from clarion.http2.watching import connection_type
from clarion.protocol.timeout import decode_timeout

if TYPE_CHECKING:
    from clarion.http2.stream import Stream
    from clarion.web.client.options import WebClient

__all__ = ["Said", "http1_connection", "http2_connection"]

Fields = tuple[tuple[bytes, bytes], ...]

_TIMEOUT = len(encode_literal(b"grpc-timeout", b""))


class Said:
    """Where a call of gRPC has a header block: its fields, and its timeout.

    Attributes:
        fields: the request headers without the timeout.
        timeout: seconds, or None.
    """

    __slots__ = ("fields", "timeout")

    def __init__(self, fields: Fields, timeout: float | None = None) -> None:
        self.fields = fields
        self.timeout = timeout

    def __add__(self, literal: bytes) -> Said:
        """With `grpc-timeout`, which calls append to a block as a literal."""
        return Said(self.fields, decode_timeout(literal[_TIMEOUT:]))


class _Encoder(Encoder):
    """HPACK for the connection, which calls do not see."""

    __slots__ = ()

    def encode(self, fields: Any) -> Any:
        """What a call says."""
        return Said(fields)


class _NoEncoder:
    """The same where there is no HPACK."""

    pending_update = b""

    def encode(self, fields: Fields) -> Said:
        """What a call says."""
        return Said(fields)


class _Web:
    """What both kinds of connections share. It goes before the connection's class among the bases."""

    __slots__ = ()

    is_http1: bool
    user_data: Any

    @property
    def web(self) -> WebClient:
        """The channel's protocol."""
        web: WebClient = self.user_data
        return web

    def open_stream(
        self,
        stream: Any,
        block: Any,
        prefix: bytes = b"",
        payload: bytes | None = None,
        *,
        end_stream: bool = False,
    ) -> None:
        """Begin an attempt; see `Connection.open_stream`."""
        self.web.open(self, stream, block, prefix, payload, end_stream)

    def open_side(
        self, side: Stream, fields: Fields, prefix: bytes, payload: bytes | None, end_stream: bool
    ) -> None:
        """Open the stream that stands for an attempt."""
        super().open_stream(  # type: ignore[misc]
            side, self.packed(fields), prefix, payload, end_stream=end_stream
        )

    def packed(self, fields: Fields) -> Any:
        """Fields as the connection takes them."""
        raise NotImplementedError


class _Http2(_Web):
    __slots__ = ()

    is_http1 = False
    encoder: Any

    def packed(self, fields: Fields) -> Any:
        return Encoder.encode(self.encoder, fields)


class _Http1(_Web):
    __slots__ = ()

    is_http1 = True
    observer: Any

    want_stream: Any

    def packed(self, fields: Fields) -> Any:
        return fields

    def _stream_finished(self) -> None:
        # Calls wait for whichever connection is free first; see `clarion.web.client.core`.
        if self.observer.pending:
            self.want_stream()
        super()._stream_finished()  # type: ignore[misc]


@functools.lru_cache(maxsize=4)
def _with_web(kind: type[Any], base: type[Any]) -> type[Any]:
    return type(f"Web{base.__name__}", (kind, base), {"__slots__": ()})


def http2_connection(web: WebClient, link: Any, now: Any, config: Any) -> Connection:
    """A connection of HTTP/2 for a link, which may be watched by a trace."""
    connection: Connection = _with_web(_Http2, cast(Any, connection_type()))(link, now, config)
    connection.user_data = web
    connection.encoder = _Encoder(config.encoder_table_size)
    return connection


def http1_connection(web: WebClient, link: Any, now: Any, config: Any) -> Connection:
    """A connection of HTTP/1.1 for a link."""
    # It imports h11.
    from clarion.web.http1.client_connection import Http1ClientConnection
    from clarion.web.http1.client_limits import Http1ClientLimits

    kind: Any = Http1ClientConnection
    if connection_type() is not Connection:
        # Somebody watches what is on the wire.
        from clarion.web.client.traced_http1 import TracedHttp1ClientConnection

        kind = TracedHttp1ClientConnection
    limits = Http1ClientLimits(idle_timeout=web.idle_timeout)
    connection: Any = _with_web(_Http1, kind)(link, now, config, limits)
    connection.user_data = web
    connection.encoder = _NoEncoder()
    found: Connection = connection
    return found
