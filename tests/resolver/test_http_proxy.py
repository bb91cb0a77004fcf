"""Which targets and addresses go through an HTTP proxy."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from clarion.resolver.http_proxy import address_proxy, through_proxy
from clarion.resolver.proxied import ProxiedResolver
from clarion.resolver.registry import target_of
from clarion.resolver.target import Address, HostPort, ProxiedAddress, Target, UnixAddress
from support.resolvers import FakeHelper

PROXY = HostPort("proxy.test", 3128)


def through(target: str, options: Any = (), /, **environ: str) -> Target:
    return through_proxy(target_of(target), dict(options).get, environ)


def proxy_of(target: Target) -> ProxiedAddress | None:
    [address] = target.addresses
    return address if isinstance(address, ProxiedAddress) else None


@pytest.mark.parametrize(
    ("environ", "source"),
    [
        ({"http_proxy": "http://proxy.test:3128"}, "http_proxy"),
        ({"http_proxy": "http://no.test", "https_proxy": "proxy.test:3128"}, "https_proxy"),
        ({"grpc_proxy": "http://proxy.test:3128/", "https_proxy": "http://no.test"}, "grpc_proxy"),
    ],
)
def test_the_environment(environ: dict[str, str], source: str) -> None:
    target = through("dns:///host.test:5", **environ)
    assert target == (
        "http-proxy",
        (ProxiedAddress(PROXY, "host.test:5", "", f"the environment variable {source}"),),
        "host.test:5",
        "",
    )


def test_an_argument_comes_first() -> None:
    options = {"grpc.http_proxy": b"http://proxy.test:3128"}
    proxied = proxy_of(through("host.test", options, grpc_proxy="http://no.test"))
    assert proxied is not None
    assert proxied[:2] == (PROXY, "host.test:443")
    assert proxied.source == "the channel argument grpc.http_proxy"


@pytest.mark.parametrize(
    ("options", "environ"),
    [
        ({}, {}),
        ({}, {"HTTP_PROXY": "http://proxy.test"}),
        ({}, {"grpc_proxy": "", "http_proxy": "http://proxy.test"}),
        ({"grpc.http_proxy": ""}, {"http_proxy": "http://proxy.test"}),
        ({"grpc.enable_http_proxy": 0}, {"http_proxy": "http://proxy.test"}),
    ],
)
def test_no_proxy_at_all(options: Any, environ: dict[str, str]) -> None:
    assert through("host.test:5", options, **environ).scheme == "dns"


@pytest.mark.parametrize(
    "url", ["https://proxy.test", "socks5://proxy.test", "http://", "http://a:b", "http://[::1"]
)
def test_a_proxy_that_cannot_be_used(url: str, caplog: pytest.LogCaptureFixture) -> None:
    assert through("host.test:5", http_proxy=url).scheme == "dns"
    assert "the environment variable http_proxy is not used" in caplog.text


@pytest.mark.parametrize(
    ("user", "credentials"),
    [("u:p", b"u:p"), ("u%40x:p%3A", b"u@x:p:"), ("u", b"u"), ("%C3%A9:p", "é:p".encode())],
)
def test_credentials(user: str, credentials: bytes) -> None:
    proxied = proxy_of(through("host.test:5", http_proxy=f"http://{user}@proxy.test:3128"))
    assert proxied is not None
    assert proxied.proxy == PROXY
    scheme, _, encoded = proxied.authorization.partition(" ")
    assert (scheme, base64.b64decode(encoded)) == ("Basic", credentials)
    assert encoded not in str(proxied)


@pytest.mark.parametrize(
    ("target", "no_proxy", "direct"),
    [
        ("host.test:5", "host.test", True),
        ("host.test:5", "other.test, HOST.test", True),
        ("host.test.:5", "host.test", True),
        ("a.host.test:5", "host.test", False),
        ("a.host.test:5", ".host.test", True),
        ("b.a.host.test:5", ".host.test", True),
        ("host.test:5", ".host.test", True),
        ("ghost.test:5", ".host.test", False),
        ("host.test:5", "10.0.0.0/8", False),
        ("host.test:5", "*", True),
        ("host.test:5", "", False),
        ("host.test:5", ",,", False),
        ("10.10.0.5:5", "10.10.0.0/24", True),
        ("10.10.1.5:5", "10.10.0.0/24", False),
        ("10.10.0.5:5", "10.10.0.5", True),
        ("10.10.0.5:5", "10.10.0.1/24", True),
        ("10.10.0.5:5", "nonsense,::/0", False),
        ("[fd00::1]:5", "fd00::/8", True),
        ("[fd00::1]:5", "[fd00::1]", True),
        ("ipv4:10.10.0.5:5", "10.10.0.5", True),
    ],
)
def test_exceptions(target: str, no_proxy: str, direct: bool) -> None:
    proxied = through(target, http_proxy="http://proxy.test", no_proxy=no_proxy)
    assert (proxied.scheme != "http-proxy") is direct


def test_the_more_special_exceptions_come_first() -> None:
    environ = {"http_proxy": "http://proxy.test", "no_proxy": "host.test", "no_grpc_proxy": "x"}
    assert through("host.test:5", **environ).scheme == "http-proxy"


@pytest.mark.parametrize(
    ("target", "servers"),
    [
        ("ipv4:1.1.1.1:1,2.2.2.2:2", ["1.1.1.1:1", "2.2.2.2:2"]),
        ("ipv6:[::1]:1", ["[::1]:1"]),
        ("passthrough:h:1", ["h:1"]),
        ("bücher.test:1", ["xn--bcher-kva.test:1"]),
    ],
)
def test_what_the_proxy_is_asked_for(target: str, servers: list[str]) -> None:
    proxied = through(target, http_proxy="http://proxy.test")
    assert [
        each.server for each in proxied.addresses if isinstance(each, ProxiedAddress)
    ] == servers


@pytest.mark.parametrize(
    "target", ["unix:/a", "unix-abstract:a", "vsock:1:2", "kubernetes:///a.b", "srv:a.b"]
)
def test_targets_that_are_no_hosts(target: str) -> None:
    assert through(target, http_proxy="http://proxy.test").scheme == target.partition(":")[0]


@pytest.mark.parametrize("host", ["a%0d%0ax", "a%20b", "a%2fb", "a@b", "é" * 70, "%00"])
def test_names_that_no_proxy_can_be_asked_for(host: str) -> None:
    with pytest.raises(ValueError, match="target"):
        through(f"dns:///{host}:5", http_proxy="http://proxy.test")


def test_the_proxy_is_looked_up(helper: FakeHelper) -> None:
    target = through("ipv4:1.1.1.1:1,2.2.2.2:2", http_proxy="http://u:p@proxy.test:3128")
    resolver = ProxiedResolver(target, helper)
    helper.names["proxy.test"] = "no such name"
    resolver.start()
    helper.run()
    assert helper.found[0].error == (
        "DNS lookup of the proxy proxy.test:3128 (from the environment variable http_proxy) failed: no such name"
    )
    helper.names["proxy.test"] = ["9.9.9.9", "8.8.8.8"]
    helper.advance(2)
    assert helper.hosts == [
        ["1.1.1.1:1 through the proxy 9.9.9.9:3128", "1.1.1.1:1 through the proxy 8.8.8.8:3128"],
        ["2.2.2.2:2 through the proxy 9.9.9.9:3128", "2.2.2.2:2 through the proxy 8.8.8.8:3128"],
    ]


# Addresses

ENABLED = {"grpc.address_http_proxy_enabled_addresses": "10.0.0.0/8,fd00::1"}


@pytest.mark.parametrize(
    ("address", "proxied"),
    [
        (HostPort("10.1.2.3", 5), True),
        (HostPort("11.1.2.3", 5), False),
        (HostPort("fd00::1", 5), True),
        (UnixAddress("/a"), False),
    ],
)
def test_addresses(address: Address, proxied: bool) -> None:
    options = {"grpc.address_http_proxy": "9.9.9.9:3128", **ENABLED}
    environ = {
        "GRPC_ADDRESS_HTTP_PROXY": "9.9.9.9:3128",
        "GRPC_ADDRESS_HTTP_PROXY_ENABLED_ADDRESSES": "10.0.0.0/8,fd00::1",
    }
    through = ProxiedAddress(
        HostPort("9.9.9.9", 3128), str(address), source="grpc.address_http_proxy"
    )
    for change in (address_proxy(options.get, {}), address_proxy({}.get, environ)):
        assert change is not None
        assert change(address) == (through if proxied else address)


@pytest.mark.parametrize("proxy", ["", "proxy.test:1", "9.9.9.9:x"])
def test_no_proxy_for_addresses(proxy: str) -> None:
    assert address_proxy({"grpc.address_http_proxy": proxy, **ENABLED}.get, {}) is None
    assert address_proxy({"grpc.address_http_proxy": "9.9.9.9:1"}.get, {}) is None


def test_the_words_for_a_failure() -> None:
    named = ProxiedAddress(PROXY, "a:1", source="the environment variable http_proxy")
    assert named.explain("answered 403") == (
        "the proxy proxy.test:3128 (from the environment variable http_proxy), asked to connect to a:1, answered 403; "
        "hosts that need no proxy are listed in the environment variable no_proxy"
    )
    assert " (from" not in ProxiedAddress(PROXY, "a:1").explain("answered 403")
