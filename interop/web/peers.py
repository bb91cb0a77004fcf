"""The peers of the web: how each is built or installed, what it speaks, and how its programs are called."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from interop.harness.cells import FRONT_ENDS, Direction
from interop.harness.peers import PEERS as GRPC_PEERS
from interop.harness.peers import Peer, Python
from interop.harness.toolchains import (
    BUILD,
    INTEROP,
    PROTOS,
    Missing,
    build,
    descriptor_set,
    protoc,
    run,
    tool,
)
from interop.program.flags import CERTIFICATES
from interop.web.cells import CASES, GRPC_WEB_CASES, Key, Wire, keys, wires
from interop.web.envoy import find_envoy, version_of

__all__ = ["PEERS", "Clarion", "ConnectPython", "WebPeer"]

_SOURCES = INTEROP / "peers"
_CONNECTS = wires("connect/*", "grpc-web/*", "grpc/*")
"""What the clients of the Connect project speak."""
_OF_CONNECT = wires("connect/*", "grpc-web/*", "grpc/2/proto")
"""What their servers are asked in: Clarion's gRPC clients have no encodings of messages."""


class Clarion(Python):
    """Our programs on Clarion, over one wire."""

    def __init__(self, front_end: str) -> None:
        super().__init__("clarion", front_end)

    def server(self, port: int, *, tls: bool) -> list[str]:
        return [*super().server(port, tls=tls), "--web=true"]


class WebPeer:
    """A peer, and what it speaks as a client of Clarion's servers, and as a server of Clarion's clients.

    Attributes:
        name: as on the command line.
        title: as in the result.
        version: known once `prepare` has been called.
        calls: the wires of its client.
        serves: the wires of its server.
        securities: in plain text, over TLS.
        cases: the names of the cases.
        envoy: Envoy's program, if it stands between.
        one_http: its server takes one version of HTTP in plain text.
        half_duplex: its server takes streams both ways over HTTP/1.1.
    """

    name = ""
    title = ""
    version = ""
    calls: Sequence[Wire] = ()
    serves: Sequence[Wire] = ()
    securities: Sequence[bool] = (False, True)
    cases: Sequence[str] = CASES
    front_ends: Sequence[str] = FRONT_ENDS
    envoy = ""
    one_http = False
    half_duplex = True

    def prepare(self) -> None:
        """Build what is not built. Raises `Missing` with the reason why it cannot be had."""
        raise NotImplementedError

    def client(self, wire: Wire, flags: Sequence[str]) -> list[str]:
        """The command of the client with these flags."""
        raise NotImplementedError

    def server(self, port: int, http: str, *, tls: bool) -> list[str]:
        """The command of the server, for one version of HTTP if it takes no two."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What its programs need in their environment."""
        return {}

    def keys(self, cases: Sequence[str]) -> list[Key]:
        """Its cells."""
        chosen = [case for case in self.cases if case in cases]
        if tuple(chosen) == tuple(self.cases):
            chosen = self.cases
        return [
            key
            for direction, ways in ((Direction.SERVER, self.calls), (Direction.CLIENT, self.serves))
            for key in keys(self.name, direction, ways, self.securities, chosen, self.front_ends)
        ]


def _contract() -> list[str]:
    return [f"--descriptors={descriptor_set()}", f"--certificates={CERTIFICATES}"]


def _on(wire: Wire) -> list[str]:
    return [f"--protocol={wire.protocol}", f"--http_version={wire.http}", f"--codec={wire.codec}"]


def _serving(port: int, http: str, tls: bool) -> list[str]:
    return [f"--port={port}", f"--http_version={http}", f"--use_tls={str(tls).lower()}"]


class OnItself(WebPeer):
    """Clarion's clients against Clarion's servers of the same front end."""

    serves = (*_OF_CONNECT, *wires("grpc-web-text/*"))

    def __init__(self, front_end: str) -> None:
        self.name, self.title = f"clarion-{front_end}", f"Clarion ({front_end})"
        self.front_ends = (front_end,)
        self._programs = Clarion(front_end)

    def prepare(self) -> None:
        self._programs.prepare()
        self.version = self._programs.version

    def server(self, port: int, http: str, *, tls: bool) -> list[str]:
        return self._programs.server(port, tls=tls)

    def environment(self) -> dict[str, str]:
        return self._programs.environment()


