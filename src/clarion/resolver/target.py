"""Target names (https://github.com/grpc/grpc/blob/master/doc/naming.md): what they say, before any look-up.

`host:port`, `dns:` and `passthrough:` are looked up; `ipv4:`, `ipv6:`, `unix:`, `unix-abstract:` and `vsock:` are
addresses already. Schemes whose form is their resolver's own business, such as `kubernetes:`, are the registry's.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import unquote

__all__ = [
    "Address",
    "HostPort",
    "ProxiedAddress",
    "Target",
    "UnixAddress",
    "VsockAddress",
    "canonical",
    "is_port",
    "name_server",
    "parse_host_port",
    "parse_listen_address",
    "parse_target",
]

DEFAULT_PORT = 443
_DNS_PORT = 53
# With a port alone behind it, each of these is the name of a host.
_ALSO_HOSTS = ("passthrough", "vsock")
_MAX_UINT32 = 2**32 - 1


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


class VsockAddress(NamedTuple):
    """A socket between a virtual machine and its host: the machine's context identifier, and a port."""

    cid: int
    port: int

    def __str__(self) -> str:
        return f"vsock:{self.cid}:{self.port}"


class ProxiedAddress(NamedTuple):
    """A server that an HTTP proxy connects to (CONNECT, RFC 9110 §9.3.6).

    Attributes:
        proxy: where the proxy is.
        server: what the proxy is asked for, `host:port`; a name is the proxy's to look up.
        authorization: the value of `proxy-authorization`, or "".
        source: what named the proxy, for error texts.
    """

    proxy: HostPort
    server: str
    authorization: str = ""
    source: str = ""

    def __str__(self) -> str:
        return f"{self.server} through the proxy {self.proxy}"

    def explain(self, failure: str) -> str:
        """What the proxy did, in words, and what to do about it."""
        named = f" (from {self.source})" if self.source else ""
        return (
            f"the proxy {self.proxy}{named}, asked to connect to {self.server}, {failure}; hosts that need no proxy are "
            "listed in the environment variable no_proxy"
        )


Address = HostPort | UnixAddress | VsockAddress | ProxiedAddress


class Target(NamedTuple):
    """A parsed target.

    Attributes:
        scheme: the resolver it belongs to.
        addresses: what to connect to; a `dns` target's one entry is a name to look up.
        authority: what calls say in `:authority`.
        rest: what follows the scheme and its colon, for a scheme that is its resolver's own business, or where a
            name server is to be asked (`dns://server/name`).
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
    if separator and scheme in _PARSERS and not (scheme in _ALSO_HOSTS and is_port(rest)):
        return _PARSERS[scheme](rest, target)
    return _dns(target, target)


def canonical(given: str | bytes, target: Target) -> str:
    """A channel's target with its scheme, which the application may have left out; `target` is what `given` means."""
    text = given.decode("utf-8", "replace") if isinstance(given, bytes) else given
    named = text.startswith(f"{target.scheme}:")
    return text if named else f"dns:///{text}"


def is_port(rest: str) -> bool:
    """Whether a "scheme" is a host, because what follows its colon is a port and nothing else."""
    return rest.isascii() and rest.isdigit()


def _dns(rest: str, target: str) -> Target:
    asked = ""
    if rest.startswith("//"):
        whole = rest
        server, separator, rest = rest[2:].partition("/")
        if not separator:
            raise ValueError(f"target {target!r} has no path; a name goes after dns:///")
        if server:
            asked = whole
            name_server(whole, target)
    name = rest.lstrip("/")
    address = parse_host_port(name, target)
    return Target("dns", (address,), unquote(name), asked)


def name_server(rest: str, target: str = "") -> HostPort | None:
    """Who is to be asked according to what follows a scheme, `//server:port/name`; None: whom the system asks.

    Raises:
        ValueError: it is not of that form.
    """
    server = rest[2:].partition("/")[0] if rest.startswith("//") else ""
    return parse_host_port(server, target or rest, default_port=_DNS_PORT) if server else None


def _passthrough(rest: str, target: str) -> Target:
    if rest.startswith("//"):
        rest = rest[2:].partition("/")[2]
    name = rest.lstrip("/")
    address = parse_host_port(name, target)
    return Target("passthrough", (address,), unquote(name))


def _ip(rest: str, target: str, version: int) -> Target:
    rest = rest.lstrip("/")
    addresses = []
    for part in rest.split(","):
        address = parse_host_port(part, target)
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


def _vsock(rest: str, target: str) -> Target:
    cid, _, port = rest.removeprefix("//").lstrip("/").partition(":")
    if not (_is_uint32(cid) and _is_uint32(port)):
        raise ValueError(
            f"target {target!r}: vsock: takes CID:PORT, two numbers from 0 to {_MAX_UINT32}"
        )
    return Target("vsock", (VsockAddress(int(cid), int(port)),), "localhost")


def _is_uint32(text: str) -> bool:
    # Python refuses to read numbers of thousands of digits.
    return is_port(text) and len(text) <= 10 and int(text) <= _MAX_UINT32


_PARSERS = {
    "dns": _dns,
    "ipv4": lambda rest, target: _ip(rest, target, 4),
    "ipv6": lambda rest, target: _ip(rest, target, 6),
    "unix": _unix,
    "unix-abstract": _unix_abstract,
    "vsock": _vsock,
    "passthrough": _passthrough,
}


def parse_host_port(
    text: str, target: str, *, any_host: bool = False, default_port: int = DEFAULT_PORT
) -> HostPort:
    """Parse `host`, `host:port`, `[v6]:port` or `v6`, which may be percent-encoded.

    Args:
        text: see above.
        target: what it is a part of, for error texts.
        any_host: whether `:port` is enough.
        default_port: the port where `text` has none.

    Raises:
        ValueError: it is nothing of that; says what is wrong with it.
    """
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
        return HostPort(host, default_port)
    if not (port.isascii() and port.isdigit() and len(port) < 20) or int(port) > 65535:
        raise ValueError(f"target {target!r}: port {port!r} is not a number from 0 to 65535")
    return HostPort(host, int(port))


def parse_listen_address(address: str) -> Address:
    """Parse what a server is given. Without a port it is 443, as for a target.

    Raises:
        ValueError: the address is not of a known form.
    """
    scheme, _, rest = address.partition(":")
    if scheme in ("unix", "unix-abstract") or (scheme == "vsock" and not is_port(rest)):
        return _PARSERS[scheme](rest, address).addresses[0]
    if scheme in ("dns", "ipv4", "ipv6"):
        address = rest.lstrip("/")
    return parse_host_port(address, address, any_host=True)
