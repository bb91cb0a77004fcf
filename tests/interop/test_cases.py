"""The interop cases in short: Clarion against itself and against grpcio, both front ends, plain and TLS.

Client and server run in this process. `make interop` runs them as processes, against everybody.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interop.cases import CASES
from interop.client import run_case
from interop.harness.cells import Direction, Key
from interop.harness.reasons import reason
from interop.program.authority import ACCOUNT, SCOPE, Authority
from interop.program.flags import CERTIFICATES, client_flags
from interop.program.library import Unsupported, load
from interop.program.session import Failure
from support.interop_server import InteropServer
from support.processes import python_environment

ROOT = Path(__file__).resolve().parents[2]
FRONT_ENDS = ("sync", "aio")
SIZES = ["--soak_iterations=3", "--soak_per_iteration_max_acceptable_latency_ms=20000"]
SIZES += ["--concurrent_calls=20", "--long_lived_calls=2", "--long_lived_interval_ms=10"]
LIMIT = 20.0


class World:
    """Servers, started when first asked for, and the authority."""

    def __init__(self, folder: Path) -> None:
        self._servers: dict[tuple[str, str, bool], InteropServer] = {}
        self.authority = Authority(CERTIFICATES / "service-account.key")
        self.key_file = folder / "account.json"
        self.authority.write_key_file(self.key_file)

    def port(self, library: str, front_end: str, *, tls: bool) -> int:
        key = (library, front_end, tls)
        if key not in self._servers:
            self._servers[key] = InteropServer(load(library), front_end, tls=tls)
        return self._servers[key].port

    def close(self) -> None:
        for server in self._servers.values():
            server.close()
        self.authority.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("interop"))
    yield world
    world.close()


def run(
    world: World, client: tuple[str, str], server: tuple[str, str], case: str, tls: bool
) -> None:
    words = [f"--test_case={case}", "--server_host=localhost", *SIZES]
    words += [f"--library={client[0]}", f"--front_end={client[1]}"]
    words.append(f"--server_port={world.port(*server, tls=tls)}")
    if tls:
        words += ["--use_tls", "--use_test_ca", "--server_host_override=foo.test.google.fr"]
        words += [f"--service_account_key_file={world.key_file}"]
        words += [f"--default_service_account={ACCOUNT}", f"--oauth_scope={SCOPE}"]
    run_case(client_flags(words))


PAIRS = {
    # Every pair of front ends in plain text; TLS is the business of each front end by itself.
    False: [("sync", "sync"), ("sync", "aio"), ("aio", "sync"), ("aio", "aio")],
    True: [("sync", "sync"), ("aio", "aio")],
}


def clarion_runs() -> Iterator[Any]:
    for tls, front_ends in PAIRS.items():
        word = "tls" if tls else "plain"
        for case in CASES.values():
            if tls or not case.secure:
                for client, server in front_ends:
                    name = f"{case.name}-{word}-{client}-{server}"
                    yield pytest.param(case.name, tls, client, server, id=name)


@pytest.mark.parametrize(("case", "tls", "client", "server"), list(clarion_runs()))
def test_clarion(
    world: World, case: str, tls: bool, client: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", world.authority.host)
    run(world, ("clarion", client), ("clarion", server), case, tls)


def grpcio_runs() -> Iterator[Any]:
    """Sync with sync in plain text, aio with aio over TLS."""
    for front_end, tls in (("sync", False), ("aio", True)):
        for case in CASES.values():
            if tls or not case.secure:
                for direction in Direction:
                    name = f"{case.name}-{front_end}-{direction.name.lower()}"
                    yield pytest.param(case.name, tls, front_end, direction, id=name)


GRPCIO = importlib.util.find_spec("grpc") is not None
needs_grpcio = pytest.mark.skipif(not GRPCIO, reason="grpcio is not installed")


@needs_grpcio
@pytest.mark.parametrize(("case", "tls", "front_end", "direction"), list(grpcio_runs()))
def test_grpcio(
    world: World,
    case: str,
    tls: bool,
    front_end: str,
    direction: Direction,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Clarion is on the side of `direction`. What grpcio cannot do has a reason on record."""
    monkeypatch.setenv("GCE_METADATA_HOST", world.authority.host)
    ours, theirs = ("clarion", front_end), ("grpc", front_end)
    client, server = (ours, theirs) if direction is Direction.CLIENT else (theirs, ours)
    known = reason(Key(f"grpcio-{front_end}", direction, front_end, tls, case))
    if known is None:
        run(world, client, server, case, tls)
    else:
        with pytest.raises((Failure, Unsupported)):
            run(world, client, server, case, tls)


def test_the_programs() -> None:
    """Both programs as processes: their command lines, and the exit status of a pass and of a failure."""
    programs = ROOT / "interop"
    with subprocess.Popen(
        [sys.executable, programs / "server.py", "--port=0", "--use_tls=true", "--front_end=aio"],
        stdout=subprocess.PIPE,
        env=python_environment(),
        text=True,
    ) as server:
        assert server.stdout is not None
        # The server outlives no failure of this test, which would wait for it.
        watchdog = threading.Timer(2.5 * LIMIT, server.kill)
        watchdog.start()
        port = server.stdout.readline().split()[-1]
        statuses = {}
        for name in ("foo.test.google.fr", "elsewhere.test"):
            flags = [f"--server_port={port}", "--test_case=empty_unary", "--use_tls=true"]
            flags += ["--use_test_ca=true", f"--server_host_override={name}"]
            done = subprocess.run(
                [sys.executable, programs / "client.py", *flags],
                env=python_environment(),
                capture_output=True,
                text=True,
                timeout=LIMIT,
                check=False,
            )
            statuses[name] = done.returncode
        server.terminate()
        assert server.wait(LIMIT) == 0
        watchdog.cancel()
    assert statuses == {"foo.test.google.fr": 0, "elsewhere.test": 1}
