"""`clarion protoc`: flags, files and failures."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from clarion.cli import main
from clarion.cli import protoc as command
from clarion.cli._protoc_binary import ProtocNotFoundError, find_protoc

HELLO = """
syntax = "proto3";
package cli;
message M {}
service S { rpc Call(M) returns (M); }
"""
# An import that nothing uses makes protoc warn.
WARNS = 'syntax = "proto3"; import "hello.proto"; message W {}'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory with some .proto files and a folder `out`."""
    try:
        find_protoc()
    except ProtocNotFoundError as error:
        pytest.skip(str(error))
    (tmp_path / "hello.proto").write_text(HELLO)
    (tmp_path / "warns.proto").write_text(WARNS)
    (tmp_path / "broken.proto").write_text('syntax = "proto3"; message {')
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _written(folder: Path) -> list[str]:
    out = folder / "out"
    return sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())


ALL = ["hello_pb2.py", "hello_pb2.pyi", "hello_pb2_grpc.py", "hello_pb2_grpc.pyi"]
STUBS = ALL[2:3]


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        ("-I. --python_out=out --pyi_out=out --grpc_python_out=out hello.proto", ALL),
        ("--proto_path=. --python_out=out --pyi_out=out --grpc_python_out=out hello.proto", ALL),
        ("-I . --python_out out --pyi_out out --grpc_python_out out hello.proto", ALL),
        ("--grpc_python_out=grpc_2_0:out hello.proto", STUBS),
        ("--grpc_python_out=out --grpc_python_opt=grpc_2_0 hello.proto", STUBS),
        ("--grpc_python_out=out --grpc_python_opt grpc_2_0 hello.proto", STUBS),
        ("--fatal_warnings --grpc_python_out=out hello.proto", STUBS),
        ("--python_out=out hello.proto", ALL[:1]),
        ("--pyi_out=. --grpc_python_out=out hello.proto", ALL[2:]),
        ("-oout/set --include_imports --grpc_python_out=out hello.proto", [*STUBS, "set"]),
        ("-o out/set --grpc_python_out=out hello.proto", [*STUBS, "set"]),
        ("--descriptor_set_out=out/set hello.proto", ["set"]),
        ("@arguments.txt", STUBS),
    ],
)
def test_what_is_written(arguments: str, files: list[str], folder: Path) -> None:
    (folder / "arguments.txt").write_text("-I.\n--grpc_python_out=out\nhello.proto\n")
    assert main(["protoc", *arguments.split()]) == 0
    assert _written(folder) == files


def test_folders_are_made_for_files_in_folders(folder: Path) -> None:
    (folder / "a-b").mkdir()
    (folder / "a-b/c.proto").write_text(HELLO)
    assert main(["protoc", "-I.", "--grpc_python_out=out", "a-b/c.proto"]) == 0
    assert _written(folder) == ["a_b/c_pb2_grpc.py"]


def test_an_empty_directory_means_the_current_one(folder: Path) -> None:
    assert main(["protoc", "-I.", "--grpc_python_out=grpc_2_0:", "hello.proto"]) == 0
    assert (folder / "hello_pb2_grpc.py").exists()


def test_well_known_types_are_found(folder: Path) -> None:
    (folder / "wkt.proto").write_text(
        'syntax = "proto3"; package cli; import "google/protobuf/empty.proto";'
        "service E { rpc Call(google.protobuf.Empty) returns (google.protobuf.Empty); }"
    )
    assert main(["protoc", "-I.", "--grpc_python_out=out", "wkt.proto"]) == 0
    assert _written(folder) == ["wkt_pb2_grpc.py"]


