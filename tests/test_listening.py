"""Listening sockets from addresses."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clarion import listening
from clarion.listening import Listener, bind, connections_within_reach

V4 = socket.AF_INET
V6 = socket.AF_INET6


@pytest.fixture
def open_listeners() -> Iterator[list[Listener]]:
    listeners: list[Listener] = []
    yield listeners
    for listener in listeners:
        listener.close()


def accepts(listener: Listener, family: int, host: str) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        try:
            client.connect((host, listener.port))
        except OSError:
            return False
    return True


def test_one_address(open_listeners: list[Listener]) -> None:
    listener = bind("127.0.0.1:0")
    open_listeners.append(listener)
    assert listener.port > 0
    assert not listener.is_unix
    [sock] = listener.sockets
    assert sock.getblocking() is False
    assert accepts(listener, V4, "127.0.0.1")


def test_an_address_in_bytes(open_listeners: list[Listener]) -> None:
    listener = bind(b"127.0.0.1:0")
    open_listeners.append(listener)
    assert accepts(listener, V4, "127.0.0.1")


@pytest.mark.parametrize("address", ["[::]:0", "0.0.0.0:0", ":0", "*:0", "dns:///127.0.0.1:0"])
def test_every_address(open_listeners: list[Listener], address: str) -> None:
    listener = bind(address)
    open_listeners.append(listener)
    assert accepts(listener, V4, "127.0.0.1")


def test_all_addresses_of_a_name_have_one_port(
    open_listeners: list[Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lookup(*args: Any, **kwargs: Any) -> list[Any]:
        return [(V4, 1, 6, "", ("127.0.0.1", 0)), (V4, 1, 6, "", ("127.0.0.2", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    listener = bind("name.test:0")
    open_listeners.append(listener)
    assert len(listener.sockets) == 2
    assert len({sock.getsockname()[1] for sock in listener.sockets}) == 1


def test_one_bad_address_of_several_is_passed_over(
    open_listeners: list[Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lookup(*args: Any, **kwargs: Any) -> list[Any]:
        return [(V4, 1, 6, "", ("192.0.2.1", 0)), (V4, 1, 6, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    listener = bind("name.test:0")
    open_listeners.append(listener)
    assert [sock.getsockname()[0] for sock in listener.sockets] == ["127.0.0.1"]


def test_no_address_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *args, **kwargs: [(V4, 1, 6, "", ("192.0.2.1", 0))]
    )
    with pytest.raises(RuntimeError, match=r"name\.test:0"):
        bind("name.test:0")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: [])
    with pytest.raises(RuntimeError, match="no addresses"):
        bind("name.test:0")


def test_a_port_in_use_is_named(open_listeners: list[Listener]) -> None:
    listener = bind("127.0.0.1:0", reuse_port=False)
    open_listeners.append(listener)
    with pytest.raises(RuntimeError, match=f"127.0.0.1:{listener.port}"):
        bind(f"127.0.0.1:{listener.port}", reuse_port=False)


def test_ports_are_shared_where_that_is_wanted(open_listeners: list[Listener]) -> None:
    one = bind("127.0.0.1:0", reuse_port=True)
    other = bind(f"127.0.0.1:{one.port}", reuse_port=True)
    open_listeners += [one, other]
    assert one.port == other.port


def test_without_ipv6(open_listeners: list[Listener], monkeypatch: pytest.MonkeyPatch) -> None:
    real = listening._listen

    def listen(family: int, *args: Any) -> socket.socket:
        if family == V6:
            raise OSError(errno.EADDRNOTAVAIL, "no IPv6")
        return real(family, *args)

    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: True)
    monkeypatch.setattr(listening, "_listen", listen)
    listener = bind("[::]:0")
    open_listeners.append(listener)
    assert listener.sockets[0].family == V4


def test_a_port_that_is_in_use_for_ipv6_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listening on IPv4 alone would leave IPv6 clients with somebody else's server."""

    def listen(family: int, *args: Any) -> socket.socket:
        raise OSError(errno.EADDRINUSE, "in use")

    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: True)
    monkeypatch.setattr(listening, "_listen", listen)
    with pytest.raises(RuntimeError, match="in use"):
        bind("[::]:0")


@pytest.mark.parametrize("address", ["nonsense", "1.2.3.4:x", "", "unix:"])
def test_bad_addresses(address: str) -> None:
    with pytest.raises(RuntimeError, match="Failed to bind"):
        bind(address)


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    listener = bind(f"unix:{path}")
    assert listener.is_unix
    assert listener.port == 1
    assert path.is_socket()
    listener.close()
    assert not path.exists()
    listener.close()


def test_a_dead_servers_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listener = bind(f"unix:{path}")
    listener.close()


def test_a_live_servers_socket_is_not(tmp_path: Path) -> None:
    path = tmp_path / "s"
    listener = bind(f"unix:{path}")
    with pytest.raises(RuntimeError, match="in use"):
        bind(f"unix:{path}")
    assert path.is_socket()
    listener.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(RuntimeError):
        bind(f"unix:{path}")
    assert path.read_text() == "precious"


def test_a_child_leaves_the_file_to_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "s"
    listener = bind(f"unix:{path}")
    listener.forget()
    assert path.is_socket()
    assert listener.sockets == []


def test_a_socket_file_that_is_gone_already(tmp_path: Path) -> None:
    listener = bind(f"unix:{tmp_path / 's'}")
    os.unlink(tmp_path / "s")
    listener.close()


@pytest.mark.skipif(not os.path.exists("/proc/net/unix"), reason="abstract names are Linux's")
def test_an_abstract_name() -> None:
    name = f"clarion-test-{os.getpid()}"
    listener = bind(f"unix-abstract:{name}")
    assert listener.is_unix
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + name)
    listener.close()


@pytest.mark.parametrize(
    ("descriptors", "connections"),
    [(1024, 896), (65_536, 57_344), (64, 32), (33, 1), (16, 1)],
)
def test_connections_within_reach(
    monkeypatch: pytest.MonkeyPatch, descriptors: int, connections: int
) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (descriptors, descriptors))
    assert connections_within_reach() == connections


def test_connections_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY,) * 2)
    assert connections_within_reach() is None


def test_connections_where_nobody_counts_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert connections_within_reach() is None
