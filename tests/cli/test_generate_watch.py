"""`clarion generate --watch`: the tests stand in for time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from clarion.cli._watching import Snapshot, take_snapshot, wait_for_change
from clarion.cli.generate import run

ONE = 'syntax = "proto3"; message One {}'
TWO = 'syntax = "proto3"; message Two {}  // larger'


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protoc: Path) -> Path:
    """The current directory: a folder `protos` with one file."""
    (tmp_path / "protos").mkdir()
    (tmp_path / "protos/one.proto").write_text(ONE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _watch(steps: list[Callable[[], object]], *arguments: str) -> int:
    """Run until the steps are done: each takes the place of one pause."""
    left = iter(steps)

    def wait() -> None:
        step = next(left, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    given = list(arguments or ("protos", "--out=out"))
    return run([*given, "--watch"], prog="clarion generate", wait=wait)


def _nothing() -> None:
    pass


def test_a_change_generates_again(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    change = lambda: (project / "protos/one.proto").write_text(TWO)  # noqa: E731
    assert _watch([_nothing, change, _nothing]) == 0
    assert capfd.readouterr() == (
        "out: 1 .proto file; 3 written, 0 unchanged\nout: 1 .proto file; 2 written, 1 unchanged\n",
        "",
    )
    assert b"Two" in (project / "out/one_pb2.py").read_bytes()


def test_new_files_and_deleted_ones_count(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    more = project / "protos/inner/more.proto"
    (project / "protos/inner").mkdir()
    steps = [lambda: more.write_text(TWO), _nothing, more.unlink, _nothing]
    assert _watch(steps) == 0
    assert capfd.readouterr().out.splitlines() == [
        "out: 1 .proto file; 3 written, 0 unchanged",
        "out: 2 .proto files; 3 written, 3 unchanged",
        "out: 1 .proto file; 0 written, 3 unchanged, 3 removed",
    ]


def test_an_error_is_said_and_watching_goes_on(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = project / "protos/one.proto"
    steps = [lambda: file.write_text("broken"), _nothing, lambda: file.write_text(TWO), _nothing]
    assert _watch(steps) == 0
    out, err = capfd.readouterr()
    assert err.startswith("protos/one.proto:1:1: ")
    assert len(out.splitlines()) == 2
    assert b"Two" in (project / "out/one_pb2.py").read_bytes()


def test_settings_are_watched_too(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    settings = project / "pyproject.toml"
    table = '[tool.clarion.generate]\npaths = ["protos"]\nout = "{}"\n'
    steps: list[Callable[[], object]] = [
        lambda: settings.write_text(table.format("here").replace("out", "zork")),
        _nothing,
        lambda: settings.write_text(table.format("there")),
        _nothing,
    ]
    settings.write_text(table.format("here"))
    assert _watch(steps, "--quiet") == 0
    assert "zork" in capfd.readouterr().err
    assert (project / "there/one_pb2.py").exists()


def test_interrupting_ends_it_quietly(capfd: pytest.CaptureFixture[str]) -> None:
    assert _watch([]) == 0
    assert capfd.readouterr() == ("out: 1 .proto file; 3 written, 0 unchanged\n", "")


def test_a_change_counts_when_nothing_changes_any_more() -> None:
    looks: list[Snapshot] = [{}, {"a": (1, 1)}, {"a": (2, 1)}, {"a": (2, 1)}, {"a": (3, 1)}]
    left = iter(looks)
    assert wait_for_change({}, lambda: next(left), _nothing) == {"a": (2, 1)}


def test_a_snapshot_holds_proto_files_and_what_is_named(project: Path) -> None:
    (project / "protos/notes.txt").write_text("")
    (project / "protos/.hidden").mkdir()
    (project / "protos/.hidden/no.proto").write_text("")
    named = project / "x"
    named.write_text("")
    found = take_snapshot([project / "protos"], [named, project / "absent"])
    assert found.keys() == {str(named), str(project / "protos/one.proto")}
