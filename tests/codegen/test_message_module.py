"""Message modules: the same descriptors as protoc's own, and classes that are shared with them.

What they do with older releases of the protobuf runtime is in `test_protobuf_releases.py`.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from clarion.cli._protoc_binary import ProtocNotFoundError, find_protoc
from clarion.codegen.layout import Layout
from clarion.codegen.message_module import message_modules

MODULES = Path(__file__).parent / "modules"
NAMES = sorted(path.relative_to(MODULES).as_posix() for path in MODULES.rglob("*.proto"))


def _protoc(*arguments: str) -> None:
    try:
        protoc = find_protoc()
    except ProtocNotFoundError as error:
        pytest.skip(str(error))
    done = subprocess.run(
        [protoc, f"-I{MODULES}", *arguments], capture_output=True, text=True, check=False
    )
    if "2024" in done.stderr and done.returncode:
        pytest.skip(f"this protoc knows no edition 2024: {done.stderr}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def descriptor_set(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The descriptors of all files in `modules`, with source info."""
    path = tmp_path_factory.mktemp("descriptors") / "set"
    _protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={path}", *NAMES)
    return path.read_bytes()


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The modules that protoc itself generates."""
    folder = tmp_path_factory.mktemp("theirs")
    _protoc(f"--python_out={folder}", *NAMES)
    return folder


def _embedded(text: str) -> bytes:
    [literal] = re.findall(r"AddSerializedFile\((b.*)\)$", text, re.MULTILINE)
    value = ast.literal_eval(literal)
    assert isinstance(value, bytes)
    return value


def _patches(text: str) -> dict[str, object]:
    """What a module sets for the runtime without C code, by what protoc calls the descriptors."""
    found: dict[str, object] = {}
    for target, value in re.findall(
        r"^ +(\S+\._serialized_(?:start|end|options)) *= *(.*)$", text, re.M
    ):
        path = re.sub(r"_globals\['DESCRIPTOR'\]", "DESCRIPTOR", target)
        path = re.sub(
            r'DESCRIPTOR\.(?:message_types|enum_types|services)_by_name\["(\w+)"\]',
            lambda match: f"_globals['_{match[1].upper()}']",
            path,
        )
        path = re.sub(r'DESCRIPTOR\.extensions_by_name\["(\w+)"\]', r"_globals['\1']", path)
        nested = re.compile(r"'\]\.(?:nested_types|enum_types)_by_name\[\"(\w+)\"\]")
        while nested.search(path):
            path = nested.sub(lambda match: f"_{match[1].upper()}']", path, count=1)
        found[path.replace('"', "'")] = ast.literal_eval(value)
    return found


def test_modules_stand_where_those_of_protoc_stand(descriptor_set: bytes, theirs: Path) -> None:
    paths = {path.relative_to(theirs).as_posix() for path in theirs.rglob("*.py")}
    assert message_modules(descriptor_set, NAMES).keys() == paths


@pytest.mark.parametrize("name", NAMES)
def test_the_descriptor_is_protocs_to_the_byte(
    name: str, descriptor_set: bytes, theirs: Path
) -> None:
    [(path, text)] = message_modules(descriptor_set, [name]).items()
    their_text = (theirs / path).read_text(encoding="utf-8")
    assert _embedded(text) == _embedded(their_text)
    assert _patches(text) == _patches(their_text)


@pytest.mark.skipif(os.name == "nt", reason="the plugin of this test is a shell script")
def test_a_plugins_request_gives_the_same(
    descriptor_set: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = tmp_path / "protoc-gen-keep"
    plugin.write_text(f"#!/bin/sh\ncat > {tmp_path}/request\n")
    plugin.chmod(0o755)
    try:
        _protoc(f"--plugin={plugin}", f"--keep_out={tmp_path}", *NAMES)
    except AssertionError:
        # It knows no editions, and need not.
        assert (tmp_path / "request").exists()
    request = CodeGeneratorRequest.FromString((tmp_path / "request").read_bytes())
    files = FileDescriptorSet(file=request.proto_file).SerializeToString()
    assert message_modules(files, NAMES) == message_modules(descriptor_set, NAMES)


def test_without_source_info_only_a_stated_default_is_lost(descriptor_set: bytes) -> None:
    bare = FileDescriptorSet.FromString(descriptor_set)
    for file in bare.file:
        file.ClearField("source_code_info")
    with_info = message_modules(descriptor_set, NAMES)
    without = message_modules(bare.SerializeToString(), NAMES)
    assert {path for path in with_info if with_info[path] != without[path]} == {"two_pb2.py"}
    assert b"statedName" in _embedded(with_info["two_pb2.py"])
    assert b"statedName" not in _embedded(without["two_pb2.py"])


def test_there_is_no_version_of_anything_in_a_module(descriptor_set: bytes) -> None:
    for text in message_modules(descriptor_set, NAMES).values():
        assert "runtime_version" not in text
        assert "__version__" not in text


def test_a_file_that_the_set_lacks_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"missing\.proto"):
        message_modules(b"", ["missing.proto"])


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_classes_are_shared_with_protocs_modules(
    descriptor_set: bytes, theirs: Path, tmp_path: Path, run_in: Callable[[Path, str], str]
) -> None:
    files = message_modules(descriptor_set, NAMES, Layout(NAMES))
    _write(tmp_path / "ours/inner", files)
    # Some of theirs first, some of ours first. None with what edition 2024 brought: the runtime itself (upb, up to 7.36)
    # takes two such files for different ones, even if they are the same bytes.
    program = f"""
