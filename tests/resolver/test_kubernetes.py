"""Targets of `kubernetes:`, and when the resolver watches."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from clarion.resolver.endpoint_slices import KubernetesService
from clarion.resolver.kubernetes import parse_service
from clarion.resolver.registry import target_of
from clarion.resolver.resolver import Resolution
from support.resolvers import FakeHelper, resolver_of


@pytest.mark.parametrize(
    ("rest", "service", "server"),
    [
        ("///web.shop:grpc", ("web", "shop", "grpc"), ""),
        ("///web.shop:8080", ("web", "shop", "8080"), ""),
        ("///web.shop", ("web", "shop", ""), ""),
        ("///web:80", ("web", "", "80"), ""),
        ("///web.shop.svc.cluster.local:80", ("web", "shop", "80"), ""),
        ("//api.test/web.shop", ("web", "shop", ""), "https://api.test:443"),
        ("//[::1]:6443/web.shop", ("web", "shop", ""), "https://[::1]:6443"),
    ],
)
def test_targets(rest: str, service: tuple[str, str, str], server: str) -> None:
    assert parse_service(rest) == (KubernetesService(*service), server)


def test_the_authority() -> None:
    assert target_of("kubernetes:///web.shop:grpc").authority == "web.shop:grpc"


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "web.shop",
        "//web.shop:80",
        "///",
        "///.shop",
        "///web.:80",
        "///Web.shop",
        "///web/../x.shop",
        "///web%2f.shop",
        "///web.shop.cluster.local",
        "///web.shop:",
        "///web.shop:0",
        "///web.shop:65536",
        "///web.shop:" + "9" * 5000,
        "///web.shop:a:b",
        "//api:x/web.shop",
        "///" + "a" * 64,
    ],
)
def test_malformed_targets(rest: str) -> None:
    with pytest.raises(ValueError, match="kubernetes:"):
        target_of(f"kubernetes:{rest}")


class _Watcher:
    def __init__(self, *arguments: Any) -> None:
        self.service, self.server, _, _, self.say = arguments
        self.events: list[str] = []

    def run(self) -> None:
        self.events.append("run")

    def stop(self) -> None:
        self.events.append("stop")


@pytest.fixture
def watchers(monkeypatch: pytest.MonkeyPatch) -> list[_Watcher]:
    made: list[_Watcher] = []

    def make(*arguments: Any) -> _Watcher:
        made.append(_Watcher(*arguments))
        return made[-1]

    monkeypatch.setitem(
        sys.modules, "clarion.name_lookup.kubernetes_api", SimpleNamespace(Watcher=make)
    )
    return made


def test_it_watches_until_it_is_closed(helper: FakeHelper, watchers: list[_Watcher]) -> None:
    resolver = resolver_of("kubernetes:///web.shop:80", helper)
    resolver.start()
    helper.run()
    [watcher] = watchers
    assert (watcher.service, watcher.server) == (("web", "shop", "80"), "")
    watcher.say(Resolution(error="why"))
    resolver.resolve_now()
    resolver.close()
    watcher.say(Resolution(error="late"))
    assert watcher.events == ["run", "stop"]
    assert helper.found == [Resolution(error="why")]


def test_one_that_is_closed_before_it_watches(helper: FakeHelper, watchers: list[_Watcher]) -> None:
    resolver = resolver_of("kubernetes:///web.shop:80", helper)
    resolver.start()
    resolver.close()
    helper.run()
    assert watchers[0].events == ["stop", "run"]


@pytest.mark.parametrize(
    ("target", "server"),
    [("kubernetes:///a.b", "http://proxy.test"), ("kubernetes://api/a.b", "https://api:443")],
)
def test_the_server_s_name(watchers: list[_Watcher], target: str, server: str) -> None:
    helper = FakeHelper(kubernetes_api_server="http://proxy.test")
    resolver_of(target, helper).start()
    helper.run()
    assert watchers[0].server == server
