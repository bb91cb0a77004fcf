"""`make demo`: generate code for the examples, run them, and check every line that they print.

    python tools/demo.py [--port N] [--examples DIRECTORY] [NAME ...]

Rules: it waits for what a program prints, never for time to pass; every wait is bounded; however it
ends, no process that it started is left. The port is the tutorial's 50051 or `CLARION_DEMO_PORT`;
0 means any free one.
"""

from __future__ import annotations

import argparse
import errno
import importlib.util
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["main"]

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_PORT = 50051
# How long a program may take to print the next expected line, or to end, on a busy machine.
PATIENCE_SECONDS = 30.0

_LISTENING = re.compile(r"Server started, listening on (\d+)$")


class DemoError(Exception):
    """An example did not do what it should; the message says which and what it did."""


class Program:
    """A running example whose lines can be waited for."""

    def __init__(self, name: str, script: Path, *arguments: str) -> None:
        self.name = name
        self.lines: list[str] = []
        self._new: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-u", str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            # Ctrl-C in the terminal is for the demo, which then ends its programs in order.
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._new.put(line.rstrip("\n"))
        self._new.put(None)

    def next_line(self) -> str | None:
        """Return the next line and show it, or None when the program will print no more."""
        try:
            line = self._new.get(timeout=PATIENCE_SECONDS)
        except queue.Empty:
            raise self.error(f"printed nothing for {PATIENCE_SECONDS:.0f} s") from None
        if line is not None:
            self.lines.append(line)
            print(f"  {self.name:<7}| {line}", flush=True)
        return line

    def expect(self, wanted: str) -> None:
        """Wait for the next line, which must be `wanted`."""
        line = self.next_line()
        if line != wanted:
            said = "ended" if line is None else f"printed {line!r}"
            if line is not None:
                self.drain()
            raise self.error(f"{said} where {wanted!r} should have come")

    def drain(self) -> None:
        """Show what else the program says, such as the rest of a traceback, until it falls silent."""
        while True:
            try:
                line = self._new.get(timeout=1)
            except queue.Empty:
                return
            if line is None:
                return
            self.lines.append(line)
            print(f"  {self.name:<7}| {line}", flush=True)

    def type(self, line: str) -> None:
        """Send a line to the program's standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end_input(self) -> None:
        """Close the program's standard input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def finish(self) -> None:
        """Wait until the program has ended by itself, with success and no further line."""
        line = self.next_line()
        if line is not None:
            self.drain()
            raise self.error(f"printed {line!r} where it should have ended")
        try:
            code = self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise self.error("does not end") from None
        if code:
            raise self.error(f"ended with exit code {code}")

    def error(self, what: str) -> DemoError:
        return DemoError(f"{self.name} {what}")

    def kill(self) -> None:
        """End the program at once if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass


class Demo:
    """Runs the examples of one directory on one port."""

    def __init__(self, examples: Path, port: int) -> None:
        self.examples = examples
        self.port = port

    def generate(self, name: str, stem: str | None = None) -> None:
        """Generate the code of the example `name` beside its .proto file, which has its name or is `stem`.proto."""
        folder = self.examples / name
        outputs = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
        command = [sys.executable, "-m", "clarion", "protoc", f"-I{folder}", *outputs]
        command.append(f"{stem or name}.proto")
        print(
            f"  clarion protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. {stem or name}.proto"
        )
        sys.stdout.flush()
        if subprocess.run(command, check=False).returncode:
            raise DemoError(f"the code of {name} could not be generated")

    def generate_protobuf_py(self) -> None:
        """Generate the messages of codecs/weather.proto with the plugin of protobuf-py."""
        folder = self.examples / "codecs"
        # protoc looks for plugins on PATH.
        plugins = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ.get('PATH', '')}"
        command = [sys.executable, "-m", "clarion", "protoc", f"-I{folder}", f"--py_out={folder}"]
        command.append("weather.proto")
        print("  clarion protoc -I. --py_out=. weather.proto", flush=True)
        if subprocess.run(command, env={**os.environ, "PATH": plugins}, check=False).returncode:
            raise DemoError("the messages of weather.proto could not be generated")

    @contextmanager
    def program(self, name: str, script: str, *arguments: str) -> Iterator[Program]:
        """Run a script of the examples; it is gone when the block ends."""
        program = Program(name, self.examples / script, *arguments)
        try:
            yield program
        finally:
            program.kill()

    @contextmanager
    def server(self, script: str, stop: signal.Signals, *arguments: str) -> Iterator[str]:
        """Run a server, give its port, and at the end stop it by the signal `stop`."""
        with self.program("server", script, str(self.port), *arguments) as server:
            match = _LISTENING.match(server.next_line() or "")
            if match is None:
                server.drain()
                raise server.error("did not start")
            yield match[1]
            server.process.send_signal(stop)
            server.expect("Server stopped")
            server.finish()

    def client(self, script: str, port: str, *expected: str, kind: str | None = None) -> None:
        """Run a client to its end and check its lines; `kind` is another argument of it."""
        with self.program("client", script, port, *([kind] if kind else ())) as client:
            for line in expected:
                client.expect(line)
            client.finish()


_GREETING = "Received from server: Hello, Alice! (from gRPC server)"


def hello(demo: Demo) -> None:
    """hello: a unary call, with threads"""
    demo.generate("hello")
    with demo.server("hello/server.py", signal.SIGINT) as port:
        demo.client("hello/client.py", port, _GREETING)


def hello_async(demo: Demo) -> None:
    """hello: the same with asyncio"""
    demo.generate("hello")
    with demo.server("hello/async_server.py", signal.SIGINT) as port:
        demo.client("hello/async_client.py", port, _GREETING)


def prices(demo: Demo) -> None:
    """prices: server streaming"""
    demo.generate("prices")
    lines = ("CLRN 100.00", "CLRN 100.25", "CLRN 100.15", "CLRN 100.20", "CLRN 100.60")
    with demo.server("prices/server.py", signal.SIGTERM) as port:
        demo.client("prices/client.py", port, *lines)


def upload(demo: Demo) -> None:
    """upload: client streaming"""
    demo.generate("upload")
    with demo.server("upload/server.py", signal.SIGTERM) as port:
        demo.client("upload/client.py", port, "Uploaded sample.bin: 1048576 bytes, intact")


def chat(demo: Demo) -> None:
    """chat: bidirectional streaming"""
    demo.generate("chat")
    with (
        demo.server("chat/server.py", signal.SIGTERM) as port,
        demo.program("bob", "chat/client.py", "Bob", port) as bob,
    ):
        bob.expect("room: Bob joined")
        with demo.program("alice", "chat/client.py", "Alice", port) as alice:
            alice.expect("room: Alice joined")
            bob.expect("room: Alice joined")
            alice.type("Hello, Bob!")
            for member in (alice, bob):
                member.expect("Alice: Hello, Bob!")
            bob.type("Hello, Alice!")
            for member in (alice, bob):
                member.expect("Bob: Hello, Alice!")
            alice.end_input()
            alice.finish()
        bob.expect("room: Alice left")
        bob.end_input()
        bob.finish()


def load_balancing(demo: Demo) -> None:
    """load_balancing: a resolver and a policy of one's own"""
    lines = ("30 sessions, 1 server for each", 'servers: ["first", "second", "third"]')
    with demo.server("load_balancing/server.py", signal.SIGTERM) as port:
        demo.client("load_balancing/client.py", port, *lines)


