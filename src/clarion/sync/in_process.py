"""Sync channels to servers of this process."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from clarion.client_core import ChannelCore, LinkOwner
from clarion.credentials.channel import ChannelCredentials, kind_of_channel
from clarion.http2 import Config
from clarion.in_process import Door, client_security, new_target, open_connection
from clarion.method import Compression
from clarion.resolver.target import Address
from clarion.sync.channel import Channel
from clarion.sync.client_link import ClientLink
from clarion.sync.runtime import SyncRuntime

__all__ = ["InProcessChannel", "in_process_channel"]


class _Runtime(SyncRuntime):
    """The process's runtime, but that it connects to one server, whatever the address."""

    def __init__(self, runtime: SyncRuntime, door: Door, server_security: Any) -> None:
        # Not the base's, which would start another thread.
        vars(self).update(vars(runtime))
        self._door = door
        self._server_security = server_security

    def connect(
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
        elif security is not None and security.encrypted:
            # Loaded by the channel, which has credentials.
            from clarion.sync import tls

            linked = functools.partial(self._linked, done)
            tls.connect(sock, self.io, config, owner, owner.options.connect_timeout, linked)
        else:
            self._linked(done, ClientLink(sock, self.io, config, owner), "")

    def _linked(
        self, done: Callable[[ClientLink | None, str], None], link: ClientLink | None, why: str
    ) -> None:
        if link is not None:
            self.links.add(link)
        done(link, why)


class InProcessChannel(Channel):
    """A channel to one server of this process. It keeps the server alive."""

    def __init__(
        self,
        door: Door,
        options: Sequence[tuple[str, Any]] | None,
        compression: Compression | None,
        credentials: Any,
        server_security: Any,
    ) -> None:
        self._door = door
        self._server_security = server_security
        super().__init__(new_target(door), options, compression, credentials)
        if credentials is not None:
            self._security = client_security(self._security)

    def _make_core(self, runtime: SyncRuntime) -> ChannelCore:
        own = _Runtime(runtime, self._door, self._server_security)
        return ChannelCore(own, self.target, self.options, self._security)


def in_process_channel(
    server: Door,
    options: Sequence[tuple[str, Any]] | None = None,
    compression: Compression | None = None,
    *,
    credentials: ChannelCredentials | None = None,
    server_credentials: Any = None,
) -> Channel:
    """Make a sync channel to a server of this process; see `clarion.testing.in_process_channel`."""
    if credentials is not None:
        kind_of_channel(credentials)
    security = (
        None if server_credentials is None else server.connection_security(server_credentials)
    )
    return InProcessChannel(server, options, compression, credentials, security)
