"""The cells of the web's matrix: how calls are on the wire, which runs there are, and what came of them."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from interop.harness.cells import FRONT_ENDS, Direction

__all__ = [
    "CASES",
    "GRPC_WEB_CASES",
    "PROTOCOLS",
    "Cell",
    "Key",
    "Wire",
    "bidirectional",
    "keys",
    "wires",
]

PROTOCOLS = {
    "connect": "Connect",
    "grpc-web": "gRPC-Web",
    "grpc-web-text": "gRPC-Web text",
    "grpc": "gRPC",
}
"""Titles of protocols. gRPC-Web's two forms are two here."""

CASES = (
    "empty_unary",
    "cacheable_unary",
    "large_unary",
    "client_compressed_unary",
    "server_compressed_unary",
    "client_streaming",
    "client_compressed_streaming",
    "server_streaming",
    "server_compressed_streaming",
    "ping_pong",
    "half_duplex",
    "empty_stream",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
)
"""gRPC's cases that are not about credentials, load reports or endurance, and `half_duplex`, which HTTP/1.1 can do."""

GRPC_WEB_CASES = (
    "empty_unary",
    "large_unary",
    "client_compressed_unary",
    "server_compressed_unary",
    "server_streaming",
    "server_compressed_streaming",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
)
"""gRPC-Web's own interop cases: eleven for text, and without the two of streams nine for binary."""

_STREAMS_OF_TEXT = ("server_streaming", "server_compressed_streaming")
_FULL_DUPLEX = ("ping_pong", "cancel_after_first_response")


@dataclass(frozen=True)
class Wire:
    """How calls are made: the protocol, the version of HTTP, the messages' encoding."""

    protocol: str
    http: str
    codec: str = "proto"

    @property
    def title(self) -> str:
        """The column that it belongs to."""
        return f"{PROTOCOLS[self.protocol]}, HTTP/{self.http}"

    def __str__(self) -> str:
        return f"{self.protocol}/{self.http}/{self.codec}"


def wires(*patterns: str) -> tuple[Wire, ...]:
    """All wires that match one of the patterns, such as `grpc-web*/1.1/proto`."""
    everything = [
        Wire(protocol, http, codec)
        for protocol in PROTOCOLS
        for http in ("1.1", "2")
        for codec in ("proto", "json")
        # gRPC is for HTTP/2; text is for messages in bytes.
        if (protocol, http) != ("grpc", "1.1") and (protocol, codec) != ("grpc-web-text", "json")
    ]
    return tuple(
        wire for wire in everything if any(fnmatch.fnmatch(str(wire), each) for each in patterns)
    )


@dataclass(frozen=True)
class Key:
    """One cell of a peer: Clarion's side and front end, security, wire, case."""

    peer: str
    direction: Direction
    front_end: str
    tls: bool
    wire: Wire
    case: str


@dataclass(frozen=True)
class Cell:
    """What a run came to: `words` of what is no pass, and `reason`, if there is one on record."""

    key: Key
    passed: bool
    words: str = ""
    reason: str | None = None

    def explained(self, reason: str | None) -> Cell:
        return replace(self, reason=reason)


def bidirectional(case: str) -> bool:
    """Whether the case needs both directions at the same time, which HTTP/1.1 does not promise."""
    return case in _FULL_DUPLEX


def keys(
    peer: str,
    direction: Direction,
    ways: Sequence[Wire],
    securities: Iterable[bool],
    cases: Sequence[str],
    front_ends: Iterable[str] = FRONT_ENDS,
) -> list[Key]:
    """All cells of a peer in one direction."""
    official = tuple(cases) == GRPC_WEB_CASES
    return [
        Key(peer, direction, front_end, tls, wire, case)
        for front_end in front_ends
        for tls in securities
        for wire in ways
        for case in cases
        if wire.http == "2" or not bidirectional(case)
        # The descriptions of gRPC-Web have streams in text alone.
        if not (official and wire.protocol == "grpc-web" and case in _STREAMS_OF_TEXT)
    ]
