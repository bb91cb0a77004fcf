"""Socket options that channel arguments ask for."""

from __future__ import annotations

import socket

import pytest

from clarion.listening import bind
from clarion.sockets import prepare


@pytest.mark.parametrize(
    ("family", "level", "option"),
    [
        (socket.AF_INET, socket.IPPROTO_IP, socket.IP_TOS),
        (socket.AF_INET6, socket.IPPROTO_IPV6, socket.IPV6_TCLASS),
    ],
)
def test_the_code_point_of_packets(family: int, level: int, option: int) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        prepare(sock, None, None)
        assert sock.getsockopt(level, option) == 0
        prepare(sock, 46, None)
        assert sock.getsockopt(level, option) == 46 << 2


def test_unix_sockets_have_no_packets() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        prepare(sock, 46, None)


def test_accepted_sockets_inherit() -> None:
    listener = bind("127.0.0.1:0", dscp=10, receive_buffer=8192)
    try:
        [sock] = listener.sockets
        sock.setblocking(True)
        with socket.create_connection(("127.0.0.1", listener.port)):
            accepted, _ = sock.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 10 << 2
                # Linux doubles what it is told.
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) in (8192, 16384)
    finally:
        listener.close()