_WEATHER = (
    "Bergen: 21.5",
    "Bergen: 20.0",
    "Bergen: 20.5",
    "Bergen: 21.0",
    "refused: say which place",
)


def _codecs(demo: Demo, kind: str, *packages: str) -> None:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        print(f"  skipped: {', '.join(missing)} is not installed here", flush=True)
        return
    if kind == "protobuf_py":
        demo.generate_protobuf_py()
    with demo.server("codecs/server.py", signal.SIGTERM, kind) as port:
        demo.client("codecs/async_client.py", port, *_WEATHER, kind=kind)
    with demo.server("codecs/async_server.py", signal.SIGINT, kind) as port:
        demo.client("codecs/client.py", port, *_WEATHER, kind=kind)


def json(demo: Demo) -> None:
    """codecs: dataclasses and JSON, with threads and with asyncio"""
    _codecs(demo, "json")


def msgspec(demo: Demo) -> None:
    """codecs: the same with msgspec"""
    _codecs(demo, "msgspec", "msgspec")


def betterproto2(demo: Demo) -> None:
    """codecs: the same with betterproto2"""
    _codecs(demo, "betterproto2", "betterproto2")


def protobuf_py(demo: Demo) -> None:
    """codecs: the same with protobuf-py"""
    _codecs(demo, "protobuf_py", "protobuf", "protoc_gen_py")


