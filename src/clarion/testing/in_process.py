"""Channels to servers of the same process, of either front end to either."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from clarion.credentials import ChannelCredentials, ServerCredentials
from clarion.in_process import Door
from clarion.method import Compression

if TYPE_CHECKING:
    import clarion.aio.interfaces
    import clarion.sync.channel_interface
    import clarion.sync.interfaces

    AnyServer = clarion.sync.interfaces.Server | clarion.aio.interfaces.Server

__all__ = ["aio_in_process_channel", "in_process_channel"]


def in_process_channel(
    server: AnyServer,
    options: Sequence[tuple[str, Any]] | None = None,
    compression: Compression | None = None,
    *,
    credentials: ChannelCredentials | None = None,
    server_credentials: ServerCredentials | None = None,
) -> clarion.sync.channel_interface.Channel:
    """Make a sync channel to a server of this process, sync or asyncio, that needs no port.

    Everything above the socket is as in production: HTTP/2, flow control, deadlines, metadata, interceptors, TLS. The
    server may have ports beside it, or none. Calls that are made before the server starts wait until it has. The channel
    keeps the server alive, and is to be closed like any other.

    A sync call blocks its thread: an asyncio server has to run on the event loop of another one.

    Args:
        server: made by `clarion.server` or `clarion.aio.server`.
        options: channel arguments, `(name, value)` pairs.
        compression: how requests are compressed by default.
        credentials: the channel's, as `clarion.secure_channel` takes them; None: none. Local ones of every kind will do.
        server_credentials: those of the port that the channel would connect to; None: none.

    Raises:
        TypeError: `server` is no server of Clarion's.
        ValueError: `server_credentials` cannot be used; says why.
    """
    from clarion.sync import in_process

    return in_process.in_process_channel(
        _door(server),
        options,
        compression,
        credentials=credentials,
        server_credentials=server_credentials,
    )


def aio_in_process_channel(
    server: AnyServer,
    options: Iterable[tuple[str, Any]] | None = None,
    compression: Compression | None = None,
    interceptors: Iterable[Any] | None = None,
    *,
    credentials: ChannelCredentials | None = None,
    server_credentials: ServerCredentials | None = None,
) -> clarion.aio.interfaces.Channel:
    """Make an asyncio channel to a server of this process, sync or asyncio; see `in_process_channel`.

    Args:
        server: see there, as for the rest.
        options: channel arguments.
        compression: how requests are compressed by default.
        interceptors: of the channel.
        credentials: the channel's.
        server_credentials: those of the port that the channel would connect to.

    Raises:
        TypeError: `server` is no server of Clarion's.
        ValueError: `server_credentials` cannot be used; says why.
    """
    from clarion.aio import in_process

    return in_process.in_process_channel(
        _door(server),
        options,
        compression,
        interceptors,
        credentials=credentials,
        server_credentials=server_credentials,
    )


def _door(server: object) -> Door:
    if not hasattr(server, "take_connection"):
        raise TypeError(
            f"{server!r} is no server of Clarion's; clarion.server and clarion.aio.server make those"
        )
    return cast(Door, server)
