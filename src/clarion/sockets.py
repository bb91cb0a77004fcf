"""What is set on sockets, listening and connecting, whoever drives them."""

from __future__ import annotations

import contextlib
import socket

__all__ = ["prepare"]

# The code point is the upper six bits of the byte (RFC 2474 §3).
_DSCP_SHIFT = 2


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
