"""What is known of a socket: its number, its name, its ends and what secures it.

Connections and listening sockets get a number when somebody sees them for the first time, so that servers do nothing for
each connection. Numbers grow, and so the order of a list does not change while it is read page by page.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
import weakref
from typing import Any

from clarion.channelz_data import SOCKET, Node, find, record

__all__ = ["connection_node", "fill_address", "fill_ends", "fill_security", "is_open", "name_of"]

_lock = threading.Lock()
_known: weakref.WeakKeyDictionary[Any, Node] = weakref.WeakKeyDictionary()


def connection_node(entity: Any) -> Node:
    """What is recorded of a connection's link, or of a listening socket: its number."""
    with _lock:
        node = _known.get(entity)
        # A forked child forgets its parent's.
        if node is None or find(SOCKET, node.number) is not node:
            node = _known[entity] = record(SOCKET, entity, time.time, 0)
        return node


def is_open(entity: Any) -> bool:
    """Whether it is still there."""
    if isinstance(entity, socket.socket):
        return entity.fileno() >= 0
    return not entity.connection.closed


def name_of(entity: Any) -> str:
    """What to call it."""
    if isinstance(entity, socket.socket):
        return f"listening {_address_text(entity)}"
    # Clients' links remember their server, asyncio's servers ask their transport.
    peer: Any = getattr(entity, "peer_name", None) or entity.peer
    return str(peer() if callable(peer) else peer)


def _address_text(sock: socket.socket) -> str:
    try:
        address = sock.getsockname()
    except OSError:
        return "closed"
    if sock.family == socket.AF_INET:
        return f"{address[0]}:{address[1]}"
    if sock.family == socket.AF_INET6:
        return f"[{address[0]}]:{address[1]}"
    return _path(address)


def _path(address: Any) -> str:
    if isinstance(address, bytes):
        address = address.decode("utf-8", "replace")
    # What is abstract begins with a zero byte.
    return str(address).replace("\0", "@")


def _socket_of(entity: Any) -> Any:
    if isinstance(entity, socket.socket):
        return entity
    sock = getattr(entity, "sock", None)
    if sock is None:
        transport = entity.transport
        sock = None if transport is None else transport.get_extra_info("socket")
    return sock


def fill_ends(message: Any, entity: Any) -> None:
    """Set `local` and `remote` of a Socket, as far as the system still knows them."""
    sock = _socket_of(entity)
    if sock is None:
        return
    try:
        fill_address(message.local, sock.family, sock.getsockname())
        if sock is not entity:
            fill_address(message.remote, sock.family, sock.getpeername())
    except OSError:
        # It was closed just now.
        return


def fill_address(message: Any, family: int, address: Any) -> None:
    """Set an Address.

    Args:
        message: the Address.
        family: of the socket.
        address: as the socket has it.
    """
    if family in (socket.AF_INET, socket.AF_INET6):
        # Link-local addresses name their interface, too.
        host = address[0].partition("%")[0]
        message.tcpip_address.ip_address = socket.inet_pton(family, host)
        message.tcpip_address.port = address[1]
    elif family == getattr(socket, "AF_UNIX", None):
        message.uds_address.filename = _path(address)
    else:
        message.other_address.name = str(address)


def fill_security(message: Any, link: Any) -> None:
    """Set `security` and `remote_name` of a Socket, if it has any."""
    tls = getattr(link, "tls", None)
    if tls is not None:
        with link.lock:
            _fill_tls(message, tls.ssl)
        return
    auth = getattr(link, "auth", None)
    if auth is not None:
        kind = auth.properties["transport_security_type"][0]
        message.security.other.name = kind.decode()


def _fill_tls(message: Any, connection: Any) -> None:
    cipher = connection.cipher()
    if cipher is not None:
        # IANA's names begin so; before TLS 1.3 OpenSSL had names of its own.
        kind = "standard_name" if cipher[0].startswith("TLS_") else "other_name"
        setattr(message.security.tls, kind, cipher[0])
    certificate = connection.getpeercert(binary_form=True)
    if certificate:
        message.security.tls.remote_certificate = ssl.DER_cert_to_PEM_cert(certificate).encode()
    name = connection.server_hostname
    if name and not connection.server_side:
        message.remote_name = name
