"""Which connections stay within the machine."""

from __future__ import annotations

import ipaddress
import socket

from clarion.credentials.kinds import LocalConnectionType
from clarion.resolver.target import Address, HostPort, UnixAddress

__all__ = ["is_local_address", "is_local_socket"]


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


def _is_loopback(host: str) -> bool:
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
