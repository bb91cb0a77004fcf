"""Why a cell of the web's matrix is no pass, where that is not Clarion's doing. The cells are run all the same.

A cell that does not pass and has no entry here fails the run. One that passes has no use for its
entry; the run says so.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from interop.harness.cells import Direction
from interop.web.cells import Key

__all__ = ["reason"]

_CLIENT, _SERVER = Direction.CLIENT, Direction.SERVER


@dataclass(frozen=True)
class _Reason:
    """Patterns as of file names; peers, cases and wires are lists of them."""

    peers: str
    direction: Direction
    cases: str
    text: str
    wires: str = "*"

    def covers(self, key: Key) -> bool:
        return key.direction is self.direction and all(
            any(fnmatch.fnmatch(value, each) for each in patterns.split())
            for value, patterns in (
                (key.peer, self.peers),
                (key.case, self.cases),
                (str(key.wire), self.wires),
            )
        )


_REASONS = [
    _Reason(
        "grpc-web envoy-grpc-web",
        _SERVER,
        "client_compressed_unary",
        "The client cannot compress. That the server refuses what is not compressed, and takes what says so, is"
        " checked.",
    ),
    _Reason(
        "connectrpc",
        _SERVER,
        "cancel_*",
        "A call of connectrpc is cancelled with its task; no status is left to be looked at.",
    ),
    _Reason(
        "connect-go",
        _SERVER,
        "half_duplex empty_stream",
        "connect-go has streams in both directions over HTTP/2 alone. Of cases that have them as one half, the other half"
        " is run.",
        "*/1.1/*",
    ),
    _Reason(
        "connect-node connect-go",
        _CLIENT,
        "half_duplex empty_stream",
        "The peer's server refuses streams both ways over HTTP/1.1 with 505. Of cases that have them as one half, the other"
        " half is run.",
        "*/1.1/*",
    ),
    _Reason(
        "envoy-go",
        _CLIENT,
        "client_compressed_* server_compressed_*",
        "grpc-go's test server does not have the compression features.",
    ),
    _Reason(
        "envoy-grpcio-*",
        _CLIENT,
        "client_compressed_*",
        "grpcio does not tell a server whether a request was compressed, so the server cannot refuse the probe.",
    ),
    _Reason(
        "connectrpc",
        _CLIENT,
        "server_compressed_*",
        "The peer's server takes the first name of `grpc-accept-encoding` that it knows, which is `identity`: gRPC gives these"
        " names no order.",
        "grpc*/proto",
    ),
    _Reason(
        "connect-node connect-go connectrpc",
        _CLIENT,
        "server_compressed_*",
        "The peer's server compresses whatever a client can unpack, from a size on, and cannot be told to leave a message as it"
        " is. That what it compresses is understood is checked before that.",
        "*/proto",
    ),
]


def reason(key: Key) -> str | None:
    """The reason on record for a cell."""
    return next((each.text for each in _REASONS if each.covers(key)), None)
