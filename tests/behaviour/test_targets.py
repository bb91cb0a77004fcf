"""Where servers listen and channels connect: every form of address."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.simple import ECHOES


def _expect_answer(front: FrontEnd, target: str) -> None:
    client = front.connect(target)
    outcome = client.call(SERVICE + camel("unary_unary"), "unary_unary", [b"x"])
    assert (outcome.code, outcome.responses) == ("OK", [b"x"]), (target, outcome.details)


@pytest.mark.parametrize(
    "form",
    [
        "127.0.0.1:{port}",
        "localhost:{port}",
        "dns:localhost:{port}",
        "dns:///localhost:{port}",
        "ipv4:127.0.0.1:{port}",
        "[::1]:{port}",
        "dns:///[::1]:{port}",
        "ipv6:[::1]:{port}",
        "ipv6:%5B::1%5D:{port}",
    ],
)
def test_tcp_targets_of_a_server_on_all_addresses(front: FrontEnd, form: str) -> None:
    server = front.serve(ECHOES, addresses=["[::]:0"])
    assert server.ports[0] > 0
    _expect_answer(front, form.format(port=server.ports[0]))


def test_addresses_and_targets_in_bytes(front: FrontEnd) -> None:
    as_bytes: Any = b"127.0.0.1:0"
    target: Any = front.serve(ECHOES, addresses=[as_bytes]).target.encode()
    _expect_answer(front, target)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", "0.0.0.0:0", "[::1]:0"])
def test_tcp_addresses(front: FrontEnd, address: str) -> None:
    server = front.serve(ECHOES, addresses=[address])
    host = {"0.0.0.0": "127.0.0.1"}.get(address.rpartition(":")[0], address.rpartition(":")[0])
    _expect_answer(front, f"{host}:{server.ports[0]}")


def test_several_addresses_of_one_target(front: FrontEnd) -> None:
    server = front.serve(ECHOES)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # Bound and not listening: connections are refused.
        refused = deaf.getsockname()[1]
        _expect_answer(front, f"ipv4:127.0.0.1:{refused},127.0.0.1:{server.ports[0]}")


def test_several_ports_of_one_server(front: FrontEnd) -> None:
    server = front.serve(ECHOES, addresses=["127.0.0.1:0", "127.0.0.1:0"])
    assert len(set(server.ports)) == 2
    for port in server.ports:
        _expect_answer(front, f"127.0.0.1:{port}")


def test_unix_sockets(front: FrontEnd, tmp_path: Path) -> None:
    path = tmp_path / "s"
    front.serve(ECHOES, addresses=[f"unix:{path}"])
    _expect_answer(front, f"unix:{path}")
    _expect_answer(front, f"unix://{path}")


def test_a_relative_unix_socket(
    front: FrontEnd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    front.serve(ECHOES, addresses=["unix:here"])
    assert (tmp_path / "here").is_socket()
    _expect_answer(front, "unix:here")


def test_an_abandoned_unix_socket_is_replaced(front: FrontEnd, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    front.serve(ECHOES, addresses=[f"unix:{path}"])
    _expect_answer(front, f"unix:{path}")


def test_abstract_unix_sockets(front: FrontEnd) -> None:
    name = f"clarion-test-{os.getpid()}-{front!r}"
    front.serve(ECHOES, addresses=[f"unix-abstract:{name}"])
    _expect_answer(front, f"unix-abstract:{name}")


def test_the_peer_of_a_unix_socket(front: FrontEnd, tmp_path: Path) -> None:
    async def handler(call: ServerCall) -> bytes:
        return str(call.context.peer()).encode()

    front.serve({"unary_unary": handler}, addresses=[f"unix:{tmp_path}/s"])
    client = front.connect(f"unix:{tmp_path}/s")
    outcome = client.call(SERVICE + "UnaryUnary", "unary_unary", [b""])
    assert outcome.responses[0].startswith(b"unix:")


def test_a_port_in_use(front: FrontEnd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        port = occupant.getsockname()[1]
        with pytest.raises(RuntimeError, match=re.escape(f"127.0.0.1:{port}")):
            front.serve(ECHOES, addresses=[f"127.0.0.1:{port}"])


@pytest.mark.parametrize("address", ["nonsense:port", "256.256.256.256:1", "unix:/no/such/dir/s"])
def test_an_address_that_cannot_be_bound(front: FrontEnd, address: str) -> None:
    with pytest.raises(RuntimeError, match=re.escape(address)):
        front.serve(ECHOES, addresses=[address])
