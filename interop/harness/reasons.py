"""Why a cell is no pass, where that is not Clarion's doing. The cells are run all the same.

A cell that does not pass and has no entry here fails the run. One that passes has no use for its
entry; the run says so.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from interop.harness.cells import Direction, Key

__all__ = ["reason"]

_CLIENT, _SERVER = Direction.CLIENT, Direction.SERVER


@dataclass(frozen=True)
class _Reason:
    """Patterns as of file names; the cases are a list of them."""

    peers: str
    direction: Direction
    cases: str
    text: str
    tls: bool | None = None

    def covers(self, key: Key) -> bool:
        return (
            key.direction is self.direction
            and (self.tls is None or key.tls is self.tls)
            and fnmatch.fnmatch(key.peer, self.peers)
            and any(fnmatch.fnmatch(key.case, case) for case in self.cases.split())
        )


_COMPRESSED = "*_compressed_*"
_CREDENTIALS = "*_creds oauth2_auth_token google_default_credentials"

_REASONS = [
    # grpcio
    _Reason(
        "grpcio-*",
        _CLIENT,
        "client_compressed_*",
        "grpcio does not tell a server whether a request was compressed, so the server cannot refuse the probe.",
    ),
    _Reason(
        "grpcio-*",
        _SERVER,
        "client_compressed_streaming",
        "grpcio has no way to leave a single request of a compressed call uncompressed.",
    ),
    _Reason(
        "grpcio-*",
        _SERVER,
        "orca_per_rpc",
        "grpcio does not show `endpoint-load-metrics-bin` to applications.",
    ),
    # grpc-go
    _Reason(
        "go",
        _CLIENT,
        f"cacheable_unary {_COMPRESSED}",
        "grpc-go's test server has neither CacheableUnaryCall nor the compression features.",
    ),
    _Reason(
        "go",
        _SERVER,
        f"cacheable_unary {_COMPRESSED} concurrent_large_unary long_lived_channel",
        "grpc-go's test client does not have this case.",
    ),
    # grpc-java
    _Reason(
        "java",
        _CLIENT,
        "cacheable_unary",
        "grpc-java's test server does not have CacheableUnaryCall.",
    ),
    _Reason(
        "java",
        _CLIENT,
        "client_compressed_* server_compressed_streaming",
        "grpc-java's test server does not check requests for compression, and does not compress streams.",
    ),
    _Reason(
        "java",
        _SERVER,
        "concurrent_large_unary long_lived_channel",
        "grpc-java's test client does not have this case.",
    ),
    # The programs of this repository, as small as they are
    _Reason(
        "js",
        _CLIENT,
        f"cacheable_unary {_COMPRESSED}",
        "The program on grpc-js has no cache. grpc-js has no compression by call or message on a server, and does not"
        " tell whether a request was compressed.",
    ),
    _Reason(
        "js",
        _SERVER,
        _COMPRESSED,
        "grpc-js compresses by channel, not by call or message, and does not tell what came compressed.",
    ),
    _Reason(
        "cpp",
        _CLIENT,
        "cacheable_unary client_compressed_*",
        "The program on grpc++ has no cache. grpc++ does not tell a server whether a request was compressed.",
    ),
    _Reason(
        "cpp",
        _SERVER,
        "orca_per_rpc",
        "grpc++ does not show `endpoint-load-metrics-bin` to applications.",
    ),
    _Reason(
        "tonic",
        _CLIENT,
        "cacheable_unary client_compressed_* server_compressed_streaming",
        "The program on tonic has no cache. tonic does not tell a server whether a request was compressed, and has"
        " no compression by message.",
    ),
    _Reason(
        "tonic",
        _CLIENT,
        "custom_metadata orca_per_rpc",
        "tonic's server cannot send trailing metadata with the response of a unary call.",
    ),
    _Reason(
        "tonic",
        _SERVER,
        "client_compressed_streaming",
        "tonic has no compression by message.",
    ),
    _Reason(
        "tonic",
        _SERVER,
        "cancel_*",
        "A call of tonic is cancelled by dropping it; no status is left to be looked at.",
    ),
    _Reason(
        "tonic",
        _SERVER,
        "timeout_on_sleeping_server",
        "tonic's client ends a call that is out of time with CANCELLED, not DEADLINE_EXCEEDED.",
    ),
    # The cases with credentials are written for Google's own servers; ours knows tokens of the test authority.
    *(
        _Reason(
            peer,
            _CLIENT,
            _CREDENTIALS,
            "The call succeeds with the credentials; the peer's test server does not say whom they belong to.",
        )
        for peer in ("go", "java", "js", "cpp", "tonic")
    ),
    _Reason("js", _SERVER, _CREDENTIALS, "The program on grpc-js has no cases with credentials."),
    _Reason("cpp", _SERVER, _CREDENTIALS, "The program on grpc++ has no cases with credentials."),
    _Reason("tonic", _SERVER, _CREDENTIALS, "The program on tonic has no cases with credentials."),
]


def reason(key: Key) -> str | None:
    """The reason on record for a cell."""
    return next((each.text for each in _REASONS if each.covers(key)), None)
