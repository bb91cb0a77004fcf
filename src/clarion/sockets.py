"""What is set on sockets, listening and connecting, whoever drives them."""

from __future__ import annotations

import contextlib
import errno
import math
import socket

from clarion.http2 import KeepaliveConfig

__all__ = ["give_up_unacknowledged", "prepare", "vsock_family"]

# The code point is the upper six bits of the byte (RFC 2474 §3).
_DSCP_SHIFT = 2
_MOST_MILLISECONDS = 2**31 - 1


def vsock_family() -> int:
    """The address family of sockets between a virtual machine and its host.

    Raises:
        OSError: the system has none.
    """
    family: int | None = getattr(socket, "AF_VSOCK", None)
    if family is None:
        raise OSError(errno.EAFNOSUPPORT, "this system, or its Python, has no vsock")
    return family


def prepare(sock: socket.socket, dscp: int | None, receive_buffer: int | None) -> None:
    """Set what channel arguments ask for. Before `connect` or `listen`, so that the handshake has it too.

    Args:
        sock: a stream socket; accepted sockets inherit what a listening one has.
        dscp: the packets' code point, 0 to 63 (`grpc.dscp`), or None.
        receive_buffer: the receive buffer in bytes (`grpc.tcp_receive_buffer_size`), or None.
    """
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if dscp is None:
        return
    # Systems that do not let programs choose say so; packets without a mark are better than none.
    with contextlib.suppress(OSError, AttributeError):
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << _DSCP_SHIFT)
        elif sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << _DSCP_SHIFT)


def give_up_unacknowledged(sock: socket.socket, keepalive: KeepaliveConfig) -> None:
    """End the connection when bytes go unacknowledged for as long as the answer to a PING may take (gRFC A18).

    Keepalive alone does not notice a peer that is gone while this side sends: its PING waits behind the rest. Nothing is
    set where there is no keepalive, or the system has no TCP_USER_TIMEOUT.

    Args:
        sock: a connected socket, for before that it would limit the attempt to connect; or a listening one, from which
            accepted sockets inherit it.
        keepalive: of the connection.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is None or keepalive.time == math.inf:
        return
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    # 0 would mean the system's own limit.
    milliseconds = max(min(int(keepalive.timeout * 1000), _MOST_MILLISECONDS), 1)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, option, milliseconds)
