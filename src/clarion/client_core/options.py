"""A channel's settings, read from grpcio's channel arguments.

Arguments that mean nothing here are ignored, as grpcio ignores those it does not know.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from clarion._version import __version__
from clarion.http2 import Config
from clarion.protocol.user_agent import user_agent

__all__ = ["ChannelOptions"]

_MAX_RECEIVE = 4 << 20
_MAX_METADATA = 16_384
# See the server's options.
_MAX_FRAME_SIZE = 65_536
# The option is about backoff; a busy machine may take longer than that to answer.
_LEAST_CONNECT_TIMEOUT = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class ChannelOptions:
    """What `options` of a channel may set.

    Attributes:
        max_receive: largest response message in bytes (`grpc.max_receive_message_length`; -1: no limit).
        max_send: largest request message in bytes (`grpc.max_send_message_length`; -1: no limit).
        max_metadata: largest response metadata in bytes (`grpc.absolute_max_metadata_size`, or
            `grpc.max_metadata_size` where that is larger).
        authority: overrides `:authority` (`grpc.default_authority`).
        user_agent: the whole header (`grpc.primary_user_agent`, `grpc.secondary_user_agent`).
        initial_backoff, max_backoff: seconds between attempts to connect
            (`grpc.initial_reconnect_backoff_ms`, `grpc.max_reconnect_backoff_ms`).
        connect_timeout: seconds one attempt may take, at least (`grpc.min_reconnect_backoff_ms`,
            but never less than 1).
        http2: the connection's limits.
    """

    max_receive: int = _MAX_RECEIVE
    max_send: int = -1
    max_metadata: int = _MAX_METADATA
    authority: str | None = None
    user_agent: bytes = user_agent(None, None, __version__)
    initial_backoff: float = 1.0
    max_backoff: float = 120.0
    connect_timeout: float = 20.0
    http2: Config = dataclasses.field(
        default_factory=lambda: Config(max_frame_size=_MAX_FRAME_SIZE)
    )

    @classmethod
    def read(cls, options: Iterable[tuple[str, Any]] | None) -> ChannelOptions:
        """Read channel arguments, `(name, value)` pairs.

        Raises:
            LocalError: a value is out of its range.
        """
        given = dict(options or ())
        max_metadata = max(
            int(given.get("grpc.absolute_max_metadata_size", _MAX_METADATA)),
            int(given.get("grpc.max_metadata_size", 0)),
        )
        changes: dict[str, Any] = {}
        frame_size = given.get("grpc.http2.max_frame_size", _MAX_FRAME_SIZE)
        changes["max_frame_size"] = int(frame_size)
        if "grpc.http2.lookahead_bytes" in given:
            window = int(given["grpc.http2.lookahead_bytes"])
            changes["initial_window"] = window
            changes["max_window"] = max(window, Config().max_window)
        if "grpc.http2.hpack_table_size.decoder" in given:
            changes["header_table_size"] = int(given["grpc.http2.hpack_table_size.decoder"])
        return cls(
            max_receive=int(given.get("grpc.max_receive_message_length", _MAX_RECEIVE)),
            max_send=int(given.get("grpc.max_send_message_length", -1)),
            max_metadata=max_metadata,
            authority=given.get("grpc.default_authority"),
            user_agent=user_agent(
                given.get("grpc.primary_user_agent"),
                given.get("grpc.secondary_user_agent"),
                __version__,
            ),
            initial_backoff=int(given.get("grpc.initial_reconnect_backoff_ms", 1_000)) / 1000,
            max_backoff=int(given.get("grpc.max_reconnect_backoff_ms", 120_000)) / 1000,
            connect_timeout=max(
                int(given.get("grpc.min_reconnect_backoff_ms", 20_000)) / 1000,
                _LEAST_CONNECT_TIMEOUT,
            ),
            http2=Config(max_header_list_size=max_metadata, **changes),
        )
