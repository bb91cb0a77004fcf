"""Which connections stay within the machine."""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys
from typing import Any, NamedTuple

from clarion.credentials.kinds import LocalConnectionType
from clarion.resolver.target import Address, HostPort, UnixAddress

__all__ = ["PeerProcess", "is_local_address", "is_local_socket", "peer_process"]

_UCRED = struct.Struct("3i")


class PeerProcess(NamedTuple):
    """Who connected to a Unix socket, as the kernel noted it then.

    A process may be gone, and its number given to another, before anybody looks at `pid`.
    """

    pid: int
    uid: int
    gid: int


def is_local_address(address: Address, kind: LocalConnectionType) -> bool:
    """Whether a connection to `address` is local in the way of `kind`."""
    if isinstance(address, UnixAddress):
        return kind is LocalConnectionType.UDS
    # Neither what is behind a proxy, nor what is in another virtual machine.
    if not isinstance(address, HostPort):
        return False
    return kind is LocalConnectionType.LOCAL_TCP and _is_loopback(address.host)


def is_local_socket(sock: socket.socket, kind: LocalConnectionType) -> bool:
    """Whether the accepted connection of `sock` is local in the way of `kind`."""
    # Of no consequence to the check on Windows, which has no such family.
    if sock.family == getattr(socket, "AF_UNIX", None):
        return kind is LocalConnectionType.UDS
    try:
        host = str(sock.getpeername()[0])
    except OSError:
        return False
    return kind is LocalConnectionType.LOCAL_TCP and _is_loopback(host)


def peer_process(sock: Any) -> PeerProcess | None:
    """Who is at the other end of an accepted connection; None if it is no Unix socket, or the system is not Linux."""
    # Other systems have the option too, but with another structure.
    if sys.platform != "linux" or sock.family != socket.AF_UNIX:
        return None
    try:
        pid, uid, gid = _UCRED.unpack(
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        )
    except OSError:
        return None
    # The kernel's numbers are unsigned.
    return PeerProcess(pid, uid & 0xFFFFFFFF, gid & 0xFFFFFFFF)


def _is_loopback(host: str) -> bool:
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
