"""The examples print what their pages promise: `make demo`, on a free port."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clarion.cli import _protoc_binary
from support.limits import CHILD_SECONDS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A copy of the examples, so that runs beside this one do not meet half-generated code."""
    try:
        _protoc_binary.find_protoc()
    except _protoc_binary.ProtocNotFoundError as error:
        pytest.skip(str(error))
    copy = tmp_path / "examples"
    ignore = shutil.ignore_patterns("*_pb2*", "__pycache__")
    return Path(shutil.copytree(ROOT / "examples", copy, ignore=ignore))


def _demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "tools/demo.py"), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=CHILD_SECONDS,
    )


@pytest.mark.parametrize(
    "name",
    ["hello", "hello-async", "prices", "upload", "chat", "load-balancing", "health", "reflection"],
)
def test_example(name: str, examples: Path) -> None:
    done = _demo("--port=0", f"--examples={examples}", name)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("all examples did what they should\n")
    assert "Traceback" not in done.stdout
    if name.startswith("hello"):
        assert "Received from server: Hello, Alice! (from gRPC server)" in done.stdout


@pytest.mark.parametrize("name", ["json", "msgspec", "betterproto2", "protobuf-py"])
def test_messages_of_other_libraries(name: str, examples: Path) -> None:
    done = _demo("--port=0", f"--examples={examples}", name)
    assert done.returncode == 0, done.stdout
    if "skipped:" in done.stdout:
        pytest.skip(done.stdout.partition("skipped: ")[2].partition("\n")[0])
    assert done.stdout.count("Bergen: 21.5") == 2


@pytest.mark.parametrize(
    ("script", "old", "new", "message"),
    [
        ("client.py", "Received", "Got", "client printed 'Got from server"),
        ("client.py", "timeout=10", "timeout=1 / 0", "client printed 'Traceback"),
        ("server.py", "serve(sys.argv", "sys.exit(sys.argv", "server did not start"),
        ("server.py", '"Server stopped"', '"Oops"', "server printed 'Oops'"),
    ],
)
def test_an_example_that_misbehaves_fails_the_demo(
    script: str, old: str, new: str, message: str, examples: Path
) -> None:
    path = examples / "hello" / script
    source = path.read_text()
    assert old in source
    path.write_text(source.replace(old, new))
    done = _demo("--port=0", f"--examples={examples}", "hello")
    assert done.returncode == 1, done.stdout
    assert message in done.stdout


def test_an_unknown_example_is_refused() -> None:
    done = _demo("bogus")
    assert done.returncode == 2
    assert "no such example: bogus" in done.stdout