class _Node(WebPeer):
    """Our programs on packages of npm."""

    package = ""

    def prepare(self) -> None:
        self._node = tool("node")
        npm = tool("npm")
        here = _SOURCES / "connect-node"
        sources = [here / "package.json", *here.glob("*.mjs")]

        def make(folder: Path) -> None:
            # Modules find packages beside themselves.
            for source in sources:
                shutil.copy(source, folder)
            run([npm, "install", "--no-audit", "--no-fund", "--no-package-lock"], folder)

        self.folder = build("connect-node", sources, make)
        found = self.folder / "node_modules" / self.package / "package.json"
        self.version = json.loads(found.read_text())["version"]

    def program(self, name: str) -> list[str]:
        return [self._node, str(self.folder / name), *_contract()]


class ConnectNode(_Node):
    """`@connectrpc/connect-node`: all three protocols."""

    name, title, package = "connect-node", "connect-node", "@connectrpc/connect-node"
    calls, serves = _CONNECTS, _OF_CONNECT
    one_http = True
    half_duplex = False

    def client(self, wire: Wire, flags: Sequence[str]) -> list[str]:
        return [*self.program("client.mjs"), *_on(wire), *flags]

    def server(self, port: int, http: str, *, tls: bool) -> list[str]:
        return [*self.program("server.mjs"), *_serving(port, http, tls)]


class Buf(_Node):
    """`buf curl`, which negotiates the version of HTTP over TLS."""

    name, title, package = "buf", "buf curl", "@bufbuild/buf"
    # A command line has no say in compression, and cannot wait for a response before it sends the next request.
    cases = (
        "empty_unary",
        "cacheable_unary",
        "large_unary",
        "client_streaming",
        "server_streaming",
        "half_duplex",
        "empty_stream",
        "custom_metadata",
        "status_code_and_message",
        "special_status_message",
        "unimplemented_method",
        "unimplemented_service",
    )
    calls = wires("*/proto")

    def prepare(self) -> None:
        super().prepare()
        self._buf = self.folder / "node_modules" / ".bin" / "buf"
        if not self._buf.exists():
            raise Missing("npm has no `buf` for this machine")

    def client(self, wire: Wire, flags: Sequence[str]) -> list[str]:
        program = [sys.executable, str(_SOURCES / "buf_client.py"), f"--buf={self._buf}"]
        return [*program, *_contract(), *_on(wire), *flags]

    def keys(self, cases: Sequence[str]) -> list[Key]:
        return [
            key
            for key in super().keys(cases)
            if key.wire.protocol != "grpc-web-text" and not (key.tls and key.wire.http == "1.1")
        ]


class GrpcWeb(_Node):
    """The official client, in plain text over HTTP/1.1, as its XMLHttpRequest has it."""

    name, title, package = "grpc-web", "grpc-web", "grpc-web"
    calls = wires("grpc-web*/1.1/proto")
    securities = (False,)
    cases = GRPC_WEB_CASES

    def client(self, wire: Wire, flags: Sequence[str]) -> list[str]:
        mode = "text" if wire.protocol == "grpc-web-text" else "binary"
        return [*self.program("grpc_web_client.mjs"), f"--mode={mode}", *flags]


class GrpcWebThroughEnvoy(GrpcWeb):
    """The same client, with Envoy between it and Clarion's gRPC."""

    name, title = "envoy-grpc-web", "grpc-web through Envoy"

    def prepare(self) -> None:
        self.envoy = find_envoy()
        super().prepare()
        self.version = f"{self.version}, Envoy {version_of(self.envoy)}"


class ThroughEnvoy(WebPeer):
    """Clarion's gRPC-Web clients, with Envoy between them and a gRPC server."""

    serves = wires("grpc-web*/proto")
    securities = (False,)
    cases = GRPC_WEB_CASES

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.name, self.title = f"envoy-{peer.name}", f"{peer.title} behind Envoy"

    def prepare(self) -> None:
        self.envoy = find_envoy()
        self._peer.prepare()
        self.version = f"{self._peer.version}, Envoy {version_of(self.envoy)}"

    def server(self, port: int, http: str, *, tls: bool) -> list[str]:
        return self._peer.server(port, tls=tls)

    def environment(self) -> dict[str, str]:
        return self._peer.environment()


