"""Target names (https://github.com/grpc/grpc/blob/master/doc/naming.md): what they say, before any look-up.

`host:port` and `dns:` are looked up; `ipv4:`, `ipv6:`, `unix:` and `unix-abstract:` are addresses already.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import unquote

__all__ = [
    "Address",
    "HostPort",
    "Target",
    "UnixAddress",
    "parse_listen_address",
    "parse_target",
]

DEFAULT_PORT = 443


class HostPort(NamedTuple):
    """A host, by name or number, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class UnixAddress(NamedTuple):
    """A Unix socket: a path, or a name without a file."""

    path: str
    abstract: bool = False

    def __str__(self) -> str:
        if self.abstract:
            return f"unix-abstract:{self.path}"
        # What begins with two slashes would read as `unix://`, which has a form of its own.
        return f"unix://{self.path}" if self.path.startswith("//") else f"unix:{self.path}"


Address = HostPort | UnixAddress


class Target(NamedTuple):
    """A parsed target.

    Attributes:
        scheme: the resolver it belongs to.
        addresses: what to connect to; a `dns` target's one entry is a name to look up.
        authority: what calls say in `:authority`.
        rest: what follows the scheme and its colon, for a scheme that somebody registered.
    """

    scheme: str
    addresses: tuple[Address, ...]
    authority: str
    rest: str = ""


def parse_target(target: str | bytes) -> Target:
    """Parse what a channel is given; bytes are UTF-8.

    Raises:
        ValueError: the target is not of its scheme's form; says what is wrong.
    """
    if isinstance(target, bytes):
        # Not in grpcio's types, but it takes them.
        try:
            target = target.decode()
        except UnicodeDecodeError:
            raise ValueError(f"target {target!r} is not UTF-8") from None
    scheme, separator, rest = target.partition(":")
    if separator and scheme in ("dns", "ipv4", "ipv6", "unix", "unix-abstract"):
        return _PARSERS[scheme](rest, target)
    return _dns(target, target)


def _dns(rest: str, target: str) -> Target:
    if rest.startswith("//"):
        # dns://server/name: the name server is another's choice, the name is ours.
        _, separator, rest = rest[2:].partition("/")
        if not separator:
            raise ValueError(f"target {target!r} has no path; a name goes after dns:///")
    name = rest.lstrip("/")
    address = _host_port(name, target)
    return Target("dns", (address,), unquote(name))


def _ip(rest: str, target: str, version: int) -> Target:
    rest = rest.lstrip("/")
    addresses = []
    for part in rest.split(","):
        address = _host_port(part, target)
        try:
            if ipaddress.ip_address(address.host.partition("%")[0]).version != version:
                raise ValueError
        except ValueError:
            raise ValueError(f"target {target!r}: {part!r} is no IPv{version} address") from None
        addresses.append(address)
    return Target(f"ipv{version}", tuple(addresses), rest.partition(",")[0])


def _unix(rest: str, target: str) -> Target:
    path = rest
    if rest.startswith("//"):
        path = rest[2:]
        if not path.startswith("/"):
            raise ValueError(f"target {target!r}: unix:// takes an absolute path")
    if not path:
        raise ValueError(f"target {target!r} has no path")
    return Target("unix", (UnixAddress(path),), "localhost")


def _unix_abstract(rest: str, target: str) -> Target:
    if not rest:
        raise ValueError(f"target {target!r} has no name")
    return Target("unix-abstract", (UnixAddress(rest, True),), "localhost")


_PARSERS = {
    "dns": _dns,
    "ipv4": lambda rest, target: _ip(rest, target, 4),
    "ipv6": lambda rest, target: _ip(rest, target, 6),
    "unix": _unix,
    "unix-abstract": _unix_abstract,
}


def _host_port(text: str, target: str, *, any_host: bool = False) -> HostPort:
    text = unquote(text)
    if text.startswith("["):
        host, separator, rest = text[1:].partition("]")
        if not separator or (rest and not rest.startswith(":")):
            raise ValueError(f"target {target!r}: no ']:port' after '['")
        port = rest[1:]
    elif text.count(":") > 1:
        # A bare IPv6 address has no port.
        host, port = text, ""
    else:
        host, _, port = text.partition(":")
    if not host and not (any_host and port):
        raise ValueError(f"target {target!r} names no host")
    if not port:
        return HostPort(host, DEFAULT_PORT)
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"target {target!r}: port {port!r} is not a number from 0 to 65535")
    return HostPort(host, int(port))


def parse_listen_address(address: str) -> Address:
    """Parse what a server is given. Without a port it is 443, as for a target.

    Raises:
        ValueError: the address is not of a known form.
    """
    scheme, _, rest = address.partition(":")
    if scheme in ("unix", "unix-abstract"):
        return _PARSERS[scheme](rest, address).addresses[0]
    if scheme in ("dns", "ipv4", "ipv6"):
        address = rest.lstrip("/")
    return _host_port(address, address, any_host=True)
