"""Generated services work on both front ends: called, served, deprecated, with their options and awkward names."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from clarion.cli._generation import GENERATED_KINDS, make_files
from clarion.cli._protoc_binary import find_protoc
from clarion.codegen import generate
from clarion.codegen.layout import PROTOC_LAYOUT, Layout
from support.limits import CHILD_SECONDS

_SCRIPTS = Path(__file__).parent / "scripts"
_FILES = ["options.proto", "bygone.proto"]


def _into_a_package(folder: Path, protos: Path) -> None:
    """Make the modules in `folder` relative to each other, in a package of any name."""
    package = folder / "any" / "where"
    package.mkdir(parents=True)
    for file in folder.glob("*_pb2.py"):
        file.rename(package / file.name)
    descriptors = folder / "set"
    command = [str(find_protoc()), f"-I{protos}", "--include_imports", "--include_source_info"]
    subprocess.run(
        [*command, f"--descriptor_set_out={descriptors}", *_FILES],
        check=True,
        timeout=CHILD_SECONDS,
    )
    for name, text in generate(descriptors.read_bytes(), _FILES, Layout(_FILES)).items():
        (folder / name).unlink()
        (package / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("layout", ["protoc", "package-relative"])
@pytest.mark.parametrize("script", ["calls", "deprecation", "options"])
def test_a_service(
    script: str,
    layout: str,
    clarion_protoc: Callable[..., Path],
    protos: Path,
    run_in: Callable[[Path, str], str],
) -> None:
    folder = clarion_protoc(*_FILES)
    where = ""
    if layout == "package-relative":
        _into_a_package(folder, protos)
        where = "any.where."
    path = _SCRIPTS / f"{script}.py"
    program = f"import runpy; runpy.run_path({str(path)!r}, {{'PACKAGE': {where!r}}})"
    assert run_in(folder, program) == ""


def test_names_in_each_others_way(
    clarion_protoc: Callable[..., Path], run_in: Callable[[Path, str], str]
) -> None:
    folder = clarion_protoc("names.proto", "_leading.proto", "shop/cart-items.proto")
    assert run_in(folder, (_SCRIPTS / "names.py").read_text(encoding="utf-8")) == ""


def test_the_name_of_a_deprecated_file_is_no_code() -> None:
    name = 'a"); 1 / 0 #.proto'
    file = FileDescriptorProto(name=name)
    file.options.deprecated = True
    file.message_type.add(name="M").options.deprecated = True
    method = file.service.add(name="S").method.add(name="Get", input_type=".M", output_type=".M")
    method.options.deprecated = True
    described = FileDescriptorSet(file=[file]).SerializeToString()
    texts = make_files(described, [name], PROTOC_LAYOUT, GENERATED_KINDS)
    assert len(texts) == 4
    said = [
        node.value
        for text in texts.values()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert f"M is deprecated in {name}" in said
    # In the module, and in its types.
    assert said.count(f"the service S is deprecated, as all of {name} is") > 1
