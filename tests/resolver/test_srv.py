"""`srv:`: services and their hosts."""

from __future__ import annotations

from typing import Any

import pytest

from clarion.resolver.dns_questions import Service
from clarion.resolver.registry import target_of
from clarion.resolver.srv import in_order
from support.resolvers import FakeHelper, Records, resolver_of

NAME = "srv:_grpc._tcp.example.test"


@pytest.mark.parametrize(
    ("target", "authority"),
    [
        (NAME, "example.test"),
        ("srv:///_grpc._tcp.example.test.", "example.test"),
        ("srv://8.8.8.8/_grpc._tcp.example.test", "example.test"),
        ("srv:web.service.consul", "web.service.consul"),
    ],
)
def test_targets(target: str, authority: str) -> None:
    assert target_of(target) == ("srv", (), authority, target.removeprefix("srv:"))


@pytest.mark.parametrize(
    "target",
    [
        "srv:",
        "srv:a..b",
        "srv:host:5",
        "srv:///",
        "srv:a b",
        "srv:" + "a" * 64,
        "srv:" + "a." * 130,
        "srv:é",
        "srv://8.8.8.8:x/a",
    ],
)
def test_malformed_targets(target: str) -> None:
    with pytest.raises(ValueError, match="srv:"):
        target_of(target)


def test_each_host_is_a_server(helper: FakeHelper, records: Records) -> None:
    records.srv = [(20, 0, 7, "c.test."), (10, 5, 5, "a.test."), (10, 5, 6, "b.test")]
    helper.names |= {"a.test": ["1.1.1.1", "::1"], "b.test": ["2.2.2.2"], "c.test": ["3.3.3.3"]}
    helper.jitter = 0.99
    resolver_of(NAME, helper).start()
    helper.run()
    assert records.asked == [("SRV", "_grpc._tcp.example.test", "None")]
    assert helper.hosts == [["2.2.2.2:6"], ["1.1.1.1:5", "[::1]:5"], ["3.3.3.3:7"]]
    attributes = [each.attributes for each in helper.found[0].endpoints]
    assert attributes == [
        {"weight": 5, "path": ("0",)},
        {"weight": 5, "path": ("0",)},
        {"weight": 1, "path": ("1",)},
    ]


def test_a_name_server_is_asked_for_hosts_too(helper: FakeHelper, records: Records) -> None:
    records.srv = [(0, 0, 5, "a.test."), (1, 0, 5, "1.1.1.1")]
    records.hosts["a.test"] = ["2.2.2.2"]
    helper.names["1.1.1.1"] = ["1.1.1.1"]
    resolver_of("srv://8.8.8.8/_grpc._tcp.example.test", helper).start()
    helper.run()
    assert helper.hosts == [["2.2.2.2:5"], ["1.1.1.1:5"]]
    assert {server for _, _, server in records.asked} == {"8.8.8.8:53"}


@pytest.mark.parametrize(
    ("srv", "why"),
    [
        ([], "no SRV records"),
        ("the name server is away", "the name server is away"),
        ([(0, 0, 0, ".")], "its SRV record says that there is no such service"),
        ([(0, 0, 0, "a.test")], "malformed SRV record: host 'a.test', port 0"),
        ([(0, 0, 5, "a b")], "malformed SRV record: host 'a b', port 5"),
        ([(0, 0, 5, "no.test"), (0, 0, 6, "no.test")], "no.test:5: no; no.test:6: no"),
        ([(0, 0, 5, "empty.test")], "empty.test:5: no addresses"),
    ],
)
def test_failures(helper: FakeHelper, records: Records, srv: Any, why: str) -> None:
    records.srv = srv
    helper.names |= {"no.test": "no", "empty.test": []}
    resolver_of(NAME, helper).start()
    helper.run()
    assert helper.found[0].error == f"DNS lookup of _grpc._tcp.example.test failed: {why}"
    assert len(helper.timers) == 1


def test_what_is_wrong_is_left_out(
    helper: FakeHelper, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    records.srv = [(0, 0, 0, "a.test"), (0, 0, 5, "b.test"), (0, 0, 5, "no.test")]
    helper.names |= {"b.test": ["1.1.1.1"], "no.test": "no"}
    resolver_of(NAME, helper).start()
    helper.run()
    assert helper.hosts == [["1.1.1.1:5"]]
    assert "malformed SRV record left out" in caplog.text


def test_many_hosts_are_looked_up_a_few_at_a_time(helper: FakeHelper, records: Records) -> None:
    records.srv = [(0, 1, 1 + number, "a.test") for number in range(600)]
    resolver_of(NAME, helper).start()
    helper.run()
    assert len(helper.lookups) == 8
    helper.names["a.test"] = ["1.1.1.1"]
    for done in helper.late:
        done([("1.1.1.1", 1)], "")
    helper.run()
    assert len(helper.lookups) == 500
    assert len(helper.hosts) == 500


def test_a_service_config_is_the_domain_s(records: Records) -> None:
    helper = FakeHelper(service_config_disable_resolution=0)
    records.srv = [(0, 0, 5, "a.test")]
    helper.names["a.test"] = ["1.1.1.1"]
    records.config = ['grpc_config=[{"serviceConfig": {}}]']
    resolver_of(NAME, helper).start()
    helper.run()
    assert helper.found[0].service_config == {}
    assert ("TXT", "_grpc_config.example.test", "None") in records.asked


def test_weights_are_shares() -> None:
    services = [Service(0, 0, 1, "a"), Service(0, 10, 1, "b"), Service(0, 90, 1, "c")]
    firsts = [
        in_order(services, lambda point=point: point / 1000)[0].service.host  # type: ignore[misc]
        for point in range(1000)
    ]
    assert 0 < firsts.count("a") < 20
    assert 90 < firsts.count("b") < 110
    assert len(in_order(services, lambda: 0.999999)) == 3
