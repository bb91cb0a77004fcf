"""Asyncio channels to servers of this process."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable
from typing import Any

from clarion.aio.channel import Channel
from clarion.aio.interceptors import ClientInterceptor
from clarion.aio.runtime import AioRuntime, ClientLink
from clarion.client_core import LinkOwner
from clarion.credentials.channel import ChannelCredentials, kind_of_channel
from clarion.http2 import Config
from clarion.in_process import Door, client_security, new_target, open_connection
from clarion.method import Compression
from clarion.resolver.target import Address

__all__ = ["InProcessChannel", "in_process_channel"]


class _Runtime(AioRuntime):
    """A loop's runtime, but that it connects to one server, whatever the address."""

    def __init__(self, loop: asyncio.AbstractEventLoop, door: Door, server_security: Any) -> None:
        super().__init__(loop)
        self._door = door
        self._server_security = server_security

    async def _connect(
        self,
        address: Address,
        config: Config,
        owner: LinkOwner,
        done: Callable[[ClientLink | None, str], None],
    ) -> None:
        security: Any = owner.security
        refused = None if security is None else security.refuse(address)
        if refused:
            done(None, refused)
            return
        sock, why = open_connection(self._door, self._server_security)
        if sock is None:
            done(None, why)
            return
        link = ClientLink(self.loop, config, owner)
        try:
            if security is not None and security.encrypted:
                # Loaded by the channel, which has credentials.
                from clarion.aio import tls

                seconds = owner.options.connect_timeout
                try:
                    await tls.secure_client_link(
                        link, security, seconds, lambda protocol: self._open(protocol, sock)
                    )
                except tls.HandshakeFailed as error:
                    done(None, str(error))
                    return
            else:
                await self._open(lambda: link, sock)
        except OSError as error:
            sock.close()
            done(None, os.strerror(error.errno) if error.errno else str(error))
            return
        done(link, "")

    async def _open(self, protocol: Callable[[], asyncio.Protocol], sock: socket.socket) -> Any:
        if sock.family == getattr(socket, "AF_UNIX", None):
            return await self.loop.create_unix_connection(protocol, sock=sock)
        return await self.loop.create_connection(protocol, sock=sock)


class InProcessChannel(Channel):
    """A channel to one server of this process. It keeps the server alive."""

    def __init__(
        self,
        door: Door,
        options: Iterable[tuple[str, Any]] | None,
        compression: Compression | None,
        interceptors: Iterable[ClientInterceptor] | None,
        credentials: Any,
        server_security: Any,
    ) -> None:
        self._door = door
        self._server_security = server_security
        super().__init__(new_target(door), options, compression, interceptors, credentials)
        if credentials is not None:
            self.security = client_security(self.security)

    def make_runtime(self, loop: asyncio.AbstractEventLoop) -> AioRuntime:
        """See `Channel`."""
        return _Runtime(loop, self._door, self._server_security)


def in_process_channel(
    server: Door,
    options: Iterable[tuple[str, Any]] | None = None,
    compression: Compression | None = None,
    interceptors: Iterable[ClientInterceptor] | None = None,
    *,
    credentials: ChannelCredentials | None = None,
    server_credentials: Any = None,
) -> Channel:
    """Make an asyncio channel to a server of this process; see `clarion.testing.aio_in_process_channel`."""
    if credentials is not None:
        kind_of_channel(credentials)
    security = (
        None if server_credentials is None else server.connection_security(server_credentials)
    )
    return InProcessChannel(server, options, compression, interceptors, credentials, security)
