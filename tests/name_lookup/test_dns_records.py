"""Questions to a name server on the loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from clarion.name_lookup import dns_records
from clarion.name_lookup.dns_records import LookUpError
from clarion.resolver.dns_questions import Service
from clarion.resolver.target import HostPort

message = pytest.importorskip("dns.message", reason="dnspython is not installed")
rcode = pytest.importorskip("dns.rcode")
rrset = pytest.importorskip("dns.rrset")

ZONE = {
    ("host.test.", "A"): ["1.1.1.1", "2.2.2.2"],
    ("host.test.", "AAAA"): ["fd00::1"],
    ("four.test.", "A"): ["3.3.3.3"],
    ("_grpc_config.host.test.", "TXT"): ['"grpc_config=" "[]"', '"other"'],
    ("_grpc._tcp.host.test.", "SRV"): ["0 5 50051 host.test."],
}


class NameServer:
    """Answers from `ZONE`; `broken.test` fails, `mute.test` is not answered."""

    def __init__(self) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self.address = HostPort("127.0.0.1", self._sock.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            data, client = self._sock.recvfrom(4096)
            if not data:
                return
            query: Any = message.from_wire(data)
            [question] = query.question
            name, kind = str(question.name), question.rdtype.name
            if name == "mute.test.":
                continue
            response = message.make_response(query)
            known = {each for each, _ in ZONE}
            if name == "broken.test.":
                response.set_rcode(rcode.SERVFAIL)
            elif name not in known:
                response.set_rcode(rcode.NXDOMAIN)
            elif (name, kind) in ZONE:
                response.answer.append(rrset.from_text_list(name, 60, "IN", kind, ZONE[name, kind]))
            self._sock.sendto(response.to_wire(), client)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", tuple(self.address))
        self._thread.join(10)
        self._sock.close()


@pytest.fixture(scope="module")
def server() -> Iterator[HostPort]:
    server = NameServer()
    yield server.address
    server.close()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("host.test", ["fd00::1", "1.1.1.1", "2.2.2.2"]),
        ("four.test", ["3.3.3.3"]),
        ("none.test", []),
    ],
)
def test_addresses(server: HostPort, name: str, expected: list[str]) -> None:
    found = dns_records.addresses(HostPort(name, 5), server, 10)
    # Those of a family come in turns.
    assert [":" in each.host for each in found] == [":" in each for each in expected]
    assert sorted(found) == sorted(HostPort(each, 5) for each in expected)


def test_texts(server: HostPort) -> None:
    found = dns_records.texts("_grpc_config.host.test", server, 10)
    assert sorted(found) == ["grpc_config=[]", "other"]
    assert dns_records.texts("host.test", server, 10) == []


def test_services(server: HostPort) -> None:
    found = dns_records.services("_grpc._tcp.host.test", server, 10)
    assert found == [Service(0, 5, 50051, "host.test.")]


def test_a_name_server_by_name(server: HostPort) -> None:
    named = HostPort("localhost", server.port)
    if socket.getaddrinfo(*named, type=socket.SOCK_DGRAM)[0][0] != socket.AF_INET:
        pytest.skip("localhost is ::1 first here")
    assert dns_records.texts("none.test", named, 10) == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("broken.test", "SERVFAIL"),
        ("mute.test", "resolution lifetime expired"),
        ("a" * 64 + ".test", "label"),
    ],
)
def test_no_answer(server: HostPort, name: str, why: str) -> None:
    with pytest.raises(LookUpError, match=why):
        dns_records.texts(name, server, 0.5)
    with pytest.raises(LookUpError):
        dns_records.addresses(HostPort(name, 5), server, 0.5)


def test_this_machine() -> None:
    assert dns_records.hostname() == socket.gethostname()
