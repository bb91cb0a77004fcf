"""`protoc-gen-clarion`, by itself, under protoc and under buf."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from clarion.cli import main as clarion
from clarion.cli import plugin
from support.limits import CHILD_SECONDS

SRC = Path(__file__).parents[2] / "src"
CORE = """\
syntax = "proto3";
package acme.v1;
message Core { optional string id = 1; }
"""
SHOP = """\
edition = "2023";
package acme.shop;
import "acme/v1/core.proto";
// Sells.
service Shop { rpc Sell(acme.v1.Core) returns (acme.v1.Core); }
"""
FILES = [
    "acme/shop/shop_pb2.py",
    "acme/shop/shop_pb2.pyi",
    "acme/shop/shop_pb2_grpc.py",
    "acme/shop/shop_pb2_grpc.pyi",
    "acme/v1/core_pb2.py",
    "acme/v1/core_pb2.pyi",
]


def _respond(parameter: str = "", *names: str) -> CodeGeneratorResponse:
    files = [FileDescriptorProto(name=name, syntax="proto3") for name in names]
    request = CodeGeneratorRequest(parameter=parameter, file_to_generate=names, proto_file=files)
    return CodeGeneratorResponse.FromString(plugin.respond(request.SerializeToString()))


def _written(answer: CodeGeneratorResponse) -> list[str]:
    assert answer.error == ""
    return [file.name for file in answer.file]


def test_it_says_what_it_knows() -> None:
    answer = _respond()
    features = CodeGeneratorResponse.Feature
    assert answer.supported_features == (
        features.FEATURE_PROTO3_OPTIONAL | features.FEATURE_SUPPORTS_EDITIONS
    )
    assert (answer.minimum_edition, answer.maximum_edition) == (998, 1001)
    assert _written(answer) == []


@pytest.mark.parametrize(
    ("parameter", "files"),
    [
        ("", ["a/x_pb2.py", "a/x_pb2.pyi"]),
        ("types=false", ["a/x_pb2.py"]),
        ("types=false, relative,services", ["a/x_pb2.py"]),
        ("messages=false", []),
        ("types=false,init=true", ["__init__.py", "a/__init__.py", "a/x_pb2.py"]),
    ],
)
def test_options(parameter: str, files: list[str]) -> None:
    assert _written(_respond(parameter, "a/x.proto")) == files


@pytest.mark.parametrize(
    ("parameter", "names", "said"),
    [
        ("zork", [], "unknown option 'zork'; there are: messages, types, services, relative, init"),
        ("types=yes", [], "types must be true or false, not 'yes'"),
        ("package=x", [], "package needs FOLDER:PACKAGE, not 'x'"),
        ("", ["a-b.proto", "a_b.proto"], "a-b.proto and a_b.proto would both become a_b_pb2.py"),
        ("", ["../x.proto"], "'../x.proto' is a name for which there can be no module"),
        ("", ["/x.proto"], "'/x.proto' is a name for which there can be no module"),
        ("", ["x\n1/0#.proto"], "'x\\n1/0#.proto' is a name for which there can be no module"),
    ],
)
def test_errors_are_in_the_answer(parameter: str, names: list[str], said: str) -> None:
    answer = _respond(parameter, *names)
    assert answer.error.startswith(f"protoc-gen-clarion: {said}")
    assert not answer.file


def test_input_that_is_no_request(capfd: pytest.CaptureFixture[str]) -> None:
    out = io.BytesIO()
    assert plugin.main(io.BytesIO(b"\xff"), out) == 1
    assert out.getvalue() == b""
    assert capfd.readouterr().err.startswith("protoc-gen-clarion: no CodeGeneratorRequest: ")


def test_a_person_is_told_what_to_do(capfd: pytest.CaptureFixture[str]) -> None:
    class Terminal(io.BytesIO):
        def isatty(self) -> bool:
            return True

    assert plugin.main(Terminal(), io.BytesIO()) == 1
    assert "clarion generate" in capfd.readouterr().err


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: a folder `protos`, an empty `out`, and the plugin on PATH."""
    if os.name == "nt":
        pytest.skip("the plugin of this test is a shell script")
    for name, text in (("v1/core", CORE), ("shop/shop", SHOP)):
        path = tmp_path / f"protos/acme/{name}.proto"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    (tmp_path / "out").mkdir()
    (tmp_path / "bin").mkdir()
    # Like the script that pip makes, which need not be in this environment.
    script = tmp_path / "bin/protoc-gen-clarion"
    call = "import sys; from clarion.cli.plugin import main; sys.exit(main())"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={SRC} exec {sys.executable} -c "{call}"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(command: list[str | Path], code: int = 0) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=CHILD_SECONDS, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stderr


def _same_as_the_command(project: Path) -> None:
    arguments = ["generate", "protos", "--out=expected", "--quiet"]
    assert clarion(arguments) == 0
    for name in FILES:
        assert (project / "out" / name).read_text() == (project / "expected" / name).read_text()


def test_under_protoc(project: Path, protoc: Path) -> None:
    names = ["acme/v1/core.proto", "acme/shop/shop.proto"]
    _run([protoc, "-Iprotos", "--clarion_out=out", *names])
    made = (project / "out").rglob("*.py*")
    assert sorted(path.relative_to(project / "out").as_posix() for path in made) == FILES
    _same_as_the_command(project)


def test_options_and_errors_under_protoc(project: Path, protoc: Path) -> None:
    command = [protoc, "-Iprotos", "--clarion_out=out", "acme/shop/shop.proto"]
    _run([*command, "--clarion_opt=types=false,package=acme/v1:core.v1"])
    text = (project / "out/acme/shop/shop_pb2.py").read_text()
    assert "\nfrom core.v1 import core_pb2 as acme_dot_v1_dot_core__pb2\n" in text
    assert not (project / "out/acme/shop/shop_pb2.pyi").exists()
    err = _run([*command, "--clarion_opt=zork"], code=1)
    assert "unknown option 'zork'" in err
    assert "Traceback" not in err


def test_under_buf(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    buf = shutil.which("buf") or shutil.which("buf", path=str(Path(sys.executable).parent))
    if buf is None:
        pytest.skip("there is no buf; PyPI has it as buf-bin")
    monkeypatch.setenv("BUF_CACHE_DIR", str(project / "cache"))
    (project / "buf.yaml").write_text("version: v2\nmodules:\n  - path: protos\n")
    (project / "buf.gen.yaml").write_text(
        "version: v2\nplugins:\n  - local: protoc-gen-clarion\n    out: out\n    strategy: all\n"
    )
    _run([buf, "generate"])
    _same_as_the_command(project)
