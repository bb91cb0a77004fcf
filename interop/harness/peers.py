"""The implementations of the matrix: how each is built or installed, and how its programs are called."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from interop.harness.toolchains import BUILD, INTEROP, PROTOS, Missing, build, run, tool
from interop.program.flags import CERTIFICATES

__all__ = ["PEERS", "Peer", "Python"]

_SOURCES = INTEROP / "peers"
_STORE = "changeit"


class Peer:
    """An implementation with a client, a server, or both.

    Attributes:
        name: as on the command line.
        title: as in the result.
        version: known once `prepare` has been called.
        official: whether the programs are the peer project's own.
    """

    name = ""
    title = ""
    version = ""
    official = False

    def prepare(self) -> None:
        """Build what is not built. Raises `Missing` with the reason why it cannot be had."""
        raise NotImplementedError

    def client(self, flags: Sequence[str]) -> list[str]:
        """The command of the client with these flags."""
        raise NotImplementedError

    def server(self, port: int, *, tls: bool) -> list[str]:
        """The command of the server."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What its programs need in their environment."""
        return {}


class Python(Peer):
    """Our programs, on Clarion or grpcio."""

    def __init__(self, library: str, front_end: str) -> None:
        self.library = library
        self.front_end = front_end
        base = "clarion" if library == "clarion" else "grpcio"
        self.name = f"{base}-{front_end}"
        self.title = f"{base.replace('clarion', 'Clarion')} ({front_end})"

    def prepare(self) -> None:
        distribution = {"clarion": "clarion-rpc", "grpc": "grpcio"}[self.library]
        try:
            __import__(self.library)
            self.version = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            self.version = "of this tree"
        except ImportError as error:
            raise Missing(f"{distribution} cannot be imported: {error}") from None

    def _ours(self) -> list[str]:
        return [f"--library={self.library}", f"--front_end={self.front_end}"]

    def client(self, flags: Sequence[str]) -> list[str]:
        return [sys.executable, str(INTEROP / "client.py"), *flags, *self._ours()]

    def server(self, port: int, *, tls: bool) -> list[str]:
        program = [sys.executable, str(INTEROP / "server.py"), f"--port={port}"]
        return [*program, f"--use_tls={str(tls).lower()}", *self._ours()]

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


class Go(Peer):
    """grpc-go's own interop programs, through the module proxy."""

    name, title = "go", "grpc-go"
    official = True

    def prepare(self) -> None:
        sources = [_SOURCES / "go" / name for name in ("go.mod", "go.sum", "programs.go")]
        found = re.search(r"google\.golang\.org/grpc v(\S+)", sources[0].read_text())
        self.version = found[1] if found else "?"
        go = tool("go")

        def make(folder: Path) -> None:
            for source in sources:
                shutil.copy(source, folder)
            for program in ("client", "server"):
                package = f"google.golang.org/grpc/interop/{program}"
                run([go, "build", "-o", folder / program, package], folder)

        self._folder = build("go", sources, make)

    def client(self, flags: Sequence[str]) -> list[str]:
        return [str(self._folder / "client"), *flags, f"--ca_file={CERTIFICATES / 'ca.pem'}"]

    def server(self, port: int, *, tls: bool) -> list[str]:
        files = [
            f"--tls_cert_file={CERTIFICATES / 'server1.pem'}",
            f"--tls_key_file={CERTIFICATES / 'server1.key'}",
        ]
        program = [str(self._folder / "server"), f"--port={port}", f"--use_tls={str(tls).lower()}"]
        return [*program, *(files if tls else ())]

    def environment(self) -> dict[str, str]:
        # Where Go looks for the roots of google_default_credentials.
        return {"SSL_CERT_FILE": str(CERTIFICATES / "ca.pem")}


class Java(Peer):
    """grpc-java's own interop programs, from its interop-testing artifact."""

    name, title = "java", "grpc-java"
    official = True
    _package = "io.grpc.testing.integration"

    def prepare(self) -> None:
        source = _SOURCES / "java" / "pom.xml"
        found = re.search(
            r"grpc-interop-testing</artifactId>\s*<version>([^<]+)", source.read_text()
        )
        self.version = found[1] if found else "?"
        self._java = tool("java")
        maven, keytool = tool("mvn"), tool("keytool")
        certificates = [CERTIFICATES / name for name in ("ca.pem", "server1.pem", "server1.key")]

        def make(folder: Path) -> None:
            shutil.copy(source, folder)
            goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder / 'lib'}"]
            run([maven, "--quiet", "--batch-mode", *goal], folder)
            # The programs look for their certificates on the class path.
            target = folder / "classes" / "certs"
            target.mkdir(parents=True, exist_ok=True)
            for certificate in certificates:
                shutil.copy(certificate, target)
            # In place of Java's own authorities, for google_default_credentials.
            trusted = folder / "trusted.p12"
            trusted.unlink(missing_ok=True)
            store = ["-keystore", trusted, "-storetype", "PKCS12", "-storepass", _STORE]
            certificate = ["-alias", "ca", "-file", certificates[0]]
            run([keytool, "-importcert", "-noprompt", *store, *certificate], folder)

        self._folder = build("java", [source, *certificates], make)

    def _program(self, name: str) -> list[str]:
        path = os.pathsep.join([str(self._folder / "classes"), str(self._folder / "lib" / "*")])
        store = f"-Djavax.net.ssl.trustStore={self._folder / 'trusted.p12'}"
        trust = [store, f"-Djavax.net.ssl.trustStorePassword={_STORE}"]
        start = [self._java, "-XX:TieredStopAtLevel=1", "-Xshare:auto", *trust, "-cp", path]
        return [*start, f"{self._package}.{name}"]

    def client(self, flags: Sequence[str]) -> list[str]:
        return [*self._program("TestServiceClient"), *flags]

    def server(self, port: int, *, tls: bool) -> list[str]:
        program = self._program("TestServiceServer")
        return [*program, f"--port={port}", f"--use_tls={str(tls).lower()}"]