import sys
sys.path.append({str(theirs)!r})
import two_pb2, ours.inner.three_pb2
import three_pb2, ours.inner.two_pb2, ours.inner.public.user_pb2, public.user_pb2
import ours.inner.edition_2023_pb2, edition_2023_pb2
assert two_pb2.Measure is ours.inner.two_pb2.Measure
assert three_pb2.Order is ours.inner.three_pb2.Order
assert public.user_pb2.User is ours.inner.public.user_pb2.User
assert edition_2023_pb2.Edition is ours.inner.edition_2023_pb2.Edition
print("shared")
"""
    assert run_in(tmp_path, program) == "shared\n"


def test_public_imports_and_reserved_names(
    descriptor_set: bytes, tmp_path: Path, run_in: Callable[[Path, str], str]
) -> None:
    for folder, layout in (("relative", Layout(NAMES)), ("flat", Layout())):
        _write(tmp_path / folder, message_modules(descriptor_set, NAMES, layout))
    program = """
import importlib, pickle
user = importlib.import_module({package!r} + "public.user_pb2")
both = importlib.import_module({package!r} + "public.both_pb2")
word = importlib.import_module({package!r} + "lambda_pb2")
odd = importlib.import_module({package!r} + "odd_user_pb2")
assert odd.OddUser(second=odd.Second(odd=True)).second.odd
assert both.Word is word.Word and both.One and both.Odd
assert not hasattr(user, "Odd")
assert both.DESCRIPTOR.name == "public/both.proto"
message = user.User(word=both.Word(**{{"yield": "x"}}))
assert pickle.loads(pickle.dumps(message)) == message
print(user.User.__module__)
"""
    relative = run_in(tmp_path, program.format(package="relative."))
    assert relative == "relative.public.user_pb2\n"
    flat = run_in(tmp_path / "flat", program.format(package=""))
    assert flat == "public.user_pb2\n"


@pytest.mark.parametrize("implementation", ["upb", "python"])
def test_options_and_copies_of_descriptors(
    implementation: str, descriptor_set: bytes, tmp_path: Path, run_in: Callable[[Path, str], str]
) -> None:
    _write(tmp_path / "made", message_modules(descriptor_set, NAMES, Layout(NAMES)))
    program = f"""
import os
os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = {implementation!r}
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, ServiceDescriptorProto
from google.protobuf.internal import api_implementation
from made import two_pb2 as two, edition_2024_pb2 as newest
measure = two.Measure.DESCRIPTOR
assert measure.GetOptions().Extensions[two.owner] == "me"
assert list(measure.GetOptions().Extensions[two.ranks]) == [3, 1]
assert measure.fields_by_name["value"].GetOptions().Extensions[two.unit] == "mm"
assert not measure.fields_by_name["value"].GetOptions().HasExtension(two.note)
assert two.Measure.Kind.DESCRIPTOR.values[0].GetOptions().Extensions[two.label] == "first"
service = two.DESCRIPTOR.services_by_name["Measuring"]
assert service.methods[0].GetOptions().Extensions[two.cheap]
assert service.GetOptions().deprecated
assert newest.Newest.DESCRIPTOR.GetOptions().Extensions[two.owner] == "we"
for descriptor, kind in (
    (measure, DescriptorProto),
    (two.Measure.Inner.Deepest.DESCRIPTOR, DescriptorProto),
    (two.Measure.Kind.DESCRIPTOR, EnumDescriptorProto),
    (service, ServiceDescriptorProto),
):
    copy = kind()
    descriptor.CopyToProto(copy)
    assert copy.name == descriptor.name
assert two.Measure().value == -5 and two.Measure().detail.content == b'\\x00\\xff"'
assert two.Measure.FromString(two.Measure(value=7).SerializeToString()).value == 7
print(api_implementation.Type())
"""
    assert run_in(tmp_path, program) == f"{implementation}\n"
