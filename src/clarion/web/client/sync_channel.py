"""`clarion.web_channel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clarion.credentials import ChannelCredentials
from clarion.method import Compression
from clarion.sync import channel_interface as interface
from clarion.sync.channel import Channel
from clarion.sync.interceptor_interface import (
    StreamStreamClientInterceptor,
    StreamUnaryClientInterceptor,
    UnaryStreamClientInterceptor,
    UnaryUnaryClientInterceptor,
)
from clarion.sync.interceptors import intercept_channel
from clarion.web.client.settings import Codec, Http, Protocol, settings_of

__all__ = ["web_channel"]

_Interceptor = (
    UnaryUnaryClientInterceptor
    | UnaryStreamClientInterceptor
    | StreamUnaryClientInterceptor
    | StreamStreamClientInterceptor
)


def web_channel(
    target: str,
    *,
    protocol: Protocol = "connect",
    codec: Codec = "proto",
    http: Http = "auto",
    credentials: ChannelCredentials | None = None,
    get: bool = False,
    max_url: int = 2000,
    half_duplex: bool = False,
    max_connections: int = 100,
    idle_timeout: float = 30.0,
    options: Sequence[tuple[str, Any]] | None = None,
    compression: Compression | None = None,
    interceptors: Sequence[_Interceptor] | None = None,
) -> interface.Channel:
    """Make a channel that speaks gRPC-Web or Connect, for stubs as they are. Nothing is connected until the first call.

    Args:
        target: a URL, `http://localhost:8080` or `https://api.example.com/prefix`, or a target as `insecure_channel` takes it.
            The path of a URL goes before that of each method. With `https` connections have TLS.
        protocol: `connect`, `grpc-web` or `grpc-web-text` (base64, for what cannot pass on bytes). The default is Connect: its
            errors have HTTP statuses, and its unary messages are whole bodies, which proxies, caches and people can read.
        codec: how messages are encoded: `proto`, or `json`, which needs the types of protobuf.
        http: the version of HTTP. `auto` takes what the server chooses with TLS (ALPN: HTTP/2, else HTTP/1.1), and HTTP/1.1
            without; `1.1` and `2` take no other, with `2` in plain text without being asked (RFC 9113 section 3.3).
        credentials: made by `clarion.ssl_channel_credentials` or its like. For `https` the default is TLS with the system's
            roots.
        get: call methods that their .proto file declares `NO_SIDE_EFFECTS` with GET, so that caches may answer (Connect,
            unary calls).
        max_url: the longest path and query of such a GET, in bytes; what is longer is a POST.
        half_duplex: let calls with streams both ways go over HTTP/1.1, where most servers answer when they have read all
            requests. Otherwise they end with UNIMPLEMENTED.
        max_connections: how many connections of HTTP/1.1 to each address there may be. Each takes one call at a time; further
            calls wait.
        idle_timeout: how long a connection of HTTP/1.1 is kept without a call, in seconds. Below what servers have, for they
            close such connections without a word.
        options: channel arguments, `(name, value)` pairs.
        compression: how requests are compressed by default.
        interceptors: see calls before they are made; the first is the outermost. As `intercept_channel` takes them.

    Returns:
        A channel like all others.

    Raises:
        LocalError: HTTP/1.1 may be needed, and h11 is not installed (extra `web`).
        TypeError: `credentials` are no channel credentials.
        ValueError: an argument cannot be as it is; says which, and why.
    """
    settings = settings_of(
        target,
        credentials,
        options,
        protocol=protocol,
        encoding=codec,
        http=http,
        get=get,
        max_url=max_url,
        half_duplex=half_duplex,
        max_connections=max_connections,
        idle_timeout=idle_timeout,
    )
    channel: interface.Channel = Channel(
        settings.target, settings.options, compression, settings.credentials
    )
    return intercept_channel(channel, *interceptors) if interceptors else channel
