"""Which resolver a target belongs to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clarion import resolver as public
from clarion.resolver import Endpoint, HostPort, Resolution, Resolver, Target, register, unregister
from clarion.resolver.registry import find_resolver, target_of
from clarion.resolver.unregistered import UnregisteredResolver
from support.resolvers import FakeHelper, resolver_of


class Mine(Resolver):
    scheme = "mine"

    def start(self) -> None:
        self.helper.update(Resolution((Endpoint((HostPort("1.1.1.1", 1),)),)))

    def close(self) -> None: ...


@pytest.fixture
def mine() -> Iterator[None]:
    register(Mine)
    yield
    unregister("mine")


@pytest.mark.parametrize("scheme", ["dns", "ipv4", "unix", "vsock", "passthrough", "srv"])
def test_those_that_are_there(scheme: str) -> None:
    assert find_resolver(scheme) is not None
    assert find_resolver("nonsense") is None


@pytest.mark.parametrize(
    ("target", "authority"),
    [("mine:x", "x"), ("mine:///a/b", "b"), ("mine:a/", "a/"), ("mine:", "")],
)
def test_one_of_one_s_own(mine: None, helper: FakeHelper, target: str, authority: str) -> None:
    rest = target.partition(":")[2]
    assert target_of(target) == Target("mine", (), authority, rest)
    resolver = resolver_of(target, helper)
    resolver.start()
    resolver.resolve_now()
    assert helper.hosts == [["1.1.1.1:1"]]


def test_one_that_is_taken_back(mine: None) -> None:
    unregister("mine")
    unregister("mine")
    assert target_of("mine:5").scheme == "dns"
    assert target_of(b"mine:5").scheme == "dns"


def test_a_scheme_without_a_colon_is_a_host(mine: None) -> None:
    assert target_of("mine").scheme == "dns"


@pytest.mark.parametrize("kind", [type("None", (), {}), type("Empty", (), {"scheme": ""})])
def test_resolvers_have_schemes(kind: type) -> None:
    with pytest.raises(TypeError, match="scheme"):
        register(kind)


def test_a_target_whose_resolver_is_gone(helper: FakeHelper) -> None:
    resolver = UnregisteredResolver(Target("mine", (), "x"), helper)
    resolver.start()
    resolver.close()
    assert helper.found[0].error == "the scheme 'mine' is no longer registered"


def test_addresses_that_are_there_already(helper: FakeHelper) -> None:
    resolver = resolver_of("ipv4:1.1.1.1:1,2.2.2.2:2", helper)
    resolver.start()
    resolver.close()
    assert helper.hosts == [["1.1.1.1:1"], ["2.2.2.2:2"]]


def test_public_names() -> None:
    assert all(hasattr(public, name) for name in public.__all__)
