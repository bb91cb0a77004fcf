"""Names that lead elsewhere while channels use them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from clarion.resolver import Endpoint, HostPort, Resolution, Resolver, register, unregister
from clarion.testing import ManualResolver
from support.echo import camel
from support.front_end import SERVICE, FrontEnd
from support.handlers import ServerCall
from support.simple import ECHOES

ROUND_ROBIN = '{"loadBalancingConfig": [{"round_robin": {}}]}'
WHERE = SERVICE + camel("unary_unary")


@pytest.fixture(autouse=True)
def _clarion(front: FrontEnd) -> None:
    front.clarion_only("it takes no resolvers in Python")


@pytest.fixture
def names() -> Iterator[ManualResolver]:
    with ManualResolver() as names:
        yield names


def named(name: bytes) -> Any:
    async def handler(call: ServerCall) -> bytes:
        return name

    return handler


def test_servers_change(front: FrontEnd, names: ManualResolver) -> None:
    first, second = (
        front.serve({"unary_unary": named(name)}).target for name in (b"first", b"second")
    )
    names.set([first])
    client = front.connect(names.target())
    assert client.call(WHERE, "unary_unary", [b""]).responses == [b"first"]
    names.set([second])
    for _ in range(1000):
        if client.call(WHERE, "unary_unary", [b""]).responses == [b"second"]:
            break
    else:
        raise AssertionError("calls still go to the first server")
    # A failure changes nothing.
    names.set(error="the name server is away")
    assert client.call(WHERE, "unary_unary", [b""]).responses == [b"second"]


def test_a_service_config(front: FrontEnd, names: ManualResolver) -> None:
    targets = [front.serve({"unary_unary": named(name)}).target for name in (b"a", b"b")]
    names.set(targets, service_config=ROUND_ROBIN)
    client = front.connect(names.target())
    seen: set[bytes] = set()
    for _ in range(1000):
        seen.update(client.call(WHERE, "unary_unary", [b""]).responses)
        if len(seen) == 2:
            break
    assert seen == {b"a", b"b"}


def test_a_failure(front: FrontEnd, names: ManualResolver) -> None:
    names.set(error="nobody knows")
    client = front.connect(names.target())
    outcome = client.call(WHERE, "unary_unary", [b""])
    assert outcome.code == "UNAVAILABLE"
    assert "nobody knows" in outcome.details
    names.set([front.serve(ECHOES).target])
    assert client.call(WHERE, "unary_unary", [b""], wait_for_ready=True, timeout=20).code == "OK"


def test_no_addresses(front: FrontEnd, names: ManualResolver) -> None:
    names.set([])
    outcome = front.connect(names.target("shop")).call(WHERE, "unary_unary", [b""])
    assert outcome.code == "UNAVAILABLE"
    assert "shop has no addresses" in outcome.details


def test_a_scheme_that_is_taken_back(front: FrontEnd) -> None:
    with ManualResolver() as names:
        client = front.connect(names.target())
    outcome = client.call(WHERE, "unary_unary", [b""])
    assert outcome.code == "UNAVAILABLE"
    assert f"the scheme {names.scheme!r} is no longer registered" in outcome.details


def test_passthrough(front: FrontEnd) -> None:
    server = front.serve(ECHOES)
    assert front.connect(f"passthrough:///{server.target}").call(
        WHERE, "unary_unary", [b"x"]
    ).responses == [b"x"]


@pytest.mark.parametrize(
    "target", ["kubernetes:///Bad.name", "srv:///", "passthrough:///", "vsock:a:b"]
)
def test_malformed_targets(front: FrontEnd, target: str) -> None:
    with pytest.raises(ValueError, match="target"):
        front.connect(target)


class Raises(Resolver):
    scheme = "raises"

    def start(self) -> None:
        raise OSError("no such file")

    def close(self) -> None:
        raise OSError("nothing to close")


class Strange(Resolver):
    """Says what is no address."""

    scheme = "strange"

    def start(self) -> None:
        self.helper.update(Resolution((Endpoint((HostPort("no number", 1),)),)))

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("kind", "code", "why"),
    [
        (Raises, "INTERNAL", "the channel's resolver Raises raised OSError: no such file"),
        (Strange, "UNAVAILABLE", "no number:1: "),
    ],
)
def test_resolvers_that_misbehave(front: FrontEnd, kind: Any, code: str, why: str) -> None:
    register(kind)
    try:
        outcome = front.connect(f"{kind.scheme}:x").call(WHERE, "unary_unary", [b""])
    finally:
        unregister(kind.scheme)
    assert (outcome.code, why in outcome.details) == (code, True), outcome.details
