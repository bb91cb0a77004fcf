"""The types of generated messages: to the letter, and name by name against the classes themselves.

`make regenerate` writes the golden files anew. What type checkers make of the stubs is in
tests/typing.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from clarion.cli import main
from clarion.cli._protoc_binary import ProtocNotFoundError, find_protoc
from clarion.codegen.layout import PROTOC_LAYOUT, Layout
from clarion.codegen.message_module import message_modules
from clarion.codegen.message_types import message_types

HERE = Path(__file__).parent
PROTOS = HERE / "protos"
NAMES = sorted(path.relative_to(PROTOS).as_posix() for path in (PROTOS / "typed").rglob("*.proto"))
SCRIPT = (HERE / "scripts" / "stubs.py").read_text(encoding="utf-8")


def _compile(folder: Path, *names: str) -> bytes:
    out = folder / "set"
    flags = ["--include_imports", "--include_source_info", f"--descriptor_set_out={out}"]
    assert main(["protoc", f"-I{PROTOS}", *flags, *names]) == 0
    return out.read_bytes()


def _golden(path: str) -> Path:
    return HERE / "golden" / f"{path}.txt"


def _stubs(descriptor_set: bytes) -> dict[str, str]:
    return message_types(descriptor_set, NAMES, Layout(NAMES))


@pytest.fixture(scope="module")
def descriptor_set(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """All the .proto files of `protos/typed`, and what they import."""
    try:
        find_protoc()
    except ProtocNotFoundError as error:
        pytest.skip(str(error))
    return _compile(tmp_path_factory.mktemp("set"), *NAMES)


def _write(folder: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_stubs_are_the_golden_files(descriptor_set: bytes) -> None:
    stubs = _stubs(descriptor_set)
    assert len(stubs) == len(NAMES)
    for path, text in stubs.items():
        assert text == _golden(path).read_text(encoding="utf-8"), path


@pytest.mark.parametrize("layout", [PROTOC_LAYOUT, Layout(NAMES)], ids=["protoc", "package"])
def test_a_stub_has_the_names_of_its_module(
    layout: Layout,
    descriptor_set: bytes,
    tmp_path: Path,
    run_in: Callable[[Path, str], str],
) -> None:
    folder = tmp_path / "generated"
    package = folder if layout is PROTOC_LAYOUT else folder / "somewhere"
    _write(package, message_modules(descriptor_set, NAMES, layout))
    _write(package, message_types(descriptor_set, NAMES, layout))
    assert run_in(folder, SCRIPT) == f"{len(NAMES)} stubs say what is there\n"


def test_a_stub_does_not_depend_on_what_else_is_generated(descriptor_set: bytes) -> None:
    together = message_types(descriptor_set, NAMES)
    for name in NAMES:
        for path, text in message_types(descriptor_set, [name]).items():
            assert text == together[path]


def test_stubs_are_python_without_comments_too(descriptor_set: bytes) -> None:
    files = FileDescriptorSet.FromString(descriptor_set)
    for file in files.file:
        file.ClearField("source_code_info")
    stubs = _stubs(files.SerializeToString())
    modern = stubs["typed/modern_pb2.pyi"]
    assert "Every type of field" not in modern
    assert "    name: str\n" in modern
    for text in stubs.values():
        ast.parse(text)


def test_an_enum_from_elsewhere_is_an_int(descriptor_set: bytes) -> None:
    alone = message_types(
        descriptor_set,
        ["typed/classic.proto"],
        Layout(["typed/classic.proto"], {"typed": "elsewhere.protos"}),
    )["typed/classic_pb2.pyi"]
    # Stubs of protoc's own kind have no type for the values of an enum.
    assert "    def color(self) -> int: ..." in alone
    assert "    def color(self, value: int | str) -> None: ..." in alone
    assert "from elsewhere.protos import modern_pb2 as typed_dot_modern__pb2" in alone
    assert "    def level(self) -> Level.ValueType: ..." in alone


def test_a_named_file_that_the_set_lacks_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"missing\.proto"):
        message_types(b"", ["missing.proto"])
