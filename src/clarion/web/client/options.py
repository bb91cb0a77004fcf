"""What makes a channel one of gRPC-Web or Connect: the value of its option `clarion.web_channel`, which `web_channel` sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from clarion.client_core import ChannelCore
from clarion.descriptors import method_descriptor
from clarion.errors import LocalError
from clarion.http2 import Connection
from clarion.status import StatusCode
from clarion.web.client.call_side import ClientSide, Request, is_attempt, read_request
from clarion.web.client.connections import Said, http1_connection, http2_connection
from clarion.web.client.protocols import (
    ConnectStreamSide,
    ConnectUnarySide,
    GrpcWebSide,
    GrpcWebTextSide,
)

__all__ = ["OPTION", "PROTOCOLS", "WebClient"]

OPTION = "clarion.web_channel"
"""The name of the channel's option."""
PROTOCOLS = ("connect", "grpc-web", "grpc-web-text")
_CODECS = ("proto", "json")
_VERSIONS = ("auto", "1.1", "2")
_KEPT = 1024
# `google.protobuf.MethodOptions.IdempotencyLevel`
_NO_SIDE_EFFECTS, _IDEMPOTENT = 1, 2

_HALF_DUPLEX = (
    "a call with streams both ways needs HTTP/2, and the connection has HTTP/1.1, where a server answers when it has read the"
    ' request: use http="2" (or TLS, where servers choose HTTP/2), or half_duplex=True if all requests may be sent first'
)
_OWN_CALLS = "health checks and load reports need HTTP/2, and the connection has HTTP/1.1"


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class WebClient:
    """How a web channel speaks. See `web_channel` for what is not here.

    Attributes:
        protocol: `connect`, `grpc-web` or `grpc-web-text`.
        encoding: how messages are encoded: `proto` or `json`.
        http: the version: `auto`, `1.1` or `2`.
        prefix: what goes before the path of each method.
        get: methods without side effects are called with GET (Connect).
        max_url: the longest path and query of a GET, in bytes.
        half_duplex: streams both ways may go over HTTP/1.1.
        max_connections: to each address, of HTTP/1.1.
        idle_timeout: how long a connection of HTTP/1.1 is kept without a call, in seconds.

    Raises:
        LocalError: HTTP/1.1 may be needed, and h11 is not installed.
        ValueError: a value cannot be.
    """

    protocol: str = "connect"
    encoding: str = "proto"
    http: str = "auto"
    prefix: bytes = b""
    get: bool = False
    max_url: int = 2000
    half_duplex: bool = False
    max_connections: int = 100
    idle_timeout: float = 30.0
    _levels: dict[bytes, int] = dataclasses.field(default_factory=dict, repr=False)
    _requests: dict[Any, Request] = dataclasses.field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        _check("protocol", self.protocol, PROTOCOLS)
        _check("codec", self.encoding, _CODECS)
        _check("http", self.http, _VERSIONS)
        for name, least in (("max_url", 1), ("max_connections", 1), ("idle_timeout", 0.001)):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not value >= least:
                raise ValueError(f"{name} is {value!r}; it must be a number, {least} or more")
        if self.get and self.protocol != "connect":
            raise ValueError(f"get=True is for Connect; protocol is {self.protocol!r}")
        if self.http != "2":
            try:
                import h11  # noqa: F401
            except ImportError:
                raise LocalError(
                    "HTTP/1.1 needs the package h11: pip install 'clarion-rpc[web]', "
                    'or http="2" for HTTP/2 alone'
                ) from None

    def __int__(self) -> int:
        """Channel arguments are numbers, texts, or what has this."""
        return 1

    # What the links ask

    @property
    def http1(self) -> bool:
        """Whether plain text is HTTP/1.1."""
        return self.http != "2"

    @property
    def alpn(self) -> tuple[str, ...]:
        """What is offered with TLS."""
        return {"auto": ("h2", "http/1.1"), "1.1": ("http/1.1",), "2": ("h2",)}[self.http]

    def make_connection(self, link: Any, now: Callable[[], float], config: Any) -> Connection:
        """What is on the socket of `link`."""
        if not link.speaks_http1:
            return http2_connection(self, link, now, config)
        return http1_connection(self, link, now, config)

    def sync_link(self, *, tls: bool = False) -> type[Any]:
        """The link of a sync channel's connection of HTTP/1.1."""
        from clarion.web.client import sync_links

        return sync_links.TlsHttp1ClientLink if tls else sync_links.Http1ClientLink

    def aio_link(self) -> type[Any]:
        """The link of an asyncio channel's connection of HTTP/1.1."""
        from clarion.web.client.aio_links import Http1ClientLink

        return Http1ClientLink

    # What the channel asks

    def make_core(self, runtime: Any, target: Any, options: Any, security: Any) -> ChannelCore:
        """The channel's state."""
        from clarion.web.client.core import WebChannelCore

        return WebChannelCore(runtime, target, options, security, self)

    def codec(
        self,
        path: str | bytes,
        serialize: Callable[[Any], bytes] | None,
        deserialize: Callable[[bytes], Any] | None,
    ) -> tuple[Callable[[Any], bytes] | None, Callable[[bytes], Any] | None]:
        """The functions for the messages of a method, in place of its stub's.

        Raises:
            ValueError: its messages cannot be had in that encoding.
        """
        if self.encoding == "proto" and not self.get:
            return serialize, deserialize
        # It imports protobuf.
        from clarion.web.codec import JsonOptions, client_codec

        text = path.decode() if isinstance(path, bytes) else path
        name = self.encoding
        if name == "proto":
            # The stub's own, which may be another.
            name = getattr(serialize, "content_subtype", None) or name
        found = client_codec(text, serialize, deserialize, name, JsonOptions(sort=self.get))
        if found is None:
            raise ValueError(
                f"messages of {text} cannot be had as {name!r}: neither the stub nor protobuf's pool knows their types"
            )
        return _Encode(found.encode, name), found.decode

    # What connections ask

    def open(
        self,
        connection: Any,
        attempt: Any,
        said: Said,
        prefix: bytes,
        payload: bytes | None,
        end_stream: bool,
    ) -> None:
        """Begin `attempt`."""
        one_request = payload is not None and end_stream
        own = not is_attempt(attempt)
        # The channel's own calls have a stream of responses each.
        streaming = own or attempt.call.response_streaming
        request = self._requests.get(said.fields)
        if request is None:
            request = self._take_apart(said)
        side = self._kind(one_request, streaming)(self, connection, attempt, request)
        side.timeout = said.timeout
        if connection.is_http1:
            if own:
                side.refuse(_OWN_CALLS)
                return
            if streaming and not one_request and not self.half_duplex:
                side.refuse(_HALF_DUPLEX)
                return
        try:
            side.begin(prefix, payload, end_stream)
        except LocalError as error:
            # It cannot be said in HTTP/1.1, an authority with a line break for one.
            side.refuse(str(error), StatusCode.INTERNAL)

    def _take_apart(self, said: Said) -> Request:
        request = read_request(said.fields)
        # With the user agent alone it is that of every call of the method; what else there is may be secret, or another each time.
        if len(request.metadata) == 1 and len(self._requests) < _KEPT:
            self._requests[said.fields] = request
        return request

    def _kind(self, one_request: bool, streaming: bool) -> type[ClientSide]:
        if self.protocol == "grpc-web":
            return GrpcWebSide
        if self.protocol == "grpc-web-text":
            return GrpcWebTextSide
        return ConnectUnarySide if one_request and not streaming else ConnectStreamSide

    def max_metadata(self, side: ClientSide) -> int:
        """The largest response metadata, in bytes."""
        size: int = side.connection.config.max_header_list_size
        return size

    def is_safe(self, path: bytes) -> bool:
        """Whether the method's .proto file says that it has no side effects."""
        return self._level(path) == _NO_SIDE_EFFECTS

    def is_repeatable(self, path: bytes) -> bool:
        """Whether it says that, or that the method may be called again."""
        return self._level(path) in (_NO_SIDE_EFFECTS, _IDEMPOTENT)

    def _level(self, path: bytes) -> int:
        level = self._levels.get(path)
        if level is None:
            try:
                found = method_descriptor(path.decode("utf-8", "replace"))
                level = int(found.GetOptions().idempotency_level)
            except LookupError:
                level = 0
            if len(self._levels) < _KEPT:
                self._levels[path] = level
        return level


class _Encode:
    """A serializer that says how it encodes."""

    def __init__(self, encode: Callable[[Any], bytes], name: str) -> None:
        self._encode = encode
        if name != "proto":
            self.content_subtype = name

    def __call__(self, message: Any) -> bytes:
        return self._encode(message)


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(known)}")
