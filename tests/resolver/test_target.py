"""Target names, and the addresses that servers take."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.resolver.registry import target_of
from clarion.resolver.target import (
    Address,
    HostPort,
    ProxiedAddress,
    UnixAddress,
    VsockAddress,
    name_server,
    parse_listen_address,
    parse_target,
)


@pytest.mark.parametrize(
    ("target", "address", "authority"),
    [
        ("localhost:50051", HostPort("localhost", 50051), "localhost:50051"),
        ("localhost", HostPort("localhost", 443), "localhost"),
        ("1.2.3.4:5", HostPort("1.2.3.4", 5), "1.2.3.4:5"),
        ("[::1]:5", HostPort("::1", 5), "[::1]:5"),
        ("[::1]", HostPort("::1", 443), "[::1]"),
        ("::1", HostPort("::1", 443), "::1"),
        ("dns:host:5", HostPort("host", 5), "host:5"),
        ("dns:/host:5", HostPort("host", 5), "host:5"),
        ("dns:///host:5", HostPort("host", 5), "host:5"),
        ("dns:///host", HostPort("host", 443), "host"),
        ("dns:///[::1]:5", HostPort("::1", 5), "[::1]:5"),
        ("dns:///%5B::1%5D:5", HostPort("::1", 5), "[::1]:5"),
    ],
)
def test_names(target: str, address: HostPort, authority: str) -> None:
    assert parse_target(target) == ("dns", (address,), authority, "")


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ("8.8.8.8", HostPort("8.8.8.8", 53)),
        ("ns.test:5353", HostPort("ns.test", 5353)),
        ("[::1]:54", HostPort("::1", 54)),
    ],
)
def test_name_servers(server: str, expected: HostPort) -> None:
    target = parse_target(f"dns://{server}/host:5")
    assert target == ("dns", (HostPort("host", 5),), "host:5", f"//{server}/host:5")
    assert name_server(target.rest) == expected
    assert name_server(parse_target("dns:///host").rest) is None


@pytest.mark.parametrize("host", ["vsock", "passthrough", "srv", "kubernetes"])
def test_hosts_that_are_called_like_schemes(host: str) -> None:
    assert target_of(f"{host}:50051") == ("dns", (HostPort(host, 50051),), f"{host}:50051", "")


@pytest.mark.parametrize(
    "target", ["passthrough:h:5", "passthrough:///h:5", "passthrough://any/h:5"]
)
def test_passthrough(target: str) -> None:
    assert parse_target(target) == ("passthrough", (HostPort("h", 5),), "h:5", "")


@pytest.mark.parametrize(
    ("target", "scheme", "addresses", "authority"),
    [
        ("ipv4:1.2.3.4:5", "ipv4", (HostPort("1.2.3.4", 5),), "1.2.3.4:5"),
        ("ipv4:1.2.3.4", "ipv4", (HostPort("1.2.3.4", 443),), "1.2.3.4"),
        (
            "ipv4:1.2.3.4:5,6.7.8.9:10",
            "ipv4",
            (HostPort("1.2.3.4", 5), HostPort("6.7.8.9", 10)),
            "1.2.3.4:5",
        ),
        ("ipv6:[::1]:5,[::2]:6", "ipv6", (HostPort("::1", 5), HostPort("::2", 6)), "[::1]:5"),
        ("ipv6:///[::1]:5", "ipv6", (HostPort("::1", 5),), "[::1]:5"),
        ("ipv6:[fe80::1%25eth0]:5", "ipv6", (HostPort("fe80::1%eth0", 5),), "[fe80::1%25eth0]:5"),
        ("unix:a/b", "unix", (UnixAddress("a/b"),), "localhost"),
        ("unix:/a/b", "unix", (UnixAddress("/a/b"),), "localhost"),
        ("unix:///a/b", "unix", (UnixAddress("/a/b"),), "localhost"),
        ("unix-abstract:a", "unix-abstract", (UnixAddress("a", True),), "localhost"),
        ("unix:5", "unix", (UnixAddress("5"),), "localhost"),
        ("vsock:2:5", "vsock", (VsockAddress(2, 5),), "localhost"),
        ("vsock:///4294967295:0", "vsock", (VsockAddress(2**32 - 1, 0),), "localhost"),
    ],
)
def test_addresses(
    target: str, scheme: str, addresses: tuple[Address, ...], authority: str
) -> None:
    assert parse_target(target) == (scheme, addresses, authority, "")


@pytest.mark.parametrize(
    "target",
    [
        "",
        ":50051",
        "host:port",
        "host:65536",
        "host:-1",
        "host:\u0661",
        "host:" + "9" * 5000,
        "[::1:5",
        "[::1]5",
        "[]:5",
        "dns:",
        "dns://8.8.8.8",
        "dns:///",
        "ipv4:host:5",
        "ipv4:[::1]:5",
        "ipv4:1.2.3.4:5,",
        "ipv6:1.2.3.4:5",
        "ipv6:[nonsense]:5",
        "unix:",
        "unix://relative",
        "unix-abstract:",
        "dns://8.8.8.8:x/host",
        "passthrough:",
        "passthrough:///h:x",
        "vsock:",
        "vsock:1:",
        "vsock:x:1",
        "vsock:1:4294967296",
        "vsock:1:" + "9" * 5000,
        "vsock:-1:5",
    ],
)
def test_bad_targets(target: str) -> None:
    with pytest.raises(ValueError):
        parse_target(target)


def test_bytes_are_a_target_in_utf_8() -> None:
    assert parse_target("dns:///é.test:5".encode()) == parse_target("dns:///é.test:5")
    with pytest.raises(ValueError, match="is not UTF-8"):
        parse_target(b"\xff:1")


def test_an_error_names_the_target() -> None:
    with pytest.raises(ValueError, match=r"host:port.*'port'"):
        parse_target("host:port")


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (HostPort("a", 1), "a:1"),
        (HostPort("::1", 1), "[::1]:1"),
        (UnixAddress("/a"), "unix:/a"),
        (UnixAddress("//a"), "unix:////a"),
        (UnixAddress("a", True), "unix-abstract:a"),
        (VsockAddress(2, 5), "vsock:2:5"),
        (
            ProxiedAddress(HostPort("::1", 3128), "a:1", "Basic secret"),
            "a:1 through the proxy [::1]:3128",
        ),
    ],
)
def test_addresses_as_text(address: Address, text: str) -> None:
    assert str(address) == text


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("[::]:50051", HostPort("::", 50051)),
        ("0.0.0.0:0", HostPort("0.0.0.0", 0)),
        (":50051", HostPort("", 50051)),
        ("localhost:1", HostPort("localhost", 1)),
        ("localhost", HostPort("localhost", 443)),
        ("127.0.0.1:", HostPort("127.0.0.1", 443)),
        ("[::]", HostPort("::", 443)),
        ("::1", HostPort("::1", 443)),
        ("dns:///localhost:1", HostPort("localhost", 1)),
        ("ipv4:127.0.0.1:1", HostPort("127.0.0.1", 1)),
        ("ipv6:[::1]:1", HostPort("::1", 1)),
        ("unix:/a", UnixAddress("/a")),
        ("unix-abstract:a", UnixAddress("a", True)),
        ("vsock:2:5", VsockAddress(2, 5)),
        ("vsock:5", HostPort("vsock", 5)),
    ],
)
def test_listen_addresses(address: str, expected: Address) -> None:
    assert parse_listen_address(address) == expected


@pytest.mark.parametrize("address", ["", ":", "host:x", "dns:", "unix:", "vsock:x"])
def test_bad_listen_addresses(address: str) -> None:
    with pytest.raises(ValueError):
        parse_listen_address(address)


@given(st.text(st.sampled_from("dns:ipv46ux/[],%.0159aé -"), max_size=20))
@settings(max_examples=200, deadline=None)
def test_anything_is_a_target_or_a_value_error(text: str) -> None:
    for parse in (parse_target, parse_listen_address):
        try:
            parse(text)
        except ValueError:
            pass
