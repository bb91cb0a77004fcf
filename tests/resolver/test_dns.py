"""`dns:` and `passthrough:`: when names are looked up, and what becomes of the answers."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from support.resolvers import FakeHelper, Records, resolver_of

CONFIG = {"loadBalancingConfig": [{"round_robin": {}}]}
TEXT = "grpc_config=" + json.dumps([{"serviceConfig": CONFIG}])


def with_config(**more: Any) -> FakeHelper:
    return FakeHelper(service_config_disable_resolution=0, **more)


def test_each_address_is_a_server(helper: FakeHelper) -> None:
    helper.names["host"] = ["1.1.1.1", "2.2.2.2", "1.1.1.1"]
    resolver_of("dns:///host:5", helper).start()
    helper.run()
    assert helper.hosts == [["1.1.1.1:5"], ["2.2.2.2:5"]]
    assert helper.found[0].service_config is None
    assert helper.timers == []


def test_passthrough_is_one_server(helper: FakeHelper) -> None:
    helper.names["host"] = ["::1", "2.2.2.2"]
    resolver_of("passthrough:///host:5", helper).start()
    helper.run()
    assert helper.hosts == [["[::1]:5", "2.2.2.2:5"]]


@pytest.mark.parametrize(
    ("answer", "why"), [("no such name", "no such name"), ([], "no addresses")]
)
def test_failures_are_repeated_with_backoff(helper: FakeHelper, answer: Any, why: str) -> None:
    helper.names["host"] = answer
    resolver = resolver_of("host:5", helper)
    resolver.start()
    helper.run()
    assert helper.found[0].error == f"DNS lookup of host:5 failed: {why}"
    resolver.resolve_now()
    assert len(helper.lookups) == 1
    helper.advance(0.99)
    assert len(helper.lookups) == 1
    helper.advance(0.02)
    assert len(helper.lookups) == 2
    helper.names["host"] = ["1.1.1.1"]
    helper.advance(1.6)
    assert len(helper.lookups) == 3
    assert helper.hosts == [["1.1.1.1:5"]]


def test_no_answer(helper: FakeHelper) -> None:
    resolver_of("host:5", helper).start()
    helper.advance(20)
    assert helper.found[0].error == "DNS lookup of host:5 failed: no answer within 20 s"
    helper.late[0](["late"], "")
    assert len(helper.found) == 1


def test_the_time_for_an_answer() -> None:
    helper = FakeHelper(dns_ares_query_timeout=500)
    resolver_of("host:5", helper).start()
    helper.advance(0.5)
    assert "within 0.5 s" in helper.found[0].error


def test_looking_again() -> None:
    helper = FakeHelper(dns_min_time_between_resolutions_ms=3000)
    helper.names["host"] = ["1.1.1.1"]
    resolver = resolver_of("host:5", helper)
    resolver.start()
    resolver.resolve_now()
    helper.advance(1)
    resolver.resolve_now()
    resolver.resolve_now()
    helper.advance(1.9)
    assert len(helper.lookups) == 1
    helper.advance(0.2)
    assert len(helper.lookups) == 2
    helper.advance(5)
    resolver.resolve_now()
    assert len(helper.lookups) == 3


def test_looking_again_from_time_to_time() -> None:
    helper = FakeHelper(dns_refresh_interval_ms=10_000)
    helper.names["host"] = ["1.1.1.1"]
    resolver = resolver_of("host:5", helper)
    resolver.start()
    helper.advance(9.9)
    assert len(helper.lookups) == 1
    helper.names["host"] = ["1.1.1.1", "2.2.2.2"]
    helper.advance(0.2)
    assert helper.hosts == [["1.1.1.1:5"], ["2.2.2.2:5"]]
    helper.advance(5)
    resolver.resolve_now()
    helper.advance(9.9)
    assert len(helper.lookups) == 3
    resolver.close()
    helper.advance(100)
    assert len(helper.lookups) == 3


def test_numbers_are_not_looked_up_again() -> None:
    helper = FakeHelper(dns_refresh_interval_ms=10)
    helper.names["::1"] = ["::1"]
    resolver_of("[::1]:5", helper).start()
    helper.advance(10)
    assert helper.lookups == ["::1"]


def test_nothing_is_heard_of_one_that_is_closed(records: Records) -> None:
    helper = with_config()
    resolver = resolver_of("host:5", helper)
    resolver.start()
    resolver.close()
    helper.late[0](["1.1.1.1"], "")
    helper.advance(100)
    assert helper.found == []


# Name servers of one's own


def test_a_name_server(helper: FakeHelper, records: Records) -> None:
    records.hosts["host"] = ["1.1.1.1"]
    resolver_of("dns://8.8.8.8/host:5", helper).start()
    helper.run()
    assert helper.hosts == [["1.1.1.1:5"]]
    assert records.asked == [("A", "host", "8.8.8.8:53")]
    assert helper.lookups == []


def test_numbers_need_no_name_server(helper: FakeHelper, records: Records) -> None:
    helper.names["1.1.1.1"] = ["1.1.1.1"]
    resolver_of("dns://8.8.8.8/1.1.1.1:5", helper).start()
    helper.run()
    assert helper.hosts == [["1.1.1.1:5"]]
    assert records.asked == []


def test_a_name_server_without_dnspython(
    helper: FakeHelper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dns", None)
    monkeypatch.setitem(sys.modules, "dns.exception", None)
    resolver_of("dns://8.8.8.8/host:5", helper).start()
    helper.run()
    assert helper.found[0].error == (
        "DNS lookup of host:5 failed: asking the name server 8.8.8.8:53 takes dnspython: "
        "pip install 'clarion-rpc[dns]'"
    )


def test_an_error_without_words(helper: FakeHelper, records: Records) -> None:
    def silent(*arguments: Any) -> Any:
        raise RuntimeError

    records.addresses = silent  # type: ignore[method-assign]
    resolver_of("dns://8.8.8.8/host:5", helper).start()
    helper.run()
    assert helper.found[0].error == "DNS lookup of host:5 failed: RuntimeError"


# Service configs


@pytest.mark.parametrize("target", ["host:5", "dns://8.8.8.8/host:5", "passthrough:host:5"])
def test_a_service_config(records: Records, target: str) -> None:
    helper = with_config()
    helper.names["host"] = records.hosts["host"] = ["1.1.1.1"]
    records.config = ["v=spf1 -all", TEXT]
    resolver_of(target, helper).start()
    helper.run()
    assert [each.service_config for each in helper.found] == [CONFIG]
    assert ("TXT", "_grpc_config.host") in [each[:2] for each in records.asked]


@pytest.mark.parametrize("disabled", [None, 1])
def test_it_is_asked_for_only_where_it_is_wanted(records: Records, disabled: int | None) -> None:
    helper = FakeHelper(service_config_disable_resolution=disabled)
    helper.names["host"] = ["1.1.1.1"]
    resolver_of("host:5", helper).start()
    helper.run()
    assert helper.found[0].service_config is None
    assert records.asked == []


@pytest.mark.parametrize("host", ["1.1.1.1", "localhost"])
def test_some_names_have_none(records: Records, host: str) -> None:
    helper = with_config()
    helper.names[host] = ["1.1.1.1"]
    resolver_of(f"{host}:5", helper).start()
    helper.run()
    assert helper.hosts == [["1.1.1.1:5"]]
    assert records.asked == []


def test_a_bad_one(records: Records) -> None:
    helper = with_config()
    helper.names["host"] = ["1.1.1.1"]
    records.config = ["grpc_config={}"]
    resolver_of("host:5", helper).start()
    helper.run()
    assert helper.hosts == [["1.1.1.1:5"]]
    assert (
        helper.found[0].config_error
        == "TXT record of the service config: must be a list of choices"
    )


def test_one_that_cannot_be_asked_for(records: Records, caplog: pytest.LogCaptureFixture) -> None:
    helper = with_config()
    helper.names["host"] = ["1.1.1.1"]
    records.config = "the name server is away"
    resolver = resolver_of("host:5", helper)
    resolver.start()
    helper.run()
    resolver.resolve_now()
    helper.run()
    assert helper.hosts == [["1.1.1.1:5"]]
    assert caplog.text.count("no service config of host from DNS: the name server is away") == 1
    records.config = [TEXT]
    resolver.resolve_now()
    helper.run()
    assert helper.found[-1].service_config == CONFIG
    # The last one stays while the name server is away again.
    records.config = "the name server is away"
    resolver.resolve_now()
    helper.run()
    assert helper.found[-1].service_config == CONFIG


class _LateConfig(FakeHelper):
    """What is asked apart is answered when the test says so."""

    def __init__(self) -> None:
        super().__init__(service_config_disable_resolution=0)
        self.kept: list[Any] = []

    def apart(self, work: Any) -> None:
        self.kept.append(work)

    def answer(self) -> None:
        self.kept.pop(0)()
        self.run()


def test_a_late_one(records: Records) -> None:
    helper = _LateConfig()
    helper.names["host"] = ["1.1.1.1"]
    records.config = [TEXT]
    resolver = resolver_of("host:5", helper)
    resolver.start()
    helper.advance(0.9)
    assert helper.found == []
    helper.advance(0.2)
    assert [each.service_config for each in helper.found] == [None]
    helper.answer()
    assert [each.service_config for each in helper.found] == [None, CONFIG]
    # A late one that says nothing new is no news.
    resolver.resolve_now()
    helper.advance(1.1)
    helper.answer()
    assert [each.service_config for each in helper.found] == [None, CONFIG, CONFIG]


def test_one_that_comes_first(records: Records) -> None:
    helper = _LateConfig()
    records.config = [TEXT]
    resolver_of("host:5", helper).start()
    helper.answer()
    assert helper.found == []
    helper.names["host"] = ["1.1.1.1"]
    helper.look_up(resolver_of("host:5", helper).target.addresses[0], helper.late[0])  # type: ignore[arg-type]
    helper.run()
    assert [each.service_config for each in helper.found] == [CONFIG]


def test_one_of_a_look_up_before(records: Records) -> None:
    helper = _LateConfig()
    helper.names["host"] = ["1.1.1.1"]
    records.config = [TEXT]
    resolver = resolver_of("host:5", helper)
    resolver.start()
    helper.advance(1.1)
    resolver.resolve_now()
    helper.answer()
    assert [each.service_config for each in helper.found] == [None]
