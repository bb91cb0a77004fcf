"""The implementations that peer tests pair up, each as a server program and as a client.

A kind is `library-frontend`: `grpc-sync`, `grpc-aio`, `clarion-sync`, `clarion-aio`, `clarion-uvloop`, and
`js` for `@grpc/grpc-js`. Servers run in processes of their own; Python clients run in the test's.
"""

from __future__ import annotations

import fcntl
import functools
import importlib.util
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

from support.clients import AioClient, Client, OpenCall, Outcome, SyncClient
from support.echo import CONTROL, ECHO, camel
from support.libraries import Library, Metadata, load
from support.loops import LoopThread, uvloop_factory
from support.node import NODE, NodeClient
from support.processes import START_LIMIT, LineProcess
from support.wiretap import Wiretap

__all__ = ["Pair", "ServerProgram", "World", "expected", "requests_for", "script", "why_absent"]


@functools.cache
def why_absent(kind: str) -> str | None:
    """Why implementations of `kind` cannot run here, or None if they can."""
    if kind == "js":
        return _why_no_node()
    library, front_end = kind.split("-")
    for module in (library, *(["uvloop"] if front_end == "uvloop" else [])):
        if importlib.util.find_spec(module) is None and module != "clarion":
            return f"{module} is not installed for this Python"
    return None


def _why_no_node() -> str | None:
    npm = shutil.which("npm")
    if shutil.which("node") is None or npm is None:
        return "node and npm are not on the PATH"
    modules = NODE / "node_modules"
    modules.mkdir(exist_ok=True)
    # Test workers that start together must not install on top of each other.
    with (modules / ".test-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (modules / "@grpc" / "grpc-js" / "package.json").exists():
            return None
        install = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--no-package-lock"],
            cwd=NODE,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    if install.returncode:
        return f"npm install of grpc-js failed: {install.stderr.strip()[-300:]}"
    return None


class ServerProgram:
    """The echo service of one kind in its own process; `ports` by variant."""

    def __init__(self, kind: str, port: int = 0) -> None:
        if kind == "js":
            command = ["node", str(NODE / "server.js"), str(port)]
        else:
            library, front_end = kind.split("-")
            command = [sys.executable, "-m", "support.echo_server"]
            command += ["--library", library, "--front-end", front_end, "--port", str(port)]
        self.process = LineProcess(command)
        try:
            self.ports: dict[str, int] = self.process.receive(START_LIMIT)
        except AssertionError:
            self.process.close()
            raise

    def target(self, variant: str = "plain") -> str:
        return f"127.0.0.1:{self.ports[variant]}"

    def close(self) -> None:
        self.process.close()


class World:
    """Everything that lives for the whole test session: one program per kind, one loop per kind."""

    def __init__(self) -> None:
        self._servers: dict[str, ServerProgram] = {}
        self._loops: dict[str, LoopThread] = {}
        self._node: LineProcess | None = None

    def server(self, kind: str) -> ServerProgram:
        if kind not in self._servers:
            self._servers[kind] = ServerProgram(kind)
        return self._servers[kind]

    def client(
        self,
        kind: str,
        target: str,
        options: Iterable[tuple[str, Any]] = (),
        compression: str | None = None,
        credentials: Callable[[Library], Any] | None = None,
    ) -> Client:
        options = list(options)
        if kind == "js":
            return NodeClient(self._node_program, target, options=options, compression=compression)
        name, front_end = kind.split("-")
        library = load(name)
        arguments: dict[str, Any] = {
            "options": options,
            "compression": compression,
            "credentials": None if credentials is None else credentials(library),
        }
        if front_end == "sync":
            return SyncClient(library, target, **arguments)
        if front_end not in self._loops:
            factories = {"uvloop": (uvloop_factory,), "aio": ()}
            self._loops[front_end] = LoopThread(*factories[front_end])
        loop = self._loops[front_end]
        return AioClient(library, target, loop, **arguments)

    def _node_program(self) -> LineProcess:
        if self._node is None or not self._node.alive:
            if self._node is not None:
                self._node.close()
            self._node = LineProcess(["node", str(NODE / "client.js")])
        return self._node

    def close(self) -> None:
        for server in self._servers.values():
            server.close()
        if self._node is not None:
            self._node.close()
        for loop in self._loops.values():
            loop.close()


def script(**steps: Any) -> tuple[str, str | bytes]:
    """The metadata pair that tells the echo service what to do; see `support.echo`."""
    return ("x-script", json.dumps(steps))


def requests_for(pattern: str, *messages: bytes) -> list[bytes]:
    """All messages where the pattern takes a stream, else the first."""
    return list(messages) if pattern.startswith("stream") else [messages[0]]


def expected(pattern: str, requests: list[bytes], count: int = 3) -> list[bytes]:
    """What the echo service answers to `requests` without a script."""
    if pattern == "stream_stream":
        return requests
    return [b"".join(requests)] * (count if pattern == "unary_stream" else 1)


class Pair:
    """A client kind and a server kind, with a channel between them."""

    _keys = itertools.count()

    def __init__(self, world: World, client: str, server: str) -> None:
        self.client_kind = client
        self.server_kind = server
        self._world = world
        self.server = world.server(server)
        self._opened: list[Client | Wiretap] = []
        self.client = world.client(client, self.server.target())

    def key(self) -> str:
        """A key for scripts that no other call uses."""
        return f"{self.client_kind}-{next(self._keys)}"

    def connect(
        self,
        target: str | None = None,
        *,
        variant: str = "plain",
        options: Iterable[tuple[str, Any]] = (),
        compression: str | None = None,
        credentials: Callable[[Library], Any] | None = None,
    ) -> Client:
        """Another channel, by default to the same server, closed after the test."""
        target = target or self.server.target(variant)
        client = self._world.client(self.client_kind, target, options, compression, credentials)
        self._opened.append(client)
        return client

    def tap(self, variant: str = "plain") -> Wiretap:
        """A byte-counting way to the server, closed after the test."""
        wiretap = Wiretap(self.server.ports[variant])
        self._opened.append(wiretap)
        return wiretap

    def call(
        self,
        pattern: str,
        requests: list[bytes],
        *metadata: tuple[str, str | bytes],
        client: Client | None = None,
        **options: Any,
    ) -> Outcome:
        """Calls the echo method of `pattern`."""
        pairs: Metadata = list(metadata)
        client = client or self.client
        return client.call(ECHO + camel(pattern), pattern, requests, metadata=pairs, **options)

    def open(
        self,
        pattern: str,
        requests: list[bytes] | None,
        *metadata: tuple[str, str | bytes],
        client: Client | None = None,
        **options: Any,
    ) -> OpenCall:
        """Opens a call of the echo method of `pattern`."""
        pairs: Metadata = list(metadata)
        client = client or self.client
        return client.open(ECHO + camel(pattern), pattern, requests, metadata=pairs, **options)

    def recorded(self, key: str, client: Client | None = None) -> Any:
        """What a handler recorded under `key`, once it has."""
        client = client or self.client
        outcome = client.call(CONTROL + "Recorded", "unary_unary", [key.encode()])
        assert outcome.code == "OK", outcome
        return json.loads(outcome.responses[0])

    def cleanup(self) -> None:
        """After each test."""
        while self._opened:
            self._opened.pop().close()

    def close(self) -> None:
        self.cleanup()
        self.client.close()
