"""What README.md and docs/web.md show of `curl` is what it prints: their commands are run against servers of both front ends."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from clarion.web import WebOptions
from support.front_end import FrontEnd
from support.handlers import Method, ServerCall
from support.libraries import LIMIT
from support.servers import AioServer, SyncServer

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/web.md")
ADDRESS = "localhost:50051"
PACKAGE = "hello_by_curl"
CURL = shutil.which("curl")


def _describe() -> Any:
    """examples/hello/hello.proto, and a method without side effects."""
    # In a package of its own: tests of other code for the example's load that into the same pool.
    file = descriptor_pb2.FileDescriptorProto(
        name="hello_curl.proto", package=PACKAGE, syntax="proto3"
    )
    for name, field in (("HelloRequest", "name"), ("HelloResponse", "message")):
        message = file.message_type.add(name=name)
        message.field.add(name=field, number=1, type="TYPE_STRING", label="LABEL_OPTIONAL")
    service = file.service.add(name="Greeter")
    for name in ("SayHello", "LookUp"):
        service.method.add(
            name=name,
            input_type=f".{PACKAGE}.HelloRequest",
            output_type=f".{PACKAGE}.HelloResponse",
        )
    service.method[1].options.idempotency_level = descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS
    pool = descriptor_pool.Default()
    pool.Add(file)
    return [
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in ("HelloRequest", "HelloResponse")
    ]


Request, Response = _describe()


async def _greet(call: ServerCall) -> Any:
    if not call.request.name:
        await call.abort("INVALID_ARGUMENT", "say your name")
    return Response(message=f"Hello, {call.request.name}!")


async def _look_up(call: ServerCall) -> Any:
    return Response(message=f"{call.request.name} is known.")


@pytest.fixture
def port(front: FrontEnd) -> Iterator[int]:
    codec = (Request.FromString, Response.SerializeToString)
    methods = {
        f"/{PACKAGE}.Greeter/SayHello": Method("unary_unary", _greet, *codec),
        f"/{PACKAGE}.Greeter/LookUp": Method("unary_unary", _look_up, *codec),
    }
    options = [("clarion.web", WebOptions())]
    server: Any
    if front.name == "sync":
        server = SyncServer(front.library, methods, options=options)
    else:
        server = AioServer(front.library, methods, front.loop, options=options)
    yield server.ports[0]
    server.close()


def _commands() -> Iterator[Any]:
    """Each command of the pages' `console` blocks, and what it is to print."""
    for page in PAGES:
        for block in re.findall(r"^```console\n(.*?)^```", (ROOT / page).read_text(), re.S | re.M):
            for command in re.split(r"^\$ ", block, flags=re.M)[1:]:
                line, _, printed = command.partition("\n")
                if line.startswith("curl"):
                    yield pytest.param(line, printed.rstrip("\n"), id=f"{page}-{line[-40:]}")


@pytest.mark.skipif(CURL is None, reason="curl is not on the path")
@pytest.mark.parametrize("http", ["--http1.1", "--http2-prior-knowledge"])
@pytest.mark.parametrize(("line", "printed"), list(_commands()))
def test_curl(port: int, line: str, printed: str, http: str) -> None:
    assert ADDRESS in line
    command = line.replace("curl ", f"curl -s {http} ", 1).replace(ADDRESS, f"127.0.0.1:{port}")
    command = command.replace("/hello.Greeter/", f"/{PACKAGE}.Greeter/")
    done = subprocess.run(
        command,
        shell=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    if done.returncode == 2 and "http2" in http:
        pytest.skip("this curl has no HTTP/2")
    assert (done.returncode, done.stdout) == (0, printed.replace("hello.Hello", f"{PACKAGE}.Hello"))


def test_the_pages_have_commands() -> None:
    assert len(list(_commands())) == 5
