"""Connections between a channel and a server of one process: what both front ends need for that.

A connection is a pair of connected sockets (`socket.socketpair`), one end for each side. So everything above the socket
is what it is in production: HTTP/2, flow control, TLS, deadlines, threads or event loop. A pipe in memory would need
transports, and a reading thread's `poll`, of its own, which no production code has; and it could not tell a stopped
reader from a slow one, as a socket's buffer does. A pair has no port and no file, so tests need none and nobody else can
connect. Python makes the pair of Unix sockets where there are such, else of sockets on the loopback.
"""

from __future__ import annotations

import itertools
import socket
from typing import Any, Protocol

from clarion.credentials.kinds import LocalConnectionType
from clarion.resolver.endpoint import Endpoint
from clarion.resolver.registry import register
from clarion.resolver.resolver import Resolution, Resolver
from clarion.resolver.target import UnixAddress

__all__ = [
    "Door",
    "InProcessAddress",
    "client_security",
    "new_target",
    "open_connection",
    "server_side",
]

_SCHEME = "in-process"
_numbers = itertools.count(1)


class Door(Protocol):
    """A server that takes connections which are not from its ports."""

    def take_connection(self, sock: socket.socket, security: Any = None) -> str:
        """Serve a connected socket, which is the server's from now on; from any thread.

        A server that has not started serves it when it has, as it does those in a port's backlog.

        Args:
            sock: the server's end.
            security: what `connection_security` made of credentials.

        Returns:
            "", or why the server does not take it: then the socket is the caller's still.
        """

    def connection_security(self, server_credentials: Any) -> Any:
        """What credentials mean for connections; None for those without.

        Raises:
            ValueError: the credentials cannot be used; says why.
            TypeError: they are no server credentials.
        """


class InProcessAddress(UnixAddress):
    """A server of this process. It counts as a Unix socket: as such it is local, and nobody proxies it."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"{_SCHEME}:{self.path}"


@register
class _InProcessResolver(Resolver):
    scheme = _SCHEME

    @classmethod
    def authority(cls, rest: str) -> str:
        return "localhost"

    def start(self) -> None:
        self.helper.update(Resolution((Endpoint((InProcessAddress(self.target.rest),)),)))

    def close(self) -> None:
        """There is nothing to end."""


def new_target(server: object) -> str:
    """The target of another channel to `server`; unlike any other."""
    return f"{_SCHEME}:{type(server).__module__.split('.')[1]}-server-{next(_numbers)}"


def open_connection(door: Door, security: Any) -> tuple[socket.socket | None, str]:
    """Connect to a server; the client's end, or None and why not."""
    try:
        ours, theirs = socket.socketpair()
    except OSError as error:
        return None, error.strerror or str(error)
    ours.setblocking(False)
    theirs.setblocking(False)
    refused = door.take_connection(theirs, security)
    if refused:
        ours.close()
        theirs.close()
        return None, refused
    return ours, ""


def client_security(security: Any) -> Any:
    """What a channel's credentials mean here: local ones of every kind are for connections within a process."""
    from clarion.security.client import LocalClient

    return LocalClient(LocalConnectionType.UDS) if isinstance(security, LocalClient) else security


def server_side(kind: Any) -> Any:
    """What a server's credentials, of a kind that `kind_of_server` gave, mean here; the same holds of local ones.

    Raises:
        ValueError: the credentials cannot be used; says why.
    """
    from clarion.security.server import LocalServer, server_security

    security = server_security(kind)
    if not isinstance(security, LocalServer):
        return security
    here, there = socket.socketpair()
    with here, there:
        is_unix = here.family == getattr(socket, "AF_UNIX", None)
    return LocalServer(LocalConnectionType.UDS if is_unix else LocalConnectionType.LOCAL_TCP)
