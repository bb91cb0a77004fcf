"""Sockets between virtual machines and their host."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import pytest

from clarion import listening, sockets
from clarion.aio import runtime as aio_runtime
from clarion.sync import runtime as sync_runtime
from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.simple import ECHOES

# A machine's own, where the kernel has the module `vsock_loopback`.
_LOCAL = 1


def _answer(front: FrontEnd, target: str) -> Any:
    client = front.connect(target)
    return client.call(SERVICE + camel("unary_unary"), "unary_unary", [b"x"], timeout=20)


def test_with_the_kernel_s(front: FrontEnd) -> None:
    try:
        with socket.socket(sockets.vsock_family(), socket.SOCK_STREAM) as probe:
            probe.bind((_LOCAL, getattr(socket, "VMADDR_PORT_ANY", 0)))
    except OSError as error:
        pytest.skip(f"no vsock to this machine itself: {error}")
    server = front.serve(ECHOES, addresses=[f"vsock:{_LOCAL}:0"])
    outcome = _answer(front, f"vsock:{_LOCAL}:{server.ports[0]}")
    assert (outcome.code, outcome.responses) == ("OK", [b"x"]), outcome.details


class _Vsock(socket.socket):
    """What has vsock's addresses and is a Unix socket."""

    def bind(self, address: Any) -> None:
        super().bind(_path(address))

    def connect(self, address: Any) -> None:
        super().connect(_path(address))

    def connect_ex(self, address: Any) -> int:
        return super().connect_ex(_path(address))

    def getsockname(self) -> Any:
        name = super().getsockname()
        return tuple(map(int, name.decode().rsplit("-", 2)[1:])) if name else name


def _path(address: tuple[int, int]) -> str:
    return f"\0clarion-vsock-{os.getpid()}-{address[0]}-{address[1]}"


@pytest.fixture
def pretended(front: FrontEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    front.clarion_only("it has its own sockets")

    class Sockets:
        """`socket`, with this kind in it."""

        def __getattr__(self, name: str) -> Any:
            return getattr(socket, name)

        @staticmethod
        def socket(family: int, kind: int) -> socket.socket:
            if family == 4040:
                return _Vsock(socket.AF_UNIX, kind)
            return socket.socket(family, kind)

    for module in (listening, aio_runtime, sync_runtime):
        monkeypatch.setattr(module, "socket", Sockets())
        monkeypatch.setattr(module, "vsock_family", lambda: 4040)


def test_calls(front: FrontEnd, pretended: None) -> None:
    server = front.serve(ECHOES, addresses=["vsock:3:5000"])
    assert server.ports == [5000]
    outcome = _answer(front, "vsock:3:5000")
    assert (outcome.code, outcome.responses) == ("OK", [b"x"]), outcome.details


def test_nobody_listens(front: FrontEnd, pretended: None) -> None:
    outcome = _answer(front, "vsock:3:5001")
    assert outcome.code == "UNAVAILABLE"
    assert "vsock:3:5001: Connection refused" in outcome.details


def test_an_address_in_use(front: FrontEnd, pretended: None) -> None:
    front.serve(ECHOES, addresses=["vsock:3:5002"])
    with pytest.raises(RuntimeError, match="Failed to bind to address vsock:3:5002"):
        front.serve(ECHOES, addresses=["vsock:3:5002"])


def test_a_system_without(front: FrontEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    front.clarion_only("it has its own sockets")
    monkeypatch.delattr(socket, "AF_VSOCK", raising=False)
    outcome = _answer(front, "vsock:3:5000")
    assert outcome.code == "UNAVAILABLE"
    assert os.strerror(errno.EAFNOSUPPORT) in outcome.details or "no vsock" in outcome.details