def _certificates(demo: Demo, example: str, directory: str, *arguments: str) -> bool:
    """Run the example's certificates.sh."""
    if shutil.which("openssl") is None or shutil.which("sh") is None:
        print("  skipped: openssl is not installed here", flush=True)
        return False
    script = demo.examples / example / "certificates.sh"
    command = ["sh", str(script), directory, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoError(f"the certificates of {example} could not be made: {done.stderr}")
    return True


def tls(demo: Demo) -> None:
    """tls: a certificate, and who trusts it"""
    with tempfile.TemporaryDirectory() as directory:
        if not _certificates(demo, "tls", directory):
            return
        with (
            demo.server("tls/server.py", signal.SIGTERM, directory) as port,
            demo.program("client", "tls/client.py", port, directory) as client,
        ):
            client.expect("Hello, Alice!")
            line = client.next_line() or ""
            parts = ("UNAVAILABLE: ", "certificate verify failed", "'CN=localhost' for localhost")
            if not all(part in line for part in parts):
                raise client.error(f"printed {line!r} where it should say what it does not trust")
            client.finish()


def mtls_rotation(demo: Demo) -> None:
    """mtls_rotation: certificates on both sides, renewed while they are in use"""
    identity = "spiffe://example.org/client"
    with tempfile.TemporaryDirectory() as directory:
        for name in ("server", "client"):
            if not _certificates(demo, "mtls_rotation", directory, name):
                return
        with (
            demo.server("mtls_rotation/server.py", signal.SIGTERM, directory) as port,
            demo.program("client", "mtls_rotation/client.py", port, directory) as client,
        ):
            client.expect(f"first connection: {identity}/1")
            client.expect("renew the certificate, then press Enter")
            for name in ("server", "client"):
                _certificates(demo, "mtls_rotation", directory, name, "2")
            client.type("")
            client.expect(f"new connection:   {identity}/2")
            client.expect(f"first connection: {identity}/1")
            client.finish()


def oauth2(demo: Demo) -> None:
    """oauth2: a token for each call, got and kept by the client"""
    with demo.program("server", "oauth2/server.py", str(demo.port)) as server:
        match = _LISTENING.match(server.next_line() or "")
        url = (server.next_line() or "").removeprefix("Token server: ")
        if match is None or not url.startswith("http"):
            server.drain()
            raise server.error("did not start")
        demo.client(
            "oauth2/client.py",
            match[1],
            "Hello, example-client!",
            "UNAUTHENTICATED: the token server 127.0.0.1 refused: HTTP 401, invalid_client",
            "UNAUTHENTICATED: say who you are: no valid token",
            kind=url,
        )
        server.process.send_signal(signal.SIGTERM)
        server.expect("Server stopped")
        server.finish()


def jwt(demo: Demo) -> None:
    """jwt_jwks: signed tokens, and keys that change"""
    missing = [name for name in ("jwt", "cryptography") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"  skipped: {', '.join(missing)} is not installed here", flush=True)
        return
    with demo.program("server", "jwt_jwks/server.py", str(demo.port)) as server:
        match = _LISTENING.match(server.next_line() or "")
        url = (server.next_line() or "").removeprefix("Issuer: ")
        if match is None or not url.startswith("http"):
            server.drain()
            raise server.error("did not start")
        demo.client(
            "jwt_jwks/client.py",
            match[1],
            "Hello, alice!",
            "HELLO, ALICE!",
            "PERMISSION_DENIED: the caller lacks scope greet.loudly",
            "UNAUTHENTICATED: the call has no credentials that this server takes",
            "UNAUTHENTICATED: the token is for another audience",
            "UNAUTHENTICATED: the token's signature does not hold",
            "Hello, bob!",
            "UNAUTHENTICATED: the token is signed with an unknown key",
            kind=url,
        )
        server.process.send_signal(signal.SIGTERM)
        server.expect("Server stopped")
        server.finish()


_DENIED = "PERMISSION_DENIED: the server's authorization policy does not allow this call"


def authorization(demo: Demo) -> None:
    """authorization: a policy in a file that changes, and its audit log"""
    with tempfile.TemporaryDirectory() as directory:
        policy = Path(directory, "policy.json")
        text = (demo.examples / "authorization" / "policy.json").read_text()
        policy.write_text(text)
        arguments = (str(demo.port), str(policy))
        with demo.program("server", "authorization/server.py", *arguments) as server:
            match = _LISTENING.match(server.next_line() or "")
            if match is None:
                server.drain()
                raise server.error("did not start")
            with demo.program("client", "authorization/client.py", match[1]) as client:
                client.expect("Hello, bob!")
                client.expect("HELLO, ALICE!")
                for rule in ("nobody-shouts-at-night", "", ""):
                    client.expect(_DENIED)
                    if f'"matched_rule":"{rule}"' not in (server.next_line() or ""):
                        raise server.error(f"did not log that the rule {rule!r} denied a call")
                client.expect("press Enter for one more")
                changed = Path(directory, "changed.json")
                changed.write_text(text.replace('"source": {"principals": ["token:*"]},', "", 1))
                changed.replace(policy)
                if "has a new policy" not in (server.next_line() or ""):
                    raise server.error("did not read the policy again")
                client.type("")
                client.expect("Hello, stranger!")
                client.finish()
            server.process.send_signal(signal.SIGTERM)
            server.expect("Server stopped")
            server.finish()


def channelz(demo: Demo) -> None:
    """channelz: what a running server does, for its operators"""
    with demo.program("server", "channelz/server.py", str(demo.port)) as server:
        match = _LISTENING.match(server.next_line() or "")
        operators = (server.next_line() or "").rpartition(":")[2]
        if match is None or not operators.isdigit():
            server.drain()
            raise server.error("did not start")
        demo.client(
            "channelz/client.py",
            match[1],
            "calls of the server: 3 started, 2 succeeded, 1 failed",
            "connection of 127.0.0.1: 3 streams, 3 messages received, 2 sent",
            "what happened: Server created",
            kind=operators,
        )
        server.process.send_signal(signal.SIGTERM)
        server.expect("Server stopped")
        server.finish()


def tracing(demo: Demo) -> None:
    """tracing: what is on the wire, what happened to a call, and a log of calls"""
    with tempfile.TemporaryDirectory() as directory:
        log = str(Path(directory, "calls.binlog"))
        with demo.server("tracing/server.py", signal.SIGTERM, log) as port:
            demo.client(
                "tracing/client.py",
                port,
                "sent authorization: <masked, 13 bytes>",
                'sent request of 7 bytes: 1: "Alice"',
                'received response of 15 bytes: 1: "Hello, Alice!"',
                "INVALID_ARGUMENT",
                "- no more requests",
                "- the server sent a status without response headers, "
                "INVALID_ARGUMENT: say whom to greet",
                "- the call ends with INVALID_ARGUMENT: say whom to greet",
            )
        command = [sys.executable, "-m", "clarion", "binlog", "print", log]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(done.stdout, end="", flush=True)
        for wanted in ("request headers /example.Greeter/Greet", "Hello, Alice!", "status OK"):
            if done.returncode or wanted not in done.stdout:
                raise DemoError(f"the log does not have {wanted!r}: {done.stdout}{done.stderr}")


def rich_errors(demo: Demo) -> None:
    """rich-errors: errors that say more than a code and a text"""
    with demo.server("rich_errors/server.py", signal.SIGTERM) as port:
        demo.client(
            "rich_errors/client.py",
            port,
            "Moby-Dick",
            "INVALID_ARGUMENT: that is no name of a book",
            "  name does not begin with 'isbn/'",
            "  name does not end with a number",
            "NOT_FOUND: there is no such book",
            "  a book: isbn/2",
            "UNAVAILABLE: the shelf is locked",
            "  try again in 1.5 seconds",
        )


def interceptors(demo: Demo) -> None:
    """interceptors: of servers, and an access log"""
    with demo.program("server", "interceptors/server.py", str(demo.port)) as server:
        match = _LISTENING.match(server.next_line() or "")
        if match is None:
            server.drain()
            raise server.error("did not start")
        demo.client(
            "interceptors/client.py",
            match[1],
            "tea: 3",
            "tea: 3, 2, 1, 0",
            "NOT_FOUND: there is no b'milk'",
        )
        # A line is written when its call is over for the client, who may be faster.
        lines = [server.next_line() or "" for _ in range(3)]
        for method, status in (("Count", "OK"), ("Watch", "OK"), ("Count", "NOT_FOUND")):
            wanted = f'/example.Stock/{method}"', f'"status":"{status}"'
            if not any(all(part in line for part in wanted) for line in lines):
                raise server.error(f"did not log a call of {method} that ended with {status}")
        server.process.send_signal(signal.SIGTERM)
        server.expect("Server stopped")
        server.finish()


def health(demo: Demo) -> None:
    """health: a server that says how it is, a probe, and a client that looks"""
    with demo.server("health/server.py", signal.SIGTERM) as port:
        command = [sys.executable, "-m", "clarion", "health", f"localhost:{port}"]
        command += ["--service=example.Greeter", f"--timeout={PATIENCE_SECONDS}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(done.stdout, end="", flush=True)
        if done.returncode or done.stdout != "SERVING\n":
            raise DemoError(f"the probe failed: {done.stdout}{done.stderr}")
        demo.client(
            "health/client.py", port, "Hello, Alice!", "not now: UNAVAILABLE", "Hello, Alice!"
        )


def reflection(demo: Demo) -> None:
    """reflection: a client without generated code"""
    demo.generate("reflection", "hello")
    with demo.server("reflection/server.py", signal.SIGTERM) as port:
        demo.client(
            "reflection/client.py",
            port,
            "example.Greeter: SayHello",
            "grpc.health.v1.Health: Check, List, Watch",
            "Hello, Alice!",
            "{'status': 'SERVING'}",
            "example.HelloRequest has no field 'nam': did you mean name?",
        )


def one_port(demo: Demo) -> None:
    """one-port: a service and a site on one port"""
    if importlib.util.find_spec("h11") is None:
        print("  skipped: h11 is not installed (pip install 'clarion-rpc[web]')", flush=True)
        return
    demo.generate("one_port", "hello")
    with demo.server("one_port/server.py", signal.SIGTERM) as port:
        demo.client(
            "one_port/client.py",
            port,
            "gRPC: Hello, Alice!",
            "JSON: Hello, Bob!",
            "page: Greeter",
            "page: 404 no such page",
        )
        demo.client(
            "one_port/web_client.py",
            port,
            "Connect: Hello, Alice!",
            "gRPC-Web: Hello, Bob!",
            "elsewhere: UNIMPLEMENTED: Method not found! /elsewhere/example.Greeter/SayHello",
        )
        if all(map(importlib.util.find_spec, ("websockets", "wsproto"))):
            demo.client("one_port/live_client.py", port, "live: Hello, Carol!", "elsewhere: 403")


def asgi(demo: Demo) -> None:
    """asgi: services in an application of Starlette, served by uvicorn"""
    for name in ("h11", "starlette", "uvicorn"):
        if importlib.util.find_spec(name) is None:
            print(f"  skipped: {name} is not installed (see examples/asgi/README.md)", flush=True)
            return
    demo.generate("asgi", "hello")
    with demo.server("asgi/server.py", signal.SIGINT) as port:
        demo.client(
            "asgi/client.py",
            port,
            "grpc-web: Hello, Alice!",
            "connect: Hello, Bob!",
            "JSON: Hello, Carol!",
            "page: Greetings are at /example.Greeter/SayHello",
        )


SCENES: dict[str, Callable[[Demo], None]] = {
    "hello": hello,
    "hello-async": hello_async,
    "prices": prices,
    "upload": upload,
    "chat": chat,
    "load-balancing": load_balancing,
    "json": json,
    "msgspec": msgspec,
    "betterproto2": betterproto2,
    "protobuf-py": protobuf_py,
    "tls": tls,
    "mtls-rotation": mtls_rotation,
    "oauth2": oauth2,
    "jwt": jwt,
    "authorization": authorization,
    "health": health,
    "reflection": reflection,
    "one-port": one_port,
    "asgi": asgi,
    "tracing": tracing,
    "channelz": channelz,
    "rich-errors": rich_errors,
    "interceptors": interceptors,
}


def _is_taken(port: int) -> bool:
    for family, address in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                if os.name != "nt":
                    # Connections of an earlier run that linger must not count.
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address, port))
        except OSError as error:
            # Any other error, such as no IPv6 here, is for the server to explain.
            if error.errno == errno.EADDRINUSE:
                return True
    return False


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SCENES)}")
    parser.add_argument("--examples", type=Path, default=ROOT / "examples")
    parser.add_argument(
        "--port", type=int, default=int(os.environ.get("CLARION_DEMO_PORT", DEFAULT_PORT))
    )
    args = parser.parse_args()
    unknown = sorted(set(args.names) - set(SCENES))
    if unknown:
        parser.error(f"no such example: {', '.join(unknown)}; there are {', '.join(SCENES)}")
    port = args.port
    if port and _is_taken(port):
        print(f"port {port} is taken by another program, so the servers get any free port")
        port = 0
    # A job in the background of a shell starts with SIGINT ignored, and its children would too.
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    demo = Demo(args.examples.resolve(), port)
    try:
        for name in args.names or SCENES:
            print(f"\n{SCENES[name].__doc__}", flush=True)
            SCENES[name](demo)
    except DemoError as error:
        print(f"\nthe demo FAILED: {error}", flush=True)
        return 1
    except KeyboardInterrupt:
        print("\nthe demo was interrupted", flush=True)
        return 130
    print("\nall examples did what they should", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
