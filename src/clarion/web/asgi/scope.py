"""What an ASGI scope says of a request, in the form that the rest of a server has it.

Rules it keeps:
- The path is the decoded one, without what the application is mounted under. It is what frameworks around us go by, and whoever
  lets requests pass by their path must not be told another than is served.
- What belongs to the hop between client and server is no metadata.
- A scope that breaks ASGI is the server's fault, or a middleware's: it is refused by a `LocalError` that says what is wrong.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from clarion.errors import LocalError
from clarion.hpack import HeaderList
from clarion.web.asgi_types import Scope
from clarion.web.http1.hop import HOP, named

__all__ = ["MalformedScope", "has_trailers", "is_http1", "peer_of", "request_head"]

# What RFC 9113 §6.5.2 adds for each field.
_OVERHEAD = 32


class MalformedScope(LocalError, ValueError):
    """A server, or what stands in front of the application, gave a scope that ASGI does not have."""


def is_http1(scope: Scope) -> bool:
    """Whether the request came by HTTP/1.0 or 1.1."""
    return str(scope.get("http_version", "1.1"))[:1] in ("0", "1")


def has_trailers(scope: Scope) -> bool:
    """Whether the answer can have trailers, which native gRPC needs."""
    return not is_http1(scope) and "http.response.trailers" in (scope.get("extensions") or ())


def request_head(scope: Scope) -> HeaderList:
    """The request's head as a header list of HTTP/2.

    Raises:
        MalformedScope: see there.
    """
    try:
        return _request_head(scope)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedScope(
            f"the ASGI scope of a request is malformed ({type(error).__name__}: {error}); "
            f"this is for the server, or a middleware in front of clarion.asgi, to mend"
        ) from error


def _request_head(scope: Scope) -> HeaderList:
    fields = [(bytes(name).lower(), bytes(value)) for name, value in scope.get("headers", ())]
    hop = HOP | named(fields)
    if has_trailers(scope):
        # gRPC asks for it, of HTTP/2 alone, where it means nothing else.
        hop -= {b"te"}
    target = _path(scope)
    query = scope.get("query_string", b"")
    if query:
        target += b"?" + query
    host = next((value for name, value in fields if name == b"host"), b"")
    listed = [
        (b":method", scope["method"].encode("ascii")),
        (b":scheme", scope.get("scheme", "http").encode("ascii")),
        (b":authority", host),
        (b":path", target),
    ]
    listed += [field for field in fields if field[0] not in hop]
    size = sum(len(name) + len(value) + _OVERHEAD for name, value in listed)
    return HeaderList(tuple(listed), size)


def _path(scope: Scope) -> bytes:
    path: str = scope["path"]
    root: str = scope.get("root_path", "").rstrip("/")
    # Some servers and frameworks take it off by themselves.
    if root and path.startswith(root) and path[len(root) :][:1] in ("", "/"):
        path = path[len(root) :]
    # A path ends where a query begins, which this was not one.
    return (path or "/").replace("?", "%3F").encode("utf-8", "surrogateescape")


def peer_of(scope: Scope) -> str:
    """The client's address in grpcio's form, as `ServicerContext.peer` has it."""
    client, server = scope.get("client"), scope.get("server")
    if client and client[0]:
        return _address(client[0], client[1])
    if server and server[1] is None:
        return f"unix:{server[0]}"
    return "unknown"


def _address(host: Any, port: Any) -> str:
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        return f"{host}:{port}"
    return f"ipv4:{host}:{port}" if version == 4 else f"ipv6:%5B{host}%5D:{port}"
