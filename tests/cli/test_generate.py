"""`clarion generate`: what is written, kept, removed and said."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clarion.cli import main
from clarion.cli._outputs import INIT_TEXT
from support.processes import run_script

HELLO = """\
syntax = "proto3";
package hello;
import "shop/order-list.proto";
message Hello { shop.Order order = 1; }
service Greeter { rpc Greet(Hello) returns (Hello); }
"""
ORDER = """\
syntax = "proto3";
package shop;
message Order { string id = 1; }
"""
SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")
HELLO_FILES = [f"hello{suffix}" for suffix in SUFFIXES]
ORDER_FILES = ["shop/order_list_pb2.py", "shop/order_list_pb2.pyi"]
ALL = ["__init__.py", *HELLO_FILES, "shop/__init__.py", *ORDER_FILES]

Generate = Callable[..., int]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protoc: Path) -> Path:
    """The current directory: a folder `protos` and nothing else."""
    (tmp_path / "protos/shop").mkdir(parents=True)
    (tmp_path / "protos/hello.proto").write_text(HELLO)
    (tmp_path / "protos/shop/order-list.proto").write_text(ORDER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def generate(*arguments: str) -> int:
    """Run the command."""
    return main(["generate", *arguments])


def files_in(folder: Path) -> list[str]:
    """All files below `folder`, by their path from it."""
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


# In a process of its own: the pool of this one may have other files of that name.
IMPORTS = """
import sys
sys.path.insert(0, "src")
from made_here import hello_pb2, hello_pb2_grpc
assert hello_pb2.Hello(order={"id": "1"}).order.id == "1"
assert hello_pb2_grpc.GreeterStub
"""


def test_a_tree_becomes_a_package(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert generate("protos", "--out", "src/made_here") == 0
    assert files_in(project / "src/made_here") == sorted(ALL)
    assert capfd.readouterr() == ("src/made_here: 2 .proto files; 8 written, 0 unchanged\n", "")
    done = run_script(IMPORTS)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["protos", "--no-types"], ["hello_pb2.py", "hello_pb2_grpc.py", "shop/order_list_pb2.py"]),
        (["protos", "--no-services"], [*HELLO_FILES[:2], *ORDER_FILES]),
        (["protos", "--no-messages"], HELLO_FILES[2:]),
        (["protos", "--py-typed"], [*HELLO_FILES, *ORDER_FILES, "py.typed"]),
        (["protos", "--exclude", "protos/hello.proto"], ORDER_FILES),
        (["protos/shop", "-I", "protos"], ORDER_FILES),
        (["protos/shop"], [name.removeprefix("shop/") for name in ORDER_FILES]),
        (["protos/shop/order-list.proto"], [f"protos/{name}" for name in ORDER_FILES]),
        (["protos/hello.proto", "-I", "protos"], HELLO_FILES),
        (["protos", "protos/hello.proto"], [*HELLO_FILES, *ORDER_FILES]),
        (["protos", "-I", "protos", "-I", "protos/shop", "--exclude=protos/hello.proto"], ["order_list_pb2.py", "order_list_pb2.pyi"]),
    ],
)  # fmt: skip
def test_what_is_written(arguments: list[str], files: list[str], project: Path) -> None:
    assert generate(*arguments, "--out=out") == 0
    made = [name for name in files_in(project / "out") if not name.endswith("__init__.py")]
    assert made == sorted(files)


def test_imports_of_protocs_layout(project: Path) -> None:
    assert generate("protos", "--out=out", "--no-relative") == 0
    assert "__init__.py" not in files_in(project / "out")
    text = (project / "out/hello_pb2.py").read_text()
    assert "\nfrom shop import order_list_pb2 as shop_dot_order__list__pb2\n" in text


def test_packages_of_files_that_are_not_generated(project: Path) -> None:
    arguments = ["protos/hello.proto", "-Iprotos", "--out=out"]
    assert generate(*arguments, "--package", "shop=my.shop") == 0
    for name in ("hello_pb2.py", "hello_pb2.pyi"):
        text = (project / "out" / name).read_text()
        assert "\nfrom my.shop import order_list_pb2 as shop_dot_order__list__pb2\n" in text


def test_the_well_known_types_are_the_runtimes(project: Path) -> None:
    vendored = project / "protos/google/protobuf"
    vendored.mkdir(parents=True)
    (vendored / "empty.proto").write_text(
        'syntax = "proto3"; package google.protobuf; message Empty {}'
    )
    (project / "protos/hello.proto").write_text(
        'syntax = "proto3"; import "google/protobuf/empty.proto"; message H { google.protobuf.Empty e = 1; }'
    )
    assert generate("protos", "--out=out") == 0
    assert not (project / "out/google").exists()
    assert "\nfrom google.protobuf import empty_pb2 " in (project / "out/hello_pb2.py").read_text()


def test_hidden_folders_and_environments_are_not_searched(project: Path) -> None:
    for folder in (".hidden", "node_modules", "env/lib"):
        (project / folder).mkdir(parents=True)
        (project / folder / "broken.proto").write_text("broken")
    (project / "env/pyvenv.cfg").write_text("")
    assert generate(".", "--out=out", "-Iprotos", "--quiet") == 0
    assert files_in(project / "out") == sorted(ALL)


def test_what_does_not_change_is_not_touched(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert generate("protos", "--out=out") == 0
    for path in (project / "out").rglob("*.py*"):
        os.utime(path, (1, 1))
    (project / "protos/shop/order-list.proto").write_text(ORDER + "message More {}\n")
    capfd.readouterr()
    assert generate("protos", "--out=out") == 0
    assert capfd.readouterr().out == "out: 2 .proto files; 2 written, 6 unchanged\n"
    times = {name: (project / "out" / name).stat().st_mtime for name in ALL}
    assert sorted(name for name, time in times.items() if time != 1) == ORDER_FILES


def test_an_init_of_ones_own_is_left_alone(project: Path) -> None:
    (project / "out/shop").mkdir(parents=True)
    (project / "out/shop/__init__.py").write_text("mine = 1\n")
    assert generate("protos", "--out=out") == 0
    assert (project / "out/shop/__init__.py").read_text() == "mine = 1\n"
    assert (project / "out/__init__.py").read_text() == INIT_TEXT


def test_the_order_of_arguments_makes_no_difference(project: Path) -> None:
    assert generate("protos/hello.proto", "protos/shop", "-Iprotos", "--out=a") == 0
    assert generate("protos/shop", "protos/hello.proto", "-Iprotos", "--out=b") == 0
    assert files_in(project / "a") == files_in(project / "b")
    for name in files_in(project / "a"):
        assert (project / "a" / name).read_bytes() == (project / "b" / name).read_bytes()


def test_what_was_generated_from_files_that_are_gone_is_removed(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert generate("protos", "--out=out") == 0
    (project / "out/shop/__pycache__").mkdir()
    (project / "protos/shop/order-list.proto").unlink()
    (project / "protos/hello.proto").write_text('syntax = "proto3"; message Hello {}')
    mine = project / "out/mine_pb2.py"
    mine.write_text("# Not generated.\n")
    capfd.readouterr()
    assert generate("protos", "--out=out") == 0
    assert capfd.readouterr().out == "out: 1 .proto file; 2 written, 1 unchanged, 5 removed\n"
    assert files_in(project / "out") == ["__init__.py", *HELLO_FILES[:2], "mine_pb2.py"]
    assert not (project / "out/shop").exists()


def test_a_folder_with_something_else_stays(project: Path) -> None:
    assert generate("protos", "--out=out") == 0
    (project / "out/shop/notes.txt").write_text("mine")
    (project / "protos/shop/order-list.proto").unlink()
    (project / "protos/hello.proto").write_text('syntax = "proto3"; message Hello {}')
    assert generate("protos", "--out=out") == 0
    assert files_in(project / "out/shop") == ["__init__.py", "notes.txt"]


def test_what_other_files_gave_stays(project: Path) -> None:
    assert generate("protos/shop/order-list.proto", "-Iprotos", "--out=out") == 0
    assert generate("protos/hello.proto", "-Iprotos", "--out=out") == 0
    assert set(ORDER_FILES) < set(files_in(project / "out"))


def test_check_lists_what_differs(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ("protos", "--out=out", "--check")
    assert generate(*arguments) == 1
    assert capfd.readouterr().out.splitlines() == [
        f"missing: {Path('out', name)}"
        for name in [*HELLO_FILES, *ORDER_FILES, "__init__.py", "shop/__init__.py"]
    ]
    assert not (project / "out").exists()
    assert generate("protos", "--out=out", "--quiet") == 0
    assert generate(*arguments) == 0
    (project / "out/hello_pb2.py").write_text("changed")
    stale = project / "out/old_pb2.pyi"
    stale.write_text("# Generated by Clarion from old.proto. DO NOT EDIT.\n")
    before = files_in(project / "out")
    capfd.readouterr()
    assert generate(*arguments) == 1
    out, err = capfd.readouterr()
    assert out.splitlines() == ["differs: out/hello_pb2.py", "stale: out/old_pb2.pyi"]
    assert err == "clarion generate: generated files are not up to date\n"
    assert files_in(project / "out") == before


def test_quiet_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    assert generate("protos", "--out=out", "-q") == 0
    assert capfd.readouterr() == ("", "")


def test_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert generate("--help") == 0
    assert "--watch" in capfd.readouterr().out
    assert main([]) == 0
    assert "generate" in capfd.readouterr().out