class JavaScript(Peer):
    """Our programs on `@grpc/grpc-js`."""

    name, title = "js", "grpc-js"

    def prepare(self) -> None:
        self._node = tool("node")
        npm = tool("npm")
        folder = _SOURCES / "node"
        sources = [folder / "package.json"]

        def make(target: Path) -> None:
            shutil.copy(sources[0], target)
            run([npm, "install", "--no-audit", "--no-fund", "--no-package-lock"], target)

        self._folder = build("node", sources, make)
        package = self._folder / "node_modules" / "@grpc" / "grpc-js" / "package.json"
        self.version = json.loads(package.read_text())["version"]

    def _program(self, name: str) -> list[str]:
        return [self._node, str(_SOURCES / "node" / name)]

    def client(self, flags: Sequence[str]) -> list[str]:
        return [*self._program("client.js"), *flags]

    def server(self, port: int, *, tls: bool) -> list[str]:
        return [*self._program("server.js"), f"--port={port}", f"--use_tls={str(tls).lower()}"]

    def environment(self) -> dict[str, str]:
        return {"NODE_PATH": str(self._folder / "node_modules")}


class Cpp(Peer):
    """Our programs on grpc++, as the system's packages have it."""

    name, title = "cpp", "grpc++"

    def prepare(self) -> None:
        compiler, config = tool("g++"), tool("pkg-config")
        protoc, plugin = tool("protoc"), tool("grpc_cpp_plugin")
        here = _SOURCES / "cpp"
        self.version = run([config, "--modversion", "grpc++"], here).strip()
        sources = [*here.glob("*"), *PROTOS.glob("*.proto")]

        def make(folder: Path) -> None:
            names = sorted(proto.name for proto in PROTOS.glob("*.proto"))
            outputs = [f"--cpp_out={folder}", f"--grpc_out={folder}"]
            plugins = [f"--plugin=protoc-gen-grpc={plugin}"]
            run([protoc, f"-I{PROTOS}", *plugins, *outputs, *names], PROTOS)
            libraries = run([config, "--cflags", "--libs", "grpc++", "protobuf"], here).split()
            generated = sorted(str(file) for file in folder.glob("*.cc"))
            flags = ["-std=c++17", "-O1", f"-I{folder}"]
            for name in ("client", "server"):
                program = [compiler, *flags, here / f"{name}.cpp", *generated]
                run([*program, "-o", folder / name, *libraries], here)

        self._folder = build("cpp", sources, make)

    def client(self, flags: Sequence[str]) -> list[str]:
        return [str(self._folder / "client"), *flags, f"--ca_file={CERTIFICATES / 'ca.pem'}"]

    def server(self, port: int, *, tls: bool) -> list[str]:
        flags = [f"--port={port}", f"--use_tls={str(tls).lower()}"]
        return [str(self._folder / "server"), *flags, f"--certificates={CERTIFICATES}"]


class Rust(Peer):
    """Our programs on tonic."""

    name, title = "tonic", "tonic"

    def prepare(self) -> None:
        cargo = tool("cargo")
        here = _SOURCES / "rust"
        protoc = shutil.which("protoc", path=os.path.dirname(sys.executable)) or tool("protoc")
        sources = [
            here / "Cargo.toml",
            here / "build.rs",
            *(here / "src").rglob("*.rs"),
            *PROTOS.glob("*.proto"),
        ]

        def make(folder: Path) -> None:
            environment = {
                "PROTOC": protoc,
                "CARGO_TARGET_DIR": str(folder / "target"),
                "INTEROP_PROTOS": str(PROTOS),
            }
            # The lock file and the sources in the build's folder: the tree stays as it is.
            shutil.copytree(here, folder / "crate", dirs_exist_ok=True)
            run([cargo, "build", "--quiet", "--bins"], folder / "crate", environment)

        self._folder = build("rust", sources, make) / "target" / "debug"
        lock = (BUILD / "rust" / "crate" / "Cargo.lock").read_text()
        found = re.search(r'name = "tonic"\nversion = "([^"]+)"', lock)
        self.version = found[1] if found else "?"

    def client(self, flags: Sequence[str]) -> list[str]:
        return [str(self._folder / "client"), *flags, f"--ca_file={CERTIFICATES / 'ca.pem'}"]

    def server(self, port: int, *, tls: bool) -> list[str]:
        flags = [f"--port={port}", f"--use_tls={str(tls).lower()}"]
        return [str(self._folder / "server"), *flags, f"--certificates={CERTIFICATES}"]


PEERS: list[Peer] = [
    *(Python("clarion", front_end) for front_end in ("sync", "aio")),
    *(Python("grpc", front_end) for front_end in ("sync", "aio")),
    Go(),
    Java(),
    JavaScript(),
    Cpp(),
    Rust(),
]
"""Clarion is its own peer too."""
