"""A server's settings, read from grpcio's channel arguments; see docs/channel-arguments.md."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Iterable
from typing import Any

from clarion.call_tracing import SERVER_TRACING
from clarion.http2 import Config, LifetimeConfig, PingRules
from clarion.method import Compression
from clarion.propagation import PROPAGATE
from clarion.protocol.arguments import DEFAULT_MAX_METADATA, TRACE_MEMORY, Arguments

__all__ = ["DEFAULT_MAX_RECEIVE", "ServerOptions"]

DEFAULT_MAX_RECEIVE = 4 << 20
_KEEPALIVE_TIME = 7200.0
_HANDSHAKE_TIMEOUT = 120.0
_EXPOSE = "clarion.expose_exceptions"
_WEB = "clarion.web"


@dataclasses.dataclass(frozen=True, slots=True)
class ServerOptions:
    """What `options` of a server may set. Sizes are bytes.

    Attributes:
        max_receive: largest request message (`grpc.max_receive_message_length`; -1: no limit).
        max_send: largest response message (`grpc.max_send_message_length`; -1: no limit).
        max_metadata: largest request metadata (`grpc.absolute_max_metadata_size`, or
            `grpc.max_metadata_size` where that is larger).
        compression: how responses are compressed (`grpc.default_compression_algorithm`).
        compress: whether responses are compressed at all (`grpc.per_message_compression`).
        reuse_port: share the port with other processes (`grpc.so_reuseport`).
        max_connections: connections at a time (`grpc.max_allowed_incoming_connections`), or None.
        propagate: calls that a handler makes end with the call it serves (`clarion.propagate`).
        dscp: the code point of packets (`grpc.dscp`), or None.
        receive_buffer: the sockets' receive buffer (`grpc.tcp_receive_buffer_size`), or None.
        trace_memory: what the events that are recorded of it may take (`grpc.enable_channelz`,
            `grpc.max_channel_trace_event_memory_per_node`); None: nothing is recorded.
        tracing: who traces the calls (`clarion.server_call_tracing`), or None.
        web: what takes requests of other protocols than gRPC (`clarion.web`), or None.
        http2: the connections' limits (`grpc.max_concurrent_streams`, `grpc.http2.*`), keepalive and
            lifetime.
        expose_exceptions: the text of an exception that a handler raises goes to the client
            (`clarion.expose_exceptions`).
    """

    max_receive: int = DEFAULT_MAX_RECEIVE
    max_send: int = -1
    max_metadata: int = DEFAULT_MAX_METADATA
    compression: Compression | None = None
    compress: bool = True
    reuse_port: bool = True
    max_connections: int | None = None
    propagate: bool = True
    dscp: int | None = None
    receive_buffer: int | None = None
    trace_memory: int | None = TRACE_MEMORY
    tracing: Any = None
    web: Any = None
    http2: Config = dataclasses.field(default_factory=lambda: _http2(Arguments(())))
    expose_exceptions: bool = False

    def tell(self, brief: str, text: str, *, whole: bool = False) -> str:
        """What a client is told of an exception: `brief`, with `text` or (`whole`) in its place if it may know."""
        if not self.expose_exceptions:
            return brief
        return text if whole else brief + text

    @classmethod
    def read(cls, options: Iterable[tuple[str, Any]] | None) -> ServerOptions:
        """Read channel arguments, `(name, value)` pairs.

        Raises:
            TypeError: a name or value is of no kind that arguments have.
        """
        given = Arguments(options)
        connections = "grpc.max_allowed_incoming_connections"
        return cls(
            max_receive=given.max_receive,
            max_send=given.max_send,
            max_metadata=given.max_metadata,
            compression=given.compression,
            compress=given.flag("grpc.per_message_compression", True),
            reuse_port=given.flag("grpc.so_reuseport", True),
            max_connections=given.integer(connections, 0) if connections in given else None,
            propagate=given.flag(PROPAGATE, True),
            dscp=given.dscp,
            receive_buffer=given.receive_buffer,
            trace_memory=given.trace_memory,
            tracing=given.value(SERVER_TRACING),
            web=_web(given.value(_WEB)),
            http2=_http2(given),
            expose_exceptions=given.flag(_EXPOSE, _stands_for_grpc()),
        )


def _stands_for_grpc() -> bool:
    """Whether `grpc` is Clarion in this process, so that programs written for grpcio may expect what that tells."""
    grpc = sys.modules.get("grpc")
    return grpc is not None and (
        grpc is sys.modules.get("clarion") or getattr(grpc, "__clarion__", False) is True
    )


def _web(value: Any) -> Any:
    """Checked by what servers ask of it: what it is stands above them."""
    if value is not None and not hasattr(value, "for_front_end"):
        raise TypeError(f"the option {_WEB} takes a clarion.web.WebOptions, not {value!r}")
    return value


def _http2(given: Arguments) -> Config:
    return given.http2(
        max_concurrent_streams=given.integer(
            "grpc.max_concurrent_streams", Config().max_concurrent_streams
        ),
        keepalive=given.keepalive(_KEEPALIVE_TIME),
        lifetime=_lifetime(given),
        ping_rules=_ping_rules(given),
    )


def _lifetime(given: Arguments) -> LifetimeConfig:
    return LifetimeConfig(
        handshake=given.seconds("grpc.server_handshake_timeout_ms", _HANDSHAKE_TIMEOUT),
        max_idle=given.seconds("grpc.max_connection_idle_ms", math.inf, 0.001),
        max_age=given.seconds("grpc.max_connection_age_ms", math.inf, 0.001),
        age_grace=given.seconds("grpc.max_connection_age_grace_ms", math.inf),
    )


def _ping_rules(given: Arguments) -> PingRules | None:
    """None unless asked for: the budget for PING stops floods, and a client that wants to know does no harm."""
    interval = "grpc.http2.min_ping_interval_without_data_ms"
    strikes = "grpc.http2.max_ping_strikes"
    if interval not in given and strikes not in given:
        return None
    most = given.integer(strikes, 2)
    if not most:
        return None
    return PingRules(
        interval=given.seconds(interval, 300.0),
        max_strikes=most,
        without_calls=given.flag("grpc.keepalive_permit_without_calls", False),
    )
