"""A channel's settings, read from grpcio's channel arguments; see docs/channel-arguments.md."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

from clarion._version import __version__
from clarion.http2 import Config
from clarion.http2.frames import MAX_STREAM_ID
from clarion.method import Compression
from clarion.propagation import PROPAGATE
from clarion.protocol.arguments import TRACE_MEMORY, Arguments
from clarion.protocol.user_agent import user_agent

__all__ = ["ChannelOptions"]

# The option is about backoff; a busy machine may take longer than that to answer.
_LEAST_CONNECT_TIMEOUT = 1.0
_LEAST_BACKOFF = 0.1
_LEAST_IDLE_TIMEOUT = 1.0
_WEB = "clarion.web_channel"


@dataclasses.dataclass(frozen=True, slots=True)
class ChannelOptions:
    """What `options` of a channel may set. Times are seconds, sizes bytes.

    Attributes:
        max_receive: largest response message (`grpc.max_receive_message_length`; -1: no limit).
        max_send: largest request message (`grpc.max_send_message_length`; -1: no limit).
        max_metadata: largest response metadata (`grpc.absolute_max_metadata_size`, or
            `grpc.max_metadata_size` where that is larger).
        authority: overrides `:authority` (`grpc.default_authority`).
        scheme: overrides `:scheme` (`grpc.http2_scheme`).
        user_agent: the whole header (`grpc.primary_user_agent`, `grpc.secondary_user_agent`).
        compression: how requests are compressed (`grpc.default_compression_algorithm`).
        compress: whether requests are compressed at all (`grpc.per_message_compression`).
        initial_backoff, max_backoff: between attempts to connect
            (`grpc.initial_reconnect_backoff_ms`, `grpc.max_reconnect_backoff_ms`).
        connect_timeout: how long one attempt may take, at least (`grpc.min_reconnect_backoff_ms`,
            but never less than 1).
        idle_timeout: how long no call is in progress before the channel closes its connection and goes
            back to IDLE (`grpc.client_idle_timeout_ms`).
        retries: try calls again, as the service config says or where no server acted on them
            (`grpc.enable_retries`).
        retry_buffer: how much of a call's requests is kept for another try (`grpc.per_rpc_retry_buffer_size`).
        service_config: JSON, where the resolver has none (`grpc.service_config`), or None.
        ignore_resolved_config: whether a resolver's does not count (`grpc.service_config_disable_resolution`).
        policy: the load-balancing policy, where no service config names one (`grpc.lb_policy_name`), or None.
        most_connections: how many connections to each address the service config may ask for
            (`grpc.max_connections_per_subchannel_cap`).
        health_checks: ask servers for their health where the service config says so
            (`grpc.inhibit_health_checking`).
        propagate: calls end with the call whose handler makes them (`clarion.propagate`).
        share: share connections with channels that were made alike (`grpc.use_local_subchannel_pool` 0).
        dscp: the code point of packets (`grpc.dscp`), or None.
        receive_buffer: the sockets' receive buffer (`grpc.tcp_receive_buffer_size`), or None.
        target_name: whom the server proves to be with TLS (`grpc.ssl_target_name_override`), or None.
        session_cache: TLS sessions to resume (`grpc.ssl_session_cache`), or None.
        timeline: errors of all calls have a timeline (`clarion.timeline`).
        trace_memory: what the events that are recorded of it may take (`grpc.enable_channelz`,
            `grpc.max_channel_trace_event_memory_per_node`); None: nothing is recorded.
        http2: the connection's limits, and its keepalive.
        web: what speaks gRPC-Web or Connect in place of gRPC (`clarion.web_channel`), or None.
        arguments: all that was given, for resolvers.
    """

    max_receive: int = 4 << 20
    max_send: int = -1
    max_metadata: int = 16_384
    authority: str | None = None
    scheme: str | None = None
    user_agent: bytes = user_agent(None, None, __version__)
    compression: Compression | None = None
    compress: bool = True
    initial_backoff: float = 1.0
    max_backoff: float = 120.0
    connect_timeout: float = 20.0
    idle_timeout: float = 1800.0
    retries: bool = True
    retry_buffer: int = 256 << 10
    service_config: str | None = None
    ignore_resolved_config: bool = False
    policy: str | None = None
    most_connections: int = 10
    health_checks: bool = True
    propagate: bool = True
    share: bool = False
    dscp: int | None = None
    receive_buffer: int | None = None
    target_name: str | None = None
    session_cache: Any = None
    timeline: bool = False
    trace_memory: int | None = TRACE_MEMORY
    http2: Config = dataclasses.field(default_factory=lambda: Arguments(()).http2())
    web: Any = None
    arguments: Arguments = dataclasses.field(
        default_factory=lambda: Arguments(()), compare=False, repr=False
    )

    @classmethod
    def read(cls, options: Iterable[tuple[str, Any]] | None) -> ChannelOptions:
        """Read channel arguments, `(name, value)` pairs.

        Raises:
            TypeError: a name or value is of no kind that arguments have.
            InvalidUserAgent: the user agent cannot be sent.
        """
        given = Arguments(options)
        first_stream = given.integer("grpc.http2.initial_sequence_number", 1, 1, MAX_STREAM_ID)
        return cls(
            max_receive=given.max_receive,
            max_send=given.max_send,
            max_metadata=given.max_metadata,
            authority=given.text("grpc.default_authority"),
            scheme=given.text("grpc.http2_scheme"),
            user_agent=user_agent(
                given.text("grpc.primary_user_agent"),
                given.text("grpc.secondary_user_agent"),
                __version__,
            ),
            compression=given.compression,
            compress=given.flag("grpc.per_message_compression", True),
            initial_backoff=given.seconds("grpc.initial_reconnect_backoff_ms", 1.0, _LEAST_BACKOFF),
            max_backoff=given.seconds("grpc.max_reconnect_backoff_ms", 120.0, _LEAST_BACKOFF),
            connect_timeout=min(
                given.seconds("grpc.min_reconnect_backoff_ms", 20.0, _LEAST_CONNECT_TIMEOUT), 1e6
            ),
            idle_timeout=given.seconds("grpc.client_idle_timeout_ms", 1800.0, _LEAST_IDLE_TIMEOUT),
            retries=given.flag("grpc.enable_retries", True),
            retry_buffer=given.integer("grpc.per_rpc_retry_buffer_size", 256 << 10, 0, 2**31 - 1),
            service_config=given.text("grpc.service_config"),
            ignore_resolved_config=given.flag("grpc.service_config_disable_resolution", False),
            policy=given.text("grpc.lb_policy_name"),
            most_connections=given.integer("grpc.max_connections_per_subchannel_cap", 10, 1),
            health_checks=not given.flag("grpc.inhibit_health_checking", False),
            propagate=given.flag(PROPAGATE, True),
            share=not given.flag("grpc.use_local_subchannel_pool", True),
            dscp=given.dscp,
            receive_buffer=given.receive_buffer,
            target_name=given.text("grpc.ssl_target_name_override"),
            session_cache=given.value("grpc.ssl_session_cache"),
            timeline=given.flag("clarion.timeline", False),
            trace_memory=given.trace_memory,
            http2=given.http2(
                keepalive=given.keepalive(math.inf),
                # §5.1.1: a client's streams have odd numbers.
                first_stream=first_stream | 1,
            ),
            web=_web_of(given),
            arguments=given,
        )


def _web_of(given: Arguments) -> Any:
    value = given.value(_WEB)
    if value is not None and not hasattr(value, "make_connection"):
        raise TypeError(f"the option {_WEB} is for clarion.web_channel(...), which sets it")
    return value
