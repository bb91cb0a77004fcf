"""No lock-step: what is generated once runs on every major release of the protobuf runtime, with and without C code.

`make protobufs` (a part of `make test`) puts the releases into `.venvs/protobuf-N`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clarion.cli import main
from clarion.cli._protoc_binary import ProtocNotFoundError, find_protoc
from support.limits import CHILD_SECONDS

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MAJORS = (5, 6, 7)
# Releases of major version 5 end before edition 2024.
TOO_NEW = {5: ("edition_2024.proto",)}

PROGRAM = """
import importlib, pickle, sys
import clarion
from google import protobuf
from google.protobuf.internal import api_implementation
from made import two_pb2, three_pb2, edition_2023_pb2, odd_user_pb2, three_pb2_grpc
from made.public import user_pb2

lambda_pb2 = importlib.import_module("made.lambda_pb2")
order = three_pb2.Order(id="a", amount=0, card="c", states={1: three_pb2.Order.DONE})
order.measures["x"].value = 3
order.measures["x"].Extensions[two_pb2.note_of] = "n"
order.at.seconds = 5
order.any.Pack(user_pb2.User())
setattr(order, "from", "here")
again = three_pb2.Order.FromString(order.SerializeToString(deterministic=True))
assert again == order and pickle.loads(pickle.dumps(order)) == order
assert again.HasField("amount") and again.WhichOneof("payment") == "card"
assert again.measures["x"].Extensions[two_pb2.note_of] == "n"
assert edition_2023_pb2.Edition().HasField("explicit") is False
assert edition_2023_pb2.CLOSED_ONE == 1
assert getattr(three_pb2, "True") == 0
if "--newest" in sys.argv:
    from made.edition_2024_pb2 import Newest
    assert Newest(name="n").SerializeToString() == b"\\n\\x01n"


class Orders(three_pb2_grpc.OrdersServicer):
    def Place(self, request, context):
        return request

    def Follow(self, request, context):
        yield request
        yield three_pb2.Order(id="z")


from concurrent import futures

server = clarion.server(futures.ThreadPoolExecutor(2))
three_pb2_grpc.add_OrdersServicer_to_server(Orders(), server)
port = server.add_insecure_port("localhost:0")
server.start()
with clarion.insecure_channel(f"localhost:{port}") as channel:
    stub = three_pb2_grpc.OrdersStub(channel)
    assert stub.Place(order, timeout=10) == order
    assert [one.id for one in stub.Follow(order, timeout=10)] == ["a", "z"]
server.stop(None).wait(10)
print(protobuf.__version__, api_implementation.Type())
"""


def _environment(major: int, implementation: str) -> dict[str, str]:
    release = ROOT / ".venvs" / f"protobuf-{major}"
    if not (release / "google/protobuf").is_dir():
        pytest.skip(f"protobuf {major} is not in .venvs; `make protobufs` puts it there")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(release), str(ROOT / "src")]),
        "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": implementation,
    }


def _generate(out: Path, *exclude: str) -> None:
    try:
        find_protoc()
    except ProtocNotFoundError as error:
        pytest.skip(str(error))
    excluded = [f"--exclude={HERE / 'modules' / name}" for name in exclude]
    command = ["generate", str(HERE / "modules"), f"--out={out}", "--quiet", *excluded]
    assert main(command) == 0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package `made`, generated with the runtime that the tests run on."""
    folder = tmp_path_factory.mktemp("releases")
    _generate(folder / "made")
    return folder


@pytest.mark.parametrize("implementation", ["upb", "python"])
@pytest.mark.parametrize("major", MAJORS)
def test_generated_code_runs_on(major: int, implementation: str, made: Path) -> None:
    arguments = [] if major in TOO_NEW else ["--newest"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, *arguments],
        cwd=made,
        env=_environment(major, implementation),
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    version, kind = done.stdout.split()
    assert version.split(".")[0] == str(major)
    assert kind == implementation


# The newest is what the other tests run on.
@pytest.mark.parametrize("major", MAJORS[:-1])
def test_the_generator_gives_the_same_on(major: int, made: Path, tmp_path: Path) -> None:
    exclude = TOO_NEW.get(major, ())
    _generate(tmp_path / "expected", *exclude)
    command = [sys.executable, "-m", "clarion", "generate", str(HERE / "modules")]
    command += [f"--exclude={HERE / 'modules' / name}" for name in exclude]
    done = subprocess.run(
        [*command, "--out=expected", "--check"],
        cwd=tmp_path,
        env=_environment(major, "upb"),
        capture_output=True,
        text=True,
        timeout=CHILD_SECONDS,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("", 0), done.stderr
