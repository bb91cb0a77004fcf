"""A resolver that reads a file, and a policy that keeps each session at one server."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import clarion
from clarion.load_balancing import Pick, Picker, PickInfo
from clarion.load_balancing import register as register_policy
from clarion.load_balancing.endpoint_sharding import EndpointSharding
from clarion.resolver import Endpoint, HostPort, Resolution, Resolver
from clarion.resolver import register as register_resolver

REGISTRY = Path(__file__).with_name("servers.txt")
CONFIG = {"loadBalancingConfig": [{"by_session": {}}]}


@register_resolver
class FromFile(Resolver):
    """`file:///path`: a server for each line, and the service config that goes with them."""

    scheme = "file"

    def start(self) -> None:
        # A file may be slow to read, and nothing in a resolver may block.
        self.helper.apart(self.read)

    def resolve_now(self) -> None:
        self.helper.apart(self.read)

    def close(self) -> None:
        """Nothing is held."""

    def read(self) -> None:
        try:
            lines = Path(self.target.rest.removeprefix("//")).read_text().split()
            pairs = [line.rsplit(":", 1) for line in lines]
            endpoints = tuple(Endpoint((HostPort(host, int(port)),)) for host, port in pairs)
        except (OSError, ValueError) as error:
            self.helper.update(Resolution(error=str(error)))
        else:
            self.helper.update(Resolution(endpoints, service_config=CONFIG))


class BySessionPicker(Picker):
    """Asked on the threads that make calls, so it answers at once from what it was made with."""

    def __init__(self, answers: Sequence[Pick]) -> None:
        self._answers = answers

    def pick(self, info: PickInfo) -> Pick:
        session = info.header(b"session") or b""
        return self._answers[zlib.crc32(session) % len(self._answers)]


@register_policy
class BySession(EndpointSharding):
    """Connects to all servers; the header `session` says which one a call goes to."""

    name = "by_session"

    def make_picker(self, ready: Sequence[Any]) -> Picker:
        return BySessionPicker([child.picked for child in ready])


def run() -> None:
    with clarion.insecure_channel(f"file://{REGISTRY}") as channel:
        who_am_i = channel.unary_unary("/example.Names/WhoAmI")

        def servers_of(session: str) -> set[bytes]:
            metadata = (("session", session),)
            return {who_am_i(b"", metadata=metadata, timeout=10) for _ in range(5)}

        # Until all are connected, a session may move.
        sessions = [f"session-{number}" for number in range(30)]
        while len(set().union(*map(servers_of, sessions))) < 3:
            pass
        served = [servers_of(session) for session in sessions]
        print(f"{len(sessions)} sessions, {max(map(len, served))} server for each")
        names = sorted(name.decode() for name in set().union(*served))
        print(f"servers: {json.dumps(names)}")


if __name__ == "__main__":
    run()