class ConnectGo(WebPeer):
    """Our programs on connect-go, through the module proxy."""

    name, title = "connect-go", "connect-go"
    calls, serves = _CONNECTS, _OF_CONNECT
    half_duplex = False

    def prepare(self) -> None:
        go = tool("go")
        here = _SOURCES / "connect-go"
        sources = [here / "go.mod", here / "go.sum", *here.rglob("*.go")]
        module = "connectrpc.com/connect v"
        lines = sources[0].read_text().splitlines()
        self.version = next((line.split()[1][1:] for line in lines if module in line), "?")
        compiler = protoc()
        proto = PROTOS / "interop_test.proto"

        def make(folder: Path) -> None:
            shutil.copytree(here, folder / "module", dirs_exist_ok=True)
            work = folder / "module"
            plugins = []
            for name, package in (
                ("go", "google.golang.org/protobuf/cmd/protoc-gen-go"),
                ("connect-go", "connectrpc.com/connect/cmd/protoc-gen-connect-go"),
            ):
                program = folder / f"protoc-gen-{name}"
                run([go, "build", "-o", program, package], work)
                options = f"module=clarionwebinterop,M{proto.name}=clarionwebinterop/testing"
                plugins += [f"--plugin=protoc-gen-{name}={program}"]
                plugins += [f"--{name}_out={work}", f"--{name}_opt={options}"]
            run([*compiler, f"-I{PROTOS}", *plugins, proto.name], PROTOS)
            for name in ("client", "server"):
                run([go, "build", "-o", folder / name, f"./{name}"], work)

        self._folder = build("connect-go", [*sources, proto], make)

    def client(self, wire: Wire, flags: Sequence[str]) -> list[str]:
        return [str(self._folder / "client"), *_contract(), *_on(wire), *flags]

    def server(self, port: int, http: str, *, tls: bool) -> list[str]:
        return [str(self._folder / "server"), *_contract(), *_serving(port, http, tls)]


class ConnectPython(WebPeer):
    """Our programs on PyPI's `connectrpc`, in an environment of their own; the server is under hypercorn."""

    name, title = "connectrpc", "connectrpc (Python)"
    interpreter: str | Path
    calls, serves = _CONNECTS, _OF_CONNECT

    def prepare(self) -> None:
        source = _SOURCES / "connectrpc" / "requirements.txt"

        def make(folder: Path) -> None:
            run([sys.executable, "-m", "venv", "--clear", folder / "venv"], folder)
            pip = [folder / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet"]
            run([*pip, "--disable-pip-version-check", "-r", source], folder)

        self.interpreter = build("connectrpc", [source], make) / "venv" / "bin" / "python"
        ask = "import importlib.metadata; print(importlib.metadata.version('connectrpc'))"
        self.version = run([self.interpreter, "-c", ask], BUILD).strip()

    def _program(self, name: str) -> list[str]:
        return [str(self.interpreter), str(_SOURCES / "connectrpc" / name), *_contract()]

    def client(self, wire: Wire, flags: Sequence[str]) -> list[str]:
        return [*self._program("client.py"), *_on(wire), *flags]

    def server(self, port: int, http: str, *, tls: bool) -> list[str]:
        return [*self._program("server.py"), *_serving(port, http, tls)]


def _of_grpc(name: str) -> Peer:
    return next(peer for peer in GRPC_PEERS if peer.name == name)


PEERS: list[WebPeer] = [
    *(OnItself(front_end) for front_end in FRONT_ENDS),
    ConnectNode(),
    ConnectGo(),
    ConnectPython(),
    Buf(),
    GrpcWeb(),
    GrpcWebThroughEnvoy(),
    ThroughEnvoy(_of_grpc("clarion-aio")),
    ThroughEnvoy(_of_grpc("go")),
    ThroughEnvoy(_of_grpc("grpcio-sync")),
]
"""In the order of the result."""
