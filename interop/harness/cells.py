"""The cells of the matrix: which runs there are, and what came of them."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, replace

from interop.cases import CASES
from interop.harness.peers import Peer, Python
from interop.harness.processes import Finished

__all__ = ["FRONT_ENDS", "Cell", "Direction", "Key", "Sizes", "flags_of", "keys"]

FRONT_ENDS = ("sync", "aio")
_ORCA = '{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}'
_OVERRIDE = "foo.test.google.fr"


class Direction(enum.Enum):
    """Which side Clarion is on."""

    CLIENT = "Clarion's client"
    SERVER = "Clarion's server"


@dataclass(frozen=True)
class Key:
    """One cell of a peer: Clarion's side and front end, security, case."""

    peer: str
    direction: Direction
    front_end: str
    tls: bool
    case: str


@dataclass(frozen=True)
class Cell:
    """What a run came to. `reason` explains what is not a pass."""

    key: Key
    finished: Finished
    reason: str | None = None

    @property
    def passed(self) -> bool:
        return self.finished.status == 0

    def explained(self, reason: str | None) -> Cell:
        return replace(self, reason=reason)


def keys(peer: Peer, cases: list[str]) -> list[Key]:
    """All cells of a peer; a case that is for TLS alone has none in plain text."""
    directions = list(Direction)
    if isinstance(peer, Python) and peer.library == "clarion":
        directions = [Direction.CLIENT]  # the other direction is the same cells again
    return [
        Key(peer.name, direction, front_end, tls, case)
        for direction in directions
        for front_end in FRONT_ENDS
        for tls in (False, True)
        for case in cases
        if tls or not CASES[case].secure
    ]


@dataclass(frozen=True)
class Sizes:
    """The numbers of the cases that make many calls."""

    soak_iterations: int
    concurrent_calls: int
    soak_per_iteration_max_acceptable_latency_ms: int = 10_000
    soak_overall_timeout_seconds: int = 60


def flags_of(
    key: Key, port: int, account: dict[str, str], sizes: Sizes, *, official: bool
) -> list[str]:
    """The client's flags, as the official programs take them; ours take one more."""
    flags = ["--server_host=localhost", f"--server_port={port}", f"--test_case={key.case}"]
    if key.case == "google_default_credentials":
        flags.append("--custom_credentials_type=google_default_credentials")
        # The official programs take the system's authorities: see what `Peer.environment` says of them.
        flags.append("--use_tls=false" if official else "--use_test_ca=true")
    else:
        flags.append(f"--use_tls={str(key.tls).lower()}")
        if key.tls:
            flags += ["--use_test_ca=true", f"--server_host_override={_OVERRIDE}"]
    if CASES[key.case].secure:
        flags += [f"--{name}={value}" for name, value in account.items()]
    if key.case.endswith("_soak"):
        soak = {name: value for name, value in asdict(sizes).items() if name.startswith("soak_")}
        flags += [f"--{name}={value}" for name, value in soak.items()]
    if key.case == "concurrent_large_unary" and not official:
        flags.append(f"--concurrent_calls={sizes.concurrent_calls}")
    if key.case.startswith("orca_"):
        flags.append(f"--service_config_json={_ORCA}")
    return flags