@pytest.mark.parametrize("outputs", [["--grpc_python_out=out"], ["--python_out=out"]])
def test_errors_of_protoc_come_through_and_nothing_is_written(
    outputs: list[str], folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["-I.", *outputs, "hello.proto", "broken.proto"]
    theirs = subprocess.run(
        [str(find_protoc()), "-I.", "--python_out=out", "hello.proto", "broken.proto"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert main(["protoc", *arguments]) == theirs.returncode != 0
    assert capfd.readouterr().err == theirs.stderr
    assert _written(folder) == []


@pytest.mark.parametrize("outputs", [["--grpc_python_out=out"], ["--python_out=out"], []])
def test_warnings_of_protoc_come_once(
    outputs: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    wanted = ["--grpc_python_out=out", *outputs][-2:] if outputs else ["--python_out=out"]
    assert main(["protoc", "-I.", *dict.fromkeys(wanted), "warns.proto"]) == 0
    assert capfd.readouterr().err.count("unused") == 1


def test_stubs_stay_as_they_were_when_messages_cannot_be_written(folder: Path) -> None:
    arguments = ["-I.", "--python_out=missing", "--grpc_python_out=out", "hello.proto"]
    assert main(["protoc", *arguments]) != 0
    assert _written(folder) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--grpc_python_out=nowhere hello.proto", "does not exist: nowhere"),
        ("--grpc_python_out=out --grpc_python_out=out hello.proto", "only once"),
        ("hello.proto --grpc_python_out", "--grpc_python_out needs a value"),
        ("@missing.txt", "cannot read missing.txt"),
    ],
)
def test_usage_errors_are_one_line(
    arguments: str, message: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["protoc", *arguments.split()]) == 1
    err = capfd.readouterr().err
    assert err.startswith("clarion protoc: ")
    assert message in err
    assert err.count("\n") == 1
    assert _written(folder) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
@pytest.mark.parametrize("name", [".x.proto", "x\nimport y#.proto"])
def test_names_that_would_lead_elsewhere(
    name: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / name).write_text('syntax = "proto3";')
    assert main(["protoc", "-I.", "--grpc_python_out=out", name]) == 1
    assert f"{name!r} is a name for which there can be no module" in capfd.readouterr().err
    assert _written(folder) == []


def test_a_write_that_fails_leaves_no_file(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "out/hello_pb2_grpc.py").mkdir()
    assert main(["protoc", "-I.", "--grpc_python_out=out", "hello.proto"]) == 1
    assert "hello_pb2_grpc.py" in capfd.readouterr().err
    assert _written(folder) == []


def test_without_protoc_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def absent() -> Path:
        raise ProtocNotFoundError('pip install "clarion-rpc[protoc]"')

    monkeypatch.setattr(command, "find_protoc", absent)
    assert main(["protoc", "--grpc_python_out=out", "hello.proto"]) == 1
    assert capfd.readouterr().err == 'clarion protoc: pip install "clarion-rpc[protoc]"\n'


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_shows_both_ours_and_protocs(
    arguments: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["protoc", *arguments]) == 0
    out = capfd.readouterr().out
    assert out.startswith("Usage: clarion protoc ")
    assert "--grpc_python_out=DIR" in out
    assert "--descriptor_set_out" in out


def test_the_version_is_protocs(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["protoc", "--version"]) == 0
    assert capfd.readouterr().out.startswith("libprotoc ")


def test_a_runtime_that_is_too_old_is_warned_about(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], folder: Path
) -> None:
    monkeypatch.setattr(command, "runtime_warning", lambda protoc: "too old")
    assert main(["protoc", "-I.", "--python_out=out", "hello.proto"]) == 0
    assert capfd.readouterr().err == "clarion protoc: warning: too old\n"
    assert _written(folder) == ["hello_pb2.py"]


@pytest.mark.parametrize(
    ("value", "directory"),
    [
        ("out", "out"),
        ("grpc_2_0:out", "out"),
        ("a,b=c:out", "out"),
        ("C:\\out", "C:\\out"),
        ("C:/out", "C:/out"),
        ("opt:", ""),
    ],
)
def test_the_directory_of_a_value(value: str, directory: str) -> None:
    assert command._directory(value) == directory
