"""Listening sockets from the addresses that servers are given."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from typing import Any

from clarion.http2 import KeepaliveConfig
from clarion.resolver.target import HostPort, UnixAddress, VsockAddress, parse_listen_address
from clarion.sockets import give_up_unacknowledged, prepare, vsock_family

__all__ = ["ACCEPTED_AT_ONCE", "BACKLOG", "Listener", "bind", "connections_within_reach"]

BACKLOG = 1024
"""Connections that the kernel keeps until they are accepted."""

ACCEPTED_AT_ONCE = 64
"""Connections that are accepted before those that are there have their turn."""


class Listener:
    """The bound sockets of one address.

    Attributes:
        sockets: one per address family.
        port: the bound port; 1 for a Unix socket.
        is_unix: whether this is a Unix socket.
        security: what the port's credentials mean for its connections; None for plain text.
    """

    security: Any = None

    def __init__(self, sockets: list[socket.socket], port: int, path: str | None = None) -> None:
        self.sockets = sockets
        self.port = port
        self.is_unix = port == 1 and bool(sockets) and sockets[0].family == socket.AF_UNIX
        self._path = path

    def close(self) -> None:
        """Stop listening; remove a Unix socket's file."""
        sockets, self.sockets = self.sockets, []
        for sock in sockets:
            sock.close()
        if sockets and self._path is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._path)

    def forget(self) -> None:
        """Close what a forked child inherited; a Unix socket's file stays the parent's."""
        self._path = None
        self.close()


def connections_within_reach() -> int | None:
    """How many connections this process has file descriptors for; None: as many as come.

    An eighth of the descriptors, and 32 at least, is left for all else that a program opens.
    """
    try:
        import resource
    except ImportError:
        # Windows has no such limit.
        return None
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most == resource.RLIM_INFINITY:
        return None
    return max(most - max(most // 8, 32), 1)


def bind(
    address: str | bytes,
    *,
    reuse_port: bool = True,
    backlog: int = BACKLOG,
    dscp: int | None = None,
    receive_buffer: int | None = None,
    keepalive: KeepaliveConfig | None = None,
) -> Listener:
    """Bind and listen.

    Args:
        address: what `add_insecure_port` takes; bytes are UTF-8.
        reuse_port: let other processes share the port.
        backlog: connections the kernel keeps until they are accepted.
        dscp, receive_buffer: see `sockets.prepare`.
        keepalive: see `sockets.give_up_unacknowledged`.

    Raises:
        RuntimeError: the address cannot be bound; says which and why.
    """
    if isinstance(address, bytes):
        address = address.decode(errors="replace")
    try:
        target = parse_listen_address(address)
        if isinstance(target, UnixAddress):
            listener = _bind_unix(target, backlog)
        elif isinstance(target, VsockAddress):
            listener = _bind_vsock(target, backlog)
        else:
            assert isinstance(target, HostPort)
            listener = _bind_tcp(target.host, target.port, reuse_port, backlog)
        for sock in listener.sockets:
            prepare(sock, dscp, receive_buffer)
            if keepalive is not None:
                give_up_unacknowledged(sock, keepalive)
        return listener
    except (OSError, ValueError) as error:
        raise RuntimeError(f"Failed to bind to address {address}; {error}") from error


def _bind_unix(address: UnixAddress, backlog: int) -> Listener:
    path = address.path
    if not address.abstract:
        with contextlib.suppress(OSError):
            # What a dead server left behind is in the way.
            if stat.S_ISSOCK(os.stat(path).st_mode) and not _is_served(path):
                os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind("\0" + path if address.abstract else path)
        sock.listen(backlog)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return Listener([sock], 1, None if address.abstract else path)


def _bind_vsock(address: VsockAddress, backlog: int) -> Listener:
    sock = socket.socket(vsock_family(), socket.SOCK_STREAM)
    try:
        # 0 means any port, as it does elsewhere; vsock itself has another number for that.
        sock.bind((address.cid, address.port or getattr(socket, "VMADDR_PORT_ANY", 0)))
        sock.listen(backlog)
        sock.setblocking(False)
        return Listener([sock], int(sock.getsockname()[1]))
    except BaseException:
        sock.close()
        raise


def _is_served(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def _bind_tcp(host: str, port: int, reuse_port: bool, backlog: int) -> Listener:
    # All interfaces if the application says so, never by default.
    if host in ("", "::", "0.0.0.0", "*"):  # nosec B104
        if host != "0.0.0.0" and socket.has_dualstack_ipv6():  # nosec B104
            try:
                return _listener([_listen(socket.AF_INET6, "::", port, reuse_port, backlog, True)])
            except OSError as error:
                # Where IPv6 is compiled in and switched off; anything else is for the caller to know.
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
        return _listener([_listen(socket.AF_INET, "0.0.0.0", port, reuse_port, backlog)])  # nosec B104
    infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    for family, _, _, _, sockaddr in infos:
        try:
            # The families of one name share the port that the first one got.
            sockets.append(
                _listen(family, str(sockaddr[0]), _port(sockets) or port, reuse_port, backlog)
            )
        except OSError as error:
            failure = error
    if not sockets:
        raise failure or OSError(f"{host!r} has no addresses")
    return _listener(sockets)


def _listener(sockets: list[socket.socket]) -> Listener:
    return Listener(sockets, _port(sockets))


def _port(sockets: list[socket.socket]) -> int:
    return int(sockets[0].getsockname()[1]) if sockets else 0


def _listen(
    family: int, host: str, port: int, reuse_port: bool, backlog: int, dual: bool = False
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port and hasattr(socket, "SO_REUSEPORT"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
        sock.bind((host, port))
        sock.listen(backlog)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock
