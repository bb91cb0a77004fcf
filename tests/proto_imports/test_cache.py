"""Compiled files are kept between runs, by their content."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clarion.cli import _protoc_binary
from clarion.proto_imports import cache as cache_module
from clarion.proto_imports.cache import Cache, user_folder


def _no_protoc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_protoc_binary, "_packaged", lambda: iter(()))
    monkeypatch.setenv("PATH", "")


def _import_anew(*names: str) -> list[Any]:
    """Import as another process would, except for the classes."""
    tops = {name.partition(".")[0] for name in names}
    for name in list(sys.modules):
        if name.partition(".")[0] in tops:
            del sys.modules[name]
    importlib.invalidate_caches()
    return [importlib.import_module(name) for name in names]


def test_a_second_start_needs_no_protoc(tree: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.package("cache1")
    tree.write("cache1/dep.proto", "package cache1; message Dep {}")
    tree.write(
        "cache1/main.proto",
        'package cache1; import "dep.proto"; message Main { Dep dep = 1; }\n'
        "// Mains.\nservice Mains { rpc Get(Main) returns (Dep); }",
    )
    _import_anew("cache1.main_proto")
    _no_protoc(monkeypatch)
    dep, main = _import_anew("cache1.dep_proto", "cache1.main_proto")
    assert type(main.Main().dep) is dep.Dep
    assert main.MainsServicer.__doc__ == "Mains."
    # Another content is another entry.
    tree.write("cache1/dep.proto", "package cache1; message Dep { int32 x = 1; }")
    with pytest.raises(ImportError, match="there is no protoc"):
        _import_anew("cache1.main_proto")


def test_a_folder_of_its_own(tree: Any, tmp_path: Path) -> None:
    folder = tmp_path / "here" / "and there"
    tree.package("cache2", cache=str(folder))
    tree.write("cache2/a.proto", "package cache2; message A {}")
    _import_anew("cache2.a_proto")
    assert len(list(folder.iterdir())) == 1
    if os.name == "posix":
        assert folder.stat().st_mode & 0o077 == 0


def test_switched_off(tree: Any, count_protoc: Callable[[], int]) -> None:
    tree.package("cache3", cache=False)
    tree.write("cache3/a.proto", "package cache3; message A {}")
    _import_anew("cache3.a_proto")
    _import_anew("cache3.a_proto")
    assert count_protoc() == 2
    user = user_folder()
    assert user is not None
    assert not user.exists()


def test_a_damaged_entry(tree: Any, tmp_path: Path, count_protoc: Callable[[], int]) -> None:
    tree.package("cache4", cache=str(tmp_path / "kept"))
    tree.write("cache4/a.proto", "package cache4; message A {}")
    _import_anew("cache4.a_proto")
    [entry] = (tmp_path / "kept").iterdir()
    whole = entry.read_bytes()
    for content in (b"", whole[:-1], whole[:40] + b"?" + whole[41:]):
        entry.write_bytes(content)
        assert _import_anew("cache4.a_proto")[0].A
        assert entry.read_bytes() == whole
    assert count_protoc() == 4


def test_a_folder_that_cannot_be_written(tree: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    tree.package("cache5", cache=str(tmp_path / "file" / "folder"))
    tree.write("cache5/a.proto", "package cache5; message A {}")
    assert _import_anew("cache5.a_proto")[0].A


def test_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setattr(sys, "platform", "linux")
    assert user_folder() is None
    assert Cache(None).get("a") is None
    Cache(None).put({"a": b""})


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_the_users_folder(platform: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    expected = {
        "linux": tmp_path / "xdg" / "clarion" / "protos",
        "darwin": tmp_path / "home" / "Library" / "Caches" / "clarion" / "protos",
        "win32": tmp_path / "local" / "clarion" / "protos",
    }
    assert user_folder() == expected[platform]


def test_it_is_bounded(tmp_path: Path) -> None:
    kept = Cache(tmp_path, most=20)
    keys = [f"{number:064x}" for number in range(21)]
    for number, key in enumerate(keys[:20]):
        kept.put({key: b"x"})
        os.utime(tmp_path / key, (number, number))
    # Somebody took a folder that holds other files, too.
    (tmp_path / "notes").touch()
    os.utime(tmp_path / "notes", (0, 0))
    # What was used of late stays.
    assert kept.get(keys[0]) == b"x"
    kept.put({keys[20]: b"y"})
    left = {path.name for path in tmp_path.iterdir()}
    assert len(left) == 18 + 1
    assert {keys[0], keys[19], keys[20], "notes"} < left
    assert not {*keys[1:4]} & left


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has owners and modes to look at")
def test_what_others_could_have_written_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Cache(tmp_path)
    before = os.umask(0)
    try:
        kept.put({"a": b"x", "b": b"y"})
    finally:
        os.umask(before)
    assert kept.get("a") == b"x"
    for mode in (0o664, 0o646):
        (tmp_path / "a").chmod(mode)
        assert kept.get("a") is None
    # An entry under another's name.
    os.replace(tmp_path / "b", tmp_path / "a")
    assert kept.get("a") is None
    kept.put({"a": b"x"})
    assert kept.get("a") == b"x"
    own = os.geteuid()
    if own == 0:
        # What the administrator wrote is fine for everybody; what others wrote, not for him either.
        os.chown(tmp_path / "a", 1, -1)
    else:
        monkeypatch.setattr(cache_module.os, "geteuid", lambda: own + 1)
    assert kept.get("a") is None


def test_nothing_half_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(cache_module.os, "replace", fail)
    Cache(tmp_path).put({"a": b"x"})
    assert list(tmp_path.iterdir()) == []
