"""A server's settings, read from grpcio's channel arguments.

Arguments that mean nothing here are ignored, as grpcio ignores those it does not know.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from clarion.http2 import Config

__all__ = ["DEFAULT_MAX_RECEIVE", "ServerOptions"]

DEFAULT_MAX_RECEIVE = 4 << 20
DEFAULT_MAX_METADATA = 16_384
# Four times HTTP/2's: large messages cost a quarter of the frames, and other streams wait half a millisecond
# at most on a gigabit link.
_MAX_FRAME_SIZE = 65_536


@dataclasses.dataclass(frozen=True, slots=True)
class ServerOptions:
    """What `options` of a server may set.

    Attributes:
        max_receive: largest request message in bytes (`grpc.max_receive_message_length`; -1: no limit).
        max_send: largest response message in bytes (`grpc.max_send_message_length`; -1: no limit).
        max_metadata: largest request metadata in bytes (`grpc.absolute_max_metadata_size`, or
            `grpc.max_metadata_size` where that is larger).
        reuse_port: share the port with other processes (`grpc.so_reuseport`).
        http2: the connections' limits (`grpc.max_concurrent_streams`, `grpc.http2.*`).
    """

    max_receive: int = DEFAULT_MAX_RECEIVE
    max_send: int = -1
    max_metadata: int = DEFAULT_MAX_METADATA
    reuse_port: bool = True
    http2: Config = dataclasses.field(
        default_factory=lambda: Config(max_frame_size=_MAX_FRAME_SIZE)
    )

    @classmethod
    def read(cls, options: Iterable[tuple[str, Any]] | None) -> ServerOptions:
        """Read channel arguments, `(name, value)` pairs.

        Raises:
            LocalError: a value is out of its range.
        """
        given = dict(options or ())
        max_metadata = max(
            int(given.get("grpc.absolute_max_metadata_size", DEFAULT_MAX_METADATA)),
            int(given.get("grpc.max_metadata_size", 0)),
        )
        return cls(
            max_receive=int(given.get("grpc.max_receive_message_length", DEFAULT_MAX_RECEIVE)),
            max_send=int(given.get("grpc.max_send_message_length", -1)),
            max_metadata=max_metadata,
            reuse_port=bool(given.get("grpc.so_reuseport", True)),
            http2=read_http2(given, max_metadata),
        )


def read_http2(given: dict[str, Any], max_metadata: int) -> Config:
    """The connection limits among channel arguments."""
    config = Config(max_header_list_size=max_metadata)
    changes: dict[str, Any] = {}
    if "grpc.max_concurrent_streams" in given:
        changes["max_concurrent_streams"] = int(given["grpc.max_concurrent_streams"])
    changes["max_frame_size"] = int(given.get("grpc.http2.max_frame_size", _MAX_FRAME_SIZE))
    if "grpc.http2.lookahead_bytes" in given:
        window = int(given["grpc.http2.lookahead_bytes"])
        changes["initial_window"] = window
        changes["max_window"] = max(window, config.max_window)
    if "grpc.http2.hpack_table_size.decoder" in given:
        changes["header_table_size"] = int(given["grpc.http2.hpack_table_size.decoder"])
    return dataclasses.replace(config, **changes)
