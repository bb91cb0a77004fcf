"""`ManualResolver`, without channels."""

from __future__ import annotations

import pytest

from clarion.resolver import Endpoint, HostPort, UnixAddress
from clarion.resolver.registry import find_resolver
from clarion.testing import ManualResolver
from support.resolvers import FakeHelper, resolver_of


def test_what_is_said_is_found() -> None:
    with ManualResolver() as names:
        helper, later = FakeHelper(), FakeHelper()
        resolver = resolver_of(names.target("x"), helper)
        assert resolver.target.authority == "x"
        resolver.start()
        assert helper.found == []
        names.set(["1.1.1.1:1", "unix:/a", HostPort("2.2.2.2", 2), Endpoint((UnixAddress("b"),))])
        assert helper.hosts == [["1.1.1.1:1"], ["unix:/a"], ["2.2.2.2:2"], ["unix:b"]]
        resolver_of(names.target(), later).start()
        assert later.found == helper.found
        resolver.resolve_now()
        assert names.asked == 1
        resolver.close()
        names.set(service_config={}, error="why")
        assert len(helper.found) == 1
        assert (later.found[-1].service_config, later.found[-1].error) == ({}, "why")
        with pytest.raises(ValueError, match="port"):
            names.set(["1.1.1.1:x"])
    assert find_resolver(names.scheme) is None


def test_each_has_a_scheme_of_its_own() -> None:
    with ManualResolver() as first, ManualResolver() as second:
        assert first.scheme != second.scheme
