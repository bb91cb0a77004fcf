"""Which connections go through an HTTP proxy (gRFC A1), as grpcio's
https://github.com/grpc/grpc/blob/master/doc/core/default_http_proxy_mapper.md has it.

Names: with a proxy for all (`grpc.http_proxy`, or `grpc_proxy`, `https_proxy`, `http_proxy` in the environment), the
proxy gets the target's name, and looks it up itself. Targets that are no hosts (Unix sockets, `vsock:`), and those of
schemes that find addresses in their own way, go without.

Addresses: with a proxy for some (`grpc.address_http_proxy`), names are looked up as ever, and connections to addresses
in a list go through the proxy.
"""

from __future__ import annotations

import base64
import ipaddress
import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from clarion.resolver.target import Address, HostPort, ProxiedAddress, Target, parse_host_port

__all__ = ["address_proxy", "through_proxy"]

_LOG = logging.getLogger(__name__)

_SCHEMES = ("dns", "ipv4", "ipv6", "passthrough")

Option = Callable[[str], Any]


class _Proxy(NamedTuple):
    address: HostPort
    authorization: str
    source: str


def through_proxy(target: Target, option: Option, environ: Mapping[str, str]) -> Target:
    """`target`, or if a proxy is to be asked for it, one that says so.

    Args:
        target: where a channel goes.
        option: the channel's arguments.
        environ: the environment.

    Raises:
        ValueError: a proxy cannot be asked for a name like that.
    """
    if target.scheme not in _SCHEMES or option("grpc.enable_http_proxy") == 0:
        return target
    proxy = _find_proxy(option, environ)
    if proxy is None:
        return target
    exceptions = environ.get("no_grpc_proxy", environ.get("no_proxy", ""))
    hosts = [each for each in target.addresses if isinstance(each, HostPort)]
    if any(_listed(each.host, exceptions) for each in hosts):
        return target
    addresses = tuple(
        ProxiedAddress(proxy.address, _for_proxy(each, target), proxy.authorization, proxy.source)
        for each in hosts
    )
    return Target("http-proxy", addresses, target.authority)


def address_proxy(
    option: Option, environ: Mapping[str, str]
) -> Callable[[Address], Address] | None:
    """What makes of an address one that is reached through a proxy, if it is listed; None if there is no such proxy."""
    where = _text(option, "grpc.address_http_proxy") or environ.get("GRPC_ADDRESS_HTTP_PROXY", "")
    enabled = _text(option, "grpc.address_http_proxy_enabled_addresses") or environ.get(
        "GRPC_ADDRESS_HTTP_PROXY_ENABLED_ADDRESSES", ""
    )
    if not where or not enabled:
        return None
    try:
        proxy = parse_host_port(where, where)
        ipaddress.ip_address(proxy.host)
    except ValueError as error:
        _LOG.warning("grpc.address_http_proxy is not used: %s", error)
        return None

    def mapped(address: Address) -> Address:
        if isinstance(address, HostPort) and _listed(address.host, enabled):
            return ProxiedAddress(proxy, str(address), source="grpc.address_http_proxy")
        return address

    return mapped


def _find_proxy(option: Option, environ: Mapping[str, str]) -> _Proxy | None:
    given = _text(option, "grpc.http_proxy")
    source = "the channel argument grpc.http_proxy"
    if given is None:
        for name in ("grpc_proxy", "https_proxy", "http_proxy"):
            given = environ.get(name)
            source = f"the environment variable {name}"
            if given is not None:
                break
    if not given:
        # Empty means none, and ends the search.
        return None
    try:
        return _read(given, source)
    except ValueError as error:
        # As grpcio. Not what is in it, which may be a password.
        _LOG.warning("%s is not used: %s", source, error)
        return None


def _read(text: str, source: str) -> _Proxy:
    if "://" not in text:
        text = f"http://{text}"
    url = urlsplit(text)
    if url.scheme != "http":
        raise ValueError(f"it is to be an http:// URL, and not one of {url.scheme!r}")
    user, _, where = url.netloc.rpartition("@")
    try:
        address = parse_host_port(where, where)
    except ValueError:
        raise ValueError("it has no valid host and port") from None
    authorization = ""
    if user:
        credentials = base64.b64encode(unquote(user).encode())
        authorization = f"Basic {credentials.decode()}"
    return _Proxy(address, authorization, source)


def _listed(host: str, entries: str) -> bool:
    """Whether `host` is in a list: a name is itself, `.name` also what is below it, or addresses as CIDR has them."""
    host = host.lower().rstrip(".")
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        address = None
    for entry in entries.lower().split(","):
        entry = entry.strip()
        if entry == "*" or (entry and host == entry.strip(".")):
            return True
        if address is None:
            if entry.startswith(".") and host.endswith(entry):
                return True
            continue
        try:
            network = ipaddress.ip_network(entry.strip("[]"), strict=False)
        except ValueError:
            continue
        if address.version == network.version and address in network:
            return True
    return False


def _for_proxy(name: HostPort, target: Target) -> str:
    """What a proxy understands: ASCII, and no more than one word."""
    host = name.host
    try:
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"target {target.authority!r}: {host!r} is no name: {error}") from None
    if not host.isprintable() or set(host) & set(" /@?#"):
        raise ValueError(f"target {target.authority!r}: no proxy can be asked for {host!r}")
    return str(HostPort(host, name.port))


def _text(option: Option, name: str) -> str | None:
    value = option(name)
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None
