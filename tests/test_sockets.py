"""Socket options that channel arguments ask for."""

from __future__ import annotations

import math
import socket

import pytest

from clarion.http2 import KeepaliveConfig
from clarion.listening import bind
from clarion.sockets import give_up_unacknowledged, prepare


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


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system has no such option")
class TestUserTimeout:
    """gRFC A18."""

    def test_it_is_the_time_that_an_answer_to_a_ping_may_take(self) -> None:
        with socket.socket() as sock:
            give_up_unacknowledged(sock, KeepaliveConfig(time=60.0, timeout=7.5))
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7500

    def test_none_at_all_is_the_least_there_is(self) -> None:
        with socket.socket() as sock:
            give_up_unacknowledged(sock, KeepaliveConfig(time=60.0, timeout=0.0))
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 1

    def test_not_without_keepalive(self) -> None:
        with socket.socket() as sock:
            give_up_unacknowledged(sock, KeepaliveConfig(time=math.inf, timeout=7.5))
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 0

    def test_not_between_processes(self) -> None:
        with socket.socket(socket.AF_UNIX) as sock:
            give_up_unacknowledged(sock, KeepaliveConfig(time=60.0, timeout=7.5))

    def test_accepted_sockets_inherit_it(self) -> None:
        listener = bind("127.0.0.1:0", keepalive=KeepaliveConfig(time=60.0, timeout=7.5))
        try:
            [sock] = listener.sockets
            sock.setblocking(True)
            with socket.create_connection(("127.0.0.1", listener.port)):
                accepted, _ = sock.accept()
                with accepted:
                    option = socket.TCP_USER_TIMEOUT
                    assert accepted.getsockopt(socket.IPPROTO_TCP, option) == 7500
        finally:
            listener.close()
